"""The script that is handed out: it proves what was written, and nothing that was changed."""

import ast
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.evidence import verify
from etl_dagster.evidence.gathering import Evidence
from etl_dagster.evidence.verify import Proof, prove
from etl_dagster.identity import signatures
from etl_dagster.leads.policy_text import SOURCES
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import heads as anchors
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import FIRST_DIGEST
from etl_dagster.warehouse.policies import keep_policy
from etl_dagster_tests.evidence.conftest import ASKED, LATER, OTHER, World, content_of, make
from etl_dagster_tests.warehouse.conftest import POLICY, batch_of, origin
from etl_dagster_tests.warehouse.test_verification import older

PROVEN = {
    "chains": bool,
    "verdicts": lambda path: path[2] == "row",
    "batches": lambda path: path[-1] == "rows_file" or {"file", "entries"} & set(path),
    "policies": lambda path: path[2] == "text",
    "days": lambda path: (
        "decisions" in path and ("words" in path or path[-1] in {"decision", "callable_until"})
    ),
    "phone": bool,
}
"""Which values of `evidence.json` are proven, by its parts."""
Path_ = tuple[Any, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where every value is that has no parts."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from leaves(each, (*path, at))
    else:
        yield path


def proven(content: dict[str, Any]) -> list[Path_]:
    return [path for path in leaves(content) if path[0] in PROVEN and PROVEN[path[0]](path)]


def changed(content: dict[str, Any], path: Path_, data: st.DataObject) -> dict[str, Any]:
    """The same, with another value there."""
    found = copy.deepcopy(content)
    place = found
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, int):
        place[path[-1]] = value + data.draw(st.sampled_from([-1, 1, 10]))
    elif isinstance(value, str) and value:
        at = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.sampled_from("0123456789abXZ|- ").filter(lambda one: one != value[at]))
        place[path[-1]] = value[:at] + other + value[at + 1 :]
    else:
        place[path[-1]] = data.draw(st.sampled_from(["x", 1, "2026-11-20T06:00:00.000000Z"]))
    return found


@pytest.fixture
def folder(gathered: Evidence, tmp_path: Path) -> Path:
    """The evidence of a phone with answers, lists and decisions."""
    return make(gathered, tmp_path / "pack")


def prove_unsummed(folder: Path) -> Proof:
    """By the proofs alone: as where whoever changed a file changed SHA256SUMS, too."""
    sums = folder / verify.SUMS
    kept = sums.read_bytes()
    sums.write_bytes(b"")
    try:
        return prove(folder)
    finally:
        sums.write_bytes(kept)


