"""`etl-dagster ledger`, `rescrub` and `evidence` on real runs: whole, damaged, cut off."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from etl_dagster.cli.ledger import phone_text
from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.settings import PROJECT
from etl_dagster_tests.cli.test_cli import invoke
from etl_dagster_tests.defs.conftest import small_world
from etl_dagster_tests.defs.line import CLEAN, DAY, EARLIER, Line, crowd, person

pytestmark = pytest.mark.slow

PHONES = re.compile(r"\b\d{10}\b")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A world after some days: two runs of a day, one of them asking again, and an opt-out."""
    folder = tmp_path_factory.mktemp("cli_ledger")
    start_snowflake(folder)
    with ExitStack() as stack:
        stack.callback(sidecar.stop, NAME, folder)
        made = small_world(stack, folder, folder, {"ETL_CHUNKS": "2"})
        made.people([*crowd(24), *crowd(8, start=24, day=EARLIER), person(99, CLEAN[1])])
        for run in (made.run(EARLIER, to=DAY), made.run(DAY, force=True)):
            assert run.success, run.error
        made.opt_out(CLEAN[1])
        retraction = made.run(job="retract_listed", tags={})
        assert retraction.success, retraction.error
        yield made


def ledger(line: Line, *arguments: str, **environment: str) -> Result:
    return invoke({**line.environment, **environment}, "ledger", *arguments)