def run(
    folder: Path, *arguments: str, options: Sequence[str] = ("-I", "-S")
) -> subprocess.CompletedProcess[str]:
    """As a stranger runs it: without this project, or anything else that is installed."""
    return subprocess.run(
        [sys.executable, *options, str(folder / "verify.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_needs_nothing_and_finds_everything_proven(folder: Path) -> None:
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("PROVEN: everything that is shown is as it was written\n")
    assert not (folder / "__pycache__").exists()
    ast.parse((folder / "verify.py").read_text("utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize(
    ("name", "status"),
    [("evidence.json", 1), ("other_phones/rows-1.txt", 1), ("other_phones/answer-1.json", 1)],
)
def test_the_script_finds_a_changed_byte_by_its_proofs_alone(
    folder: Path, name: str, status: int
) -> None:
    body = bytearray((folder / name).read_bytes())
    at = body.index(b'"verdict": "CLEAR"') + 13 if name == "evidence.json" else len(body) // 2
    body[at] ^= 1
    (folder / name).write_bytes(body)
    (folder / "SHA256SUMS").write_text("")
    done = run(folder)
    assert done.returncode == status
    assert "WRONG" in done.stdout
    assert "NOT PROVEN" in done.stdout


def test_without_the_other_phones_a_part_is_not_proven_and_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "other_phones")
    done = run(folder)
    assert done.returncode == 2
    assert "other_phones/rows-1.txt is not there" in done.stdout
    assert "PROVEN IN PART" in done.stdout
    (folder / "evidence.json").unlink()
    assert run(folder).returncode == 2


@pytest.mark.parametrize(
    "moment",
    ["2026-12- 1T06:00:00.000000Z", "2026-12-01T6:00:00.000000Z", "2026-12-01T06:00:00.0Z"],
)
def test_a_moment_in_other_words_is_none(moment: str) -> None:
    with pytest.raises(ValueError, match="another text"):
        verify.micros(moment)


def test_no_proven_value_can_be_changed(folder: Path) -> None:
    content = content_of(folder)
    paths = proven(content)
    assert {path[0] for path in paths} == set(PROVEN)

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.data())
    def any_change(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(paths))
        text = json.dumps(changed(content, path, data))
        (folder / "evidence.json").write_text(text, encoding="utf-8")
        assert prove_unsummed(folder).status != 0, path

    any_change()
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    assert prove_unsummed(folder).status == 0


def test_no_byte_of_any_file_can_be_changed(folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.data())
    def any_byte(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(files))
        body = path.read_bytes()
        at = data.draw(st.integers(0, len(body) - 1))
        path.write_bytes(
            body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
        )
        try:
            assert prove(folder).status != 0, (path.name, at)
            if path.parent.name == "other_phones":
                assert prove_unsummed(folder).status == 1, (path.name, at)
        finally:
            path.write_bytes(body)

    any_byte()
    assert prove(folder).status == 0


def test_a_verdict_that_is_left_out_is_missed_where_the_rows_are_there(folder: Path) -> None:
    content = content_of(folder)
    del content["verdicts"]["v2"]
    content["days"] = []
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    proof = prove_unsummed(folder)
    assert "rows-2.txt has 1 verdicts of the phone, and others are shown" in "".join(proof.wrong)


def test_what_may_have_been_left_out_unnoticed_is_said(folder: Path) -> None:
    note = "1 of 3 batches in the chains shown have no rows here"
    assert any(one.startswith(note) for one in prove(folder).notes)
    for name in ("README.txt", "evidence.html"):
        assert "nothing was left out" in (folder / name).read_text("utf-8")


def test_a_batch_that_does_not_follow_on_the_one_before_is_found(folder: Path) -> None:
    content = content_of(folder)
    (ccc, _) = content["chains"]
    ccc.append({**ccc[-1], "position": ccc[-1]["position"] + 2})
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    assert "does not follow" in "".join(prove_unsummed(folder).wrong)


def test_the_script_alone_says_that_nothing_is_here_to_prove() -> None:
    done = run(Path(verify.__file__).parent, options=["-I"])  # where it is measured
    assert done.returncode == 2
    assert "MISSING  evidence.json is not there: anything is not proven\n" in done.stdout
    assert done.stdout.endswith("PROVEN IN PART: something is missing\n")


def test_evidence_of_another_format_is_not_taken_for_this_one(folder: Path) -> None:
    content = content_of(folder) | {"format": "etl_dagster evidence 2"}
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    proof = prove_unsummed(folder)
    assert "evidence.json is not of the format etl_dagster evidence 1" in proof.wrong


@pytest.mark.parametrize("source", ["ccc", "dnc"])
def test_a_decision_that_rests_on_no_word_of_a_source_that_spoke_is_found(
    folder: Path, source: str
) -> None:
    content = content_of(folder)
    decision = content["days"][0]["decisions"][-1]
    del decision["words"][source]
    decision |= {"decision": "UNKNOWN", "callable_until": None}  # as it would be without
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    (wrong,) = prove_unsummed(folder).wrong
    assert wrong == f"the decision of {decision['at']} does not rest on the newest verdicts"


def test_a_decision_that_rests_on_an_older_word_is_found(world: World) -> None:
    world.refused(ASKED, body=b"[", at=LATER + timedelta(hours=1))
    folder = world.make(world.gather())
    assert prove(folder).wrong == []
    content = content_of(folder)
    before, after = content["days"][0]["decisions"][-2:]
    assert (before["decision"], after["decision"]) == ("CALLABLE", "UNKNOWN")
    for name in ("words", "decision", "callable_until"):
        after[name] = before[name]
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    (wrong,) = prove_unsummed(folder).wrong
    assert wrong == f"the decision of {after['at']} does not rest on the newest verdicts"


def test_a_policy_that_is_that_of_no_verdict_decides_nothing(empty_world: World) -> None:
    empty_world.answered(ASKED)  # the lists are not asked, so that it is UNKNOWN
    folder = empty_world.make(empty_world.gather())
    content = content_of(folder)
    (decision,) = content["days"][0]["decisions"]
    lax = replace(POLICY, required_sources=("ccc",))
    content["policies"][lax.hash] = {"text": lax.meaning, "uses": []}
    decision |= {
        "policy_hash": lax.hash,
        "decision": "CALLABLE",
        "callable_until": content["verdicts"][decision["words"]["ccc"]]["row"]["valid_until"],
    }
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    assert prove_unsummed(folder).wrong == [
        f"the policy {lax.hash[:8]} is that of no verdict shown"
    ]


CODES = [("C", Verdict.CLEAR), ("D", Verdict.LISTED)]
FULL = replace(POLICY, required_sources=SOURCES)


def fully_answered(world: World, code: str, verdict: Verdict) -> Path:
    """The full scrub answers, and the ledger says a verdict of it."""
    entry = {"Phone": str(ASKED), "ResultCode": code, "LineType": "Wireless"}
    body = json.dumps([{**entry, "Reason": "", "DoNotCallToday": ""}]).encode()
    answer = batch_of([ASKED], verdict, reason="wireless")
    answer = replace(answer, evidence_hash=verify.sha256(body), answer=body)
    ledger.append(world.tables.session, [answer], origin=origin("ccc_full", policy=FULL))
    return world.make(world.gather())


@pytest.mark.parametrize(("code", "verdict"), CODES)
@pytest.mark.parametrize("other", [False, True])
def test_an_answer_of_the_full_scrub_is_judged_by_the_policy_of_its_verdict(
    empty_world: World, code: str, verdict: Verdict, *, other: bool
) -> None:
    said = next(one for _, one in CODES if (one is verdict) != other)
    keep_policy(empty_world.tables.session, FULL, run_id="r")
    proof = prove(fully_answered(empty_world, code, said))
    if other:
        (wrong,) = proof.wrong
        assert wrong.startswith("verdict v1 is not what other_phones/answer-1.json says")
    else:
        assert (proof.status, proof.wrong) == (0, [])
        assert "verdict v1 is what was answered" in proof.proven


def test_an_answer_of_the_full_scrub_means_nothing_without_its_policy(empty_world: World) -> None:
    proof = prove(fully_answered(empty_world, "C", Verdict.CLEAR))
    assert proof.missing == ["verdict v1: without its policy, what it means is unknown"]
    assert (proof.status, "verdict v1 is what was answered" in proof.proven) == (2, False)


def test_a_key_that_is_there_twice_is_refused(folder: Path) -> None:
    text = (folder / "evidence.json").read_text("utf-8")
    (folder / "evidence.json").write_text(text.replace('"days"', '"phone": 1, "days"', 1))
    assert prove_unsummed(folder).status == 1


def test_a_file_outside_the_folder_is_not_read(folder: Path) -> None:
    for name in ("../secret", "/etc/hostname"):
        content = content_of(folder)
        next(iter(content["batches"].values()))["rows_file"] = name
        (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
        assert f"{name} is not in this folder" in prove_unsummed(folder).wrong


@pytest.fixture
def keys(tmp_path: Path) -> Sequence[Path]:
    return signatures.make_keys(tmp_path / "keys")


def test_signed_heads_show_a_chain_that_was_written_anew(
    world: World, keys: Sequence[Path], tmp_path: Path
) -> None:
    file = tmp_path / "heads.json"
    heads = anchors.read_heads(world.tables.session, ledger="x")
    anchors.write_file(heads, file, private_key=keys[0])
    folder = world.make(world.gather(), heads=file, public_key=keys[1])
    proof = prove(folder)
    assert (proof.status, proof.wrong) == (0, [])
    assert "the heads are signed by that key" in proof.proven
    assert sum("was there as shown" in line for line in proof.proven) == 2

    for name in ("PHONE_VERDICTS", "SCRUB_BATCHES", "CCC_ANSWERS"):
        world.tables.session.execute(f"DELETE FROM {name} WHERE TRUE")
    world.answered(OTHER)
    world.answered(ASKED)
    world.looked_up(ASKED, OTHER)
    anew = world.make(world.gather(), "anew", heads=file, public_key=keys[1])
    assert "ended at 3 when the heads were taken" in "".join(prove(anew).wrong)
    world.answered(OTHER)
    another = world.make(world.gather(), "another", heads=file, public_key=keys[1])
    assert "is another than when the heads were taken" in "".join(prove(another).wrong)
    alone = world.make(world.gather(), "alone")
    assert prove(alone).status == 0
    assert prove(alone, heads=file, public_key=keys[1]).status == 1


def test_heads_of_somebody_else_or_that_were_changed_prove_nothing(
    world: World, keys: Sequence[Path], tmp_path: Path
) -> None:
    file = tmp_path / "heads.json"
    heads = anchors.read_heads(world.tables.session, ledger="x")
    heads = replace(heads, retentions=anchors.RetentionsHead(position=1, digest="d"))
    anchors.write_file(heads, file, private_key=keys[0])
    _, stranger = signatures.make_keys(tmp_path / "other")
    folder = world.make(world.gather())
    assert prove(folder, heads=file, public_key=keys[1]).status == 0
    assert "not signed by that key" in "".join(prove(folder, heads=file, public_key=stranger).wrong)
    assert prove(folder, heads=tmp_path / "none").status == 2
    plain = tmp_path / "plain.json"
    anchors.write_file(heads, plain)
    assert prove(folder, heads=plain).status == 0
    assert "the heads are not signed" in prove(folder, heads=plain, public_key=keys[1]).wrong
    file.write_text(file.read_text("utf-8").replace('"position":3', '"position":2'))
    assert "do not have their SHA-256" in "".join(prove(folder, heads=file).wrong)


def test_heads_in_the_folder_are_compared_without_a_key_too(world: World, tmp_path: Path) -> None:
    file = tmp_path / "heads.json"
    anchors.write_file(anchors.read_heads(world.tables.session, ledger="x"), file)
    folder = world.make(world.gather(), heads=file)
    proof = prove(folder)
    assert (proof.status, proof.wrong) == (0, [])
    assert "the heads are taken as they are: no key was given to compare with" in proof.notes
    assert sum("was there as shown" in line for line in proof.proven) == 2


def test_heads_that_are_older_than_what_is_shown_prove_nothing_of_it(
    empty_world: World, tmp_path: Path
) -> None:
    world, file = empty_world, tmp_path / "heads.json"
    world.answered(OTHER)
    anchors.write_file(anchors.read_heads(world.tables.session, ledger="x"), file)
    world.answered(ASKED)  # shown from position 2
    world.looked_up(ASKED)  # of a chain that was not there
    proof = prove(world.make(world.gather()), heads=file)
    assert (proof.status, proof.wrong) == (0, [])
    older_than = [one for one in proof.notes if "the heads are older than what is shown" in one]
    assert [one.split()[3].rstrip(":") for one in older_than] == ["ccc", "dnc"]
    assert not any("was there as shown" in line for line in proof.proven)


def test_a_batch_of_the_first_release_is_proven_as_well(empty_world: World) -> None:
    older(empty_world.tables.session, [ASKED, OTHER], position=1, previous=FIRST_DIGEST)
    empty_world.answered(ASKED, OTHER, at=LATER)
    folder = empty_world.make(empty_world.gather())
    (chain,) = content_of(folder)["chains"]
    assert [verify.version_of(link["digest"]) for link in chain] == [1, 2]
    proof = prove(folder)
    assert proof.wrong == []
    assert len(proof.missing) == 1  # answers were not kept then
    assert any(one.startswith("2 of 2 verdicts are as they were written") for one in proof.proven)