def verified(line: Line, folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    file = folder / "found.json"
    result = ledger(line, "verify", "--json", str(file), *arguments)
    return result.exit_code, json.loads(file.read_text(encoding="utf-8"))


def test_the_ledger_of_real_runs_is_whole(line: Line, tmp_path: Path) -> None:
    result = ledger(line, "verify", "--json", str(tmp_path / "found.json"))
    assert result.exit_code == 0, result.output
    assert "WHOLE: the ledger is as it was written" in result.output
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["findings"] == []
    assert found["rows"] == line.count("PHONE_VERDICTS") > 0
    assert found["batches"] == line.count("SCRUB_BATCHES")
    assert (found["batches_of_older_form"], found["batches_appended_meanwhile"]) == (0, 0)
    assert found["raw_answers_kept"] == line.count("SCRUB_BATCHES", "source = 'ccc'") > 0
    assert found["verdicts_without_raw_answer"] == 0
    code, earlier = verified(line, tmp_path, "--from", str(EARLIER), "--to", str(EARLIER))
    assert code == 0
    assert 0 < earlier["rows"] < found["rows"]


def test_a_changed_verdict_is_named_and_its_phone_is_masked(line: Line, tmp_path: Path) -> None:
    where = f"lead_date = '{DAY}' AND source = 'ccc' AND verdict = 'LISTED'"
    (first, *_) = line.rows(f"SELECT phone, batch_id FROM PHONE_VERDICTS WHERE {where}")
    where = f"phone = {first['PHONE']} AND batch_id = '{first['BATCH_ID']}'"
    with line.session() as session:
        session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'CLEAR' WHERE {where}")
    try:
        result = ledger(line, "verify")
        assert result.exit_code == 1
        assert "NOT WHOLE: 1 findings" in result.output
        assert not PHONES.search(result.output)
        code, found = verified(line, tmp_path)
        (finding,) = found["findings"]
        assert (code, found["whole"], finding["kind"]) == (1, False, "digest")
        assert (finding["date"], finding["source"]) == (str(DAY), "ccc")
        assert finding["batch_id"] == first["BATCH_ID"]
        assert finding["phones"] == [phone_text(first["PHONE"], masked=True)]
        assert verified(line, tmp_path, "--to", str(EARLIER))[0] == 0
        _, found = verified(line, tmp_path, "--show-phones")
        assert found["findings"][0]["phones"] == [str(first["PHONE"])]
    finally:
        with line.session() as session:
            session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'LISTED' WHERE {where}")
    assert ledger(line, "verify").exit_code == 0


def test_signed_heads_are_found_again_and_show_a_cut_off_end(line: Line, tmp_path: Path) -> None:
    made = ledger(line, "keygen", "--out", str(tmp_path / "keys"))
    assert made.exit_code == 0, made.output
    private, public = (str(tmp_path / "keys" / f"ledger_key{end}.pem") for end in ("", ".pub"))
    file = tmp_path / "heads.json"
    written = ledger(line, "heads", "--out", str(file), ETL_LEDGER_KEY_PATH=private)
    assert written.exit_code == 0, written.output
    assert "(signed)" in written.output
    anchored = ("verify", "--heads", str(file), "--public-key", public)
    result = ledger(line, *anchored)
    assert result.exit_code == 0, result.output
    assert re.search(r"\d+ heads found again", result.output)

    tables = ("PHONE_VERDICTS", "SCRUB_BATCHES", "CCC_ANSWERS")
    chain = f"lead_date = '{DAY}' AND chunk = 0 AND source = 'ccc'"
    with line.session() as session:
        end = session.scalar(f"SELECT MAX(position) FROM SCRUB_BATCHES WHERE {chain}")
        last = session.scalar(
            f"SELECT batch_id FROM SCRUB_BATCHES WHERE {chain} AND position = {end}"
        )
        for name in tables:
            session.execute(f"CREATE TABLE {name}_KEPT AS SELECT * FROM {name}")
            session.execute(f"DELETE FROM {name} WHERE batch_id = '{last}'")
    try:
        assert ledger(line, "verify").exit_code == 0
        result = ledger(line, *anchored)
        assert result.exit_code == 1
        assert f"position {end}" in " ".join(result.output.split())
    finally:
        with line.session() as session:
            for name in tables:
                session.execute(f"DELETE FROM {name}")
                session.execute(f"INSERT INTO {name} SELECT * FROM {name}_KEPT")

    unsigned = ledger(line, "heads", "--out", str(tmp_path / "plain.json"))
    assert "not signed: ETL_LEDGER_KEY_PATH is not set" in unsigned.output
    refused = ledger(
        line, "verify", "--heads", str(tmp_path / "plain.json"), "--public-key", public
    )
    assert refused.exit_code == 1
    assert "is not signed" in refused.output
    assert "Traceback" not in refused.output


def test_a_key_that_is_none_is_one_line(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("hush", encoding="utf-8")
    result = ledger(
        line, "heads", "--out", str(tmp_path / "heads.json"), ETL_LEDGER_KEY_PATH=str(path)
    )
    assert result.exit_code == 1
    assert "key.pem is not an Ed25519 private key" in " ".join(result.output.split())
    assert "hush" not in result.output
    assert not (tmp_path / "heads.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--from", "2026-11-21", "--to", "2026-11-20"], "--from is after --to"),
        (["verify", "--public-key", __file__], "is for a file of --heads"),
        (["verify", "--heads", "/nonexistent"], "does not exist"),
        (["heads"], "Missing option '--out'"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], message: str) -> None:
    result = invoke({}, "ledger", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_phone_is_masked_to_its_last_two_digits() -> None:
    assert phone_text(4075550123, masked=True) == "********23"
    assert phone_text(7, masked=True) == "********07"


def rescrubbed(line: Line, folder: Path, *arguments: str) -> tuple[Result, dict[str, Any]]:
    file = folder / "again.json"
    result = invoke(line.environment, "rescrub", "--json", str(file), *arguments)
    return result, json.loads(file.read_text(encoding="utf-8"))


def test_a_day_of_real_runs_is_reproduced_and_a_changed_row_found(
    line: Line, tmp_path: Path
) -> None:
    def rescrub(*arguments: str) -> tuple[Result, dict[str, Any]]:
        return rescrubbed(line, tmp_path, *arguments)

    for day in (EARLIER, DAY):
        result, found = rescrub("--on", str(day))
        assert result.exit_code == 0, result.output
        assert "REPRODUCED: each was decided the same again" in result.output
        dnc = f"source = 'dnc' AND lead_date = '{day}'"
        assert found["rows"] == found["reproduced"] == line.count("PHONE_VERDICTS", dnc) > 0
        assert (found["on_record_from_elsewhere"], found["leads_are_there"]) == ({}, True)

    # the opt-out came after the day's scrub: two verdicts on one phone, by different lists
    both = f"{dnc} AND phone = {CLEAN[1]}"
    decided = line.rows(f"SELECT verdict FROM PHONE_VERDICTS WHERE {both}")
    assert {row["VERDICT"] for row in decided} == {"CLEAR", "LISTED"}
    change = "UPDATE PHONE_VERDICTS SET verdict = '{}' WHERE {} AND reason = 'internal'"
    with line.session() as session:
        session.execute(change.format("CLEAR", both))
    try:
        result, found = rescrub("--on", str(DAY))
        assert result.exit_code == 1
        assert "NOT REPRODUCED" in result.output
        assert not PHONES.search(result.output)
        (one,) = found["differences"]
        assert (one["phone"], one["why"]) == (phone_text(CLEAN[1], masked=True), "verdict")
        assert (one["expected"], one["found"]) == ("LISTED internal", "CLEAR internal")
        _, found = rescrub("--on", str(DAY), "--show-phones")
        assert found["differences"][0]["phone"] == str(CLEAN[1])
        other = 1 - one["chunk"]
        assert rescrub("--on", str(DAY), "--chunk", str(other))[0].exit_code == 0
    finally:
        with line.session() as session:
            session.execute(change.format("LISTED", both))

    result, _ = rescrub("--on", "2024-01-01")
    assert result.exit_code == 1
    assert "NOTHING TO REPRODUCE" in result.output
    assert "NOT COVERED" in result.output


def test_a_day_that_rests_on_the_day_before_is_decided_again_by_it(
    line: Line, tmp_path: Path
) -> None:
    with line.session() as session:
        session.execute("CREATE TABLE LEADS_KEPT AS SELECT * FROM LEADS")
        session.execute("CREATE TABLE VERDICTS_KEPT AS SELECT * FROM PHONE_VERDICTS")
        session.execute(
            f"UPDATE PHONE_VERDICTS SET lead_date = '{EARLIER}'"
            f" WHERE source = 'dnc' AND lead_date = '{DAY}'"
        )
    try:
        result, found = rescrubbed(line, tmp_path, "--on", str(DAY))
        assert result.exit_code == 0, result.output
        assert "REPRODUCED: no verdict is of its own" in result.output
        assert found["on_record_from_elsewhere"] == {str(EARLIER): found["rows"]}
        with line.session() as session:
            session.execute("DELETE FROM LEADS")
        result, found = rescrubbed(line, tmp_path, "--on", str(DAY))
        assert (result.exit_code, found["rows"], found["leads_are_there"]) == (1, 0, False)
    finally:
        with line.session() as session:
            for name, kept in (("LEADS", "LEADS_KEPT"), ("PHONE_VERDICTS", "VERDICTS_KEPT")):
                session.execute(f"DELETE FROM {name}")
                session.execute(f"INSERT INTO {name} SELECT * FROM {kept}")
    assert invoke(line.environment, "rescrub", "--on", str(DAY), "--chunk", "2").exit_code == 2


def test_a_policy_that_was_in_force_then_is_on_record_or_taken_from_a_file(
    line: Line, tmp_path: Path
) -> None:
    stricter = {**line.environment, "DNC_MAX_AGE_DAYS": "20"}
    result = invoke(stricter, "rescrub", "--on", str(DAY))
    assert result.exit_code == 0, result.output  # the policy without that limit is known, too
    file = tmp_path / "policy.toml"
    file.write_text(
        'required_sources = ["ccc", "dnc"]\n[ccc]\nttl_days = 3\n[dnc]\nmax_age_days = 31\n'
    )
    other = {**line.environment, "ETL_POLICY_FILE": str(file)}
    result = invoke(other, "rescrub", "--on", str(DAY))
    assert result.exit_code == 0, result.output  # its text is on record
    with line.session() as session:
        session.execute("CREATE TABLE POLICIES_KEPT AS SELECT * FROM POLICIES")
        session.execute("DELETE FROM POLICIES")
    try:
        result = invoke(other, "rescrub", "--on", str(DAY))
        assert result.exit_code == 1
        assert "decided under another policy" in result.output
        built_in = PROJECT / "etl_dagster" / "leads" / "policy.toml"
        result = invoke(other, "rescrub", "--on", str(DAY), "--policy", str(built_in))
        assert result.exit_code == 0, result.output
    finally:
        with line.session() as session:
            session.execute("INSERT INTO POLICIES SELECT * FROM POLICIES_KEPT")


# --- the evidence for a phone -----------------------------------------------------------------


def evidence(line: Line, phone: int, folder: Path, *arguments: str, **environment: str) -> Result:
    return invoke(
        {**line.environment, **environment},
        "evidence",
        str(phone),
        "--out",
        str(folder),
        *arguments,
    )


def proves(folder: Path) -> bool:
    done = subprocess.run([sys.executable, "-I", "-S", str(folder / "verify.py")], check=False)
    return done.returncode == 0


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evidence.json").read_text("utf-8"))
    return found


def test_the_evidence_of_real_runs_is_proven_and_has_no_name(line: Line, tmp_path: Path) -> None:
    where = f"reason = 'litigator' AND lead_date = '{DAY}'"
    (first, *_) = line.rows(f"SELECT phone FROM PHONE_VERDICTS WHERE {where}")
    result = evidence(line, first["PHONE"], tmp_path / "sued", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["whole"], told["findings"]) == (True, [])
    assert proves(tmp_path / "sued")
    found = content(tmp_path / "sued")
    days = {day["lead_date"]: day for day in found["days"]}
    assert [one["decision"] for one in days[str(DAY)]["decisions"]][-1] == "BLOCKED"
    answers = [one["answer"] for one in found["batches"].values() if one["answer"]]
    assert answers
    assert all(one["entries"][0]["IsLitigator"] is True for one in answers)
    (policy,) = found["policies"].values()
    assert policy["uses"]
    name = re.compile("quackenbush|wilhelmina|zanzibar", re.IGNORECASE)
    for path in (tmp_path / "sued").rglob("*.*"):
        assert not name.search(path.read_text("utf-8")), path


def test_the_evidence_of_an_opt_out_tells_when_it_was_taken_back(
    line: Line, tmp_path: Path
) -> None:
    result = evidence(line, CLEAN[1], tmp_path / "out", "--on", str(DAY))
    assert result.exit_code == 0, result.output
    assert str(CLEAN[1]) not in result.output
    assert proves(tmp_path / "out")
    found = content(tmp_path / "out")
    (day,) = found["days"]
    assert day["withdrawn"]["says"] == "dnc: LISTED internal"
    assert [request["action"] for request in found["requests"]] == ["opt-out"]
    assert not day["publications"]


def test_evidence_that_cannot_be_had_is_one_line_and_nothing_is_written(
    line: Line, tmp_path: Path
) -> None:
    never = evidence(line, 4075559999, tmp_path / "never")
    assert never.exit_code == 1
    assert "this phone never occurred" in " ".join(never.output.split())
    another = evidence(line, CLEAN[1], tmp_path / "never", "--on", "2026-01-01")
    assert another.exit_code == 1
    assert "does not occur on 2026-01-01" in " ".join(another.output.split())
    none = evidence(line, 555, tmp_path / "never")
    assert "that is not a phone" in none.output
    no_store = evidence(line, CLEAN[1], tmp_path / "never", DNC_DB_PATH=str(tmp_path / "no"))
    assert no_store.exit_code == 1
    for result in (never, another, none, no_store):
        assert "Traceback" not in result.output
        assert "555" not in result.output
    assert list(tmp_path.iterdir()) == []
    taken = evidence(line, CLEAN[1], tmp_path.parent)
    assert "exists: choose another name" in " ".join(taken.output.split())
    usage = evidence(line, CLEAN[1], tmp_path / "never", "--public-key", __file__)
    assert usage.exit_code == 2


def test_a_copy_of_the_data_on_another_machine_gives_the_same_evidence(
    line: Line, tmp_path: Path
) -> None:
    here, there = Path(line.environment["ETL_HOME"]), tmp_path / "elsewhere"
    assert evidence(line, CLEAN[1], tmp_path / "first").exit_code == 0
    sidecar.stop(NAME, (here / NAME).resolve().parent)
    shutil.copytree((here / NAME).resolve() / "data", there / NAME / "data")
    shutil.copy(here / "dnc.sqlite", there / "dnc.sqlite")
    try:
        result = evidence(line, CLEAN[1], tmp_path / "second", ETL_HOME=str(there))
    finally:
        sidecar.stop(NAME, there)
    assert result.exit_code == 0, result.output
    assert proves(tmp_path / "second")
    first, second = (content(tmp_path / name) for name in ("first", "second"))
    assert first.pop("made_at") < second.pop("made_at")
    assert first == second
    for path in (tmp_path / "first" / "other_phones").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / "other_phones" / path.name).read_bytes()
