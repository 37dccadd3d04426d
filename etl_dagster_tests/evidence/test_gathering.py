"""What is in the evidence for a phone, and what is left out."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from etl_dagster.connect import open_warehouse
from etl_dagster.dnc import DncStore, replica
from etl_dagster.evidence import gathering, page
from etl_dagster.evidence.forms import EvidenceError
from etl_dagster.evidence.verify import prove
from etl_dagster.leads.chunks import Chunk
from etl_dagster.sandbox import sidecar
from etl_dagster.warehouse import ledger, publication, retention_record
from etl_dagster.warehouse.policies import keep_policy
from etl_dagster.warehouse.retention_record import Retention
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.statements import sql
from etl_dagster_tests.evidence.conftest import (
    ASKED,
    LATER,
    LISTED,
    OTHER,
    PHONES,
    SUED,
    World,
    answer_about,
    content_of,
)
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, NOW, POLICY, Tables, origin
from etl_dagster_tests.warehouse.test_reading import writes
from etl_dagster_tests.warehouse.wire import listening


def decisions(world: World, phone: int) -> list[tuple[str, dict[str, str]]]:
    days = world.gather(phone).content["days"]
    return [(one["decision"], one["causes"]) for day in days for one in day["decisions"]]


def test_each_moment_has_the_decision_that_the_policy_made_of_what_was_known(world: World) -> None:
    assert decisions(world, ASKED) == [("UNKNOWN", {"dnc": "missing"}), ("CALLABLE", {})]
    assert decisions(world, SUED) == [("BLOCKED", {"ccc": "listed"})] * 2
    assert decisions(world, LISTED) == [
        ("UNKNOWN", {"dnc": "missing"}),
        ("BLOCKED", {"dnc": "listed"}),
    ]
    assert decisions(world, PHONES[4]) == [("UNKNOWN", {"ccc": "missing"})]
    world.looked_up(ASKED, at=NOW + timedelta(days=8))
    assert decisions(world, ASKED)[-1] == ("UNKNOWN", {"ccc": "expired"})
    text = page.render(world.gather().content)
    assert "litigator scrub (CCC) <span" in text
    assert "</span>, run out (" in text
    assert "Do-Not-Call lists: not asked yet" in text


def test_the_evidence_of_a_callable_phone_is_complete_and_proven(world: World) -> None:
    folder = world.make(world.gather())
    content = content_of(folder)
    (day,) = content["days"]
    assert [lead["lead_id"] for lead in day["leads"]] == ["someone"]
    first, second = (verdict["row"] for verdict in content["verdicts"].values())
    assert (first["source"], first["verdict"]) == ("ccc", "CLEAR")
    assert (second["source"], second["list_versions"]) == ("dnc", "internal@0;national@1")
    answer = content["batches"][first["batch_id"]]["answer"]
    assert answer["entries"] == [{"Phone": ASKED, "IsLitigator": False}]
    lists = content["verdicts"]["v2"]["lists"]
    assert (lists["verdict"], lists["same"]) == ("CLEAR", True)
    national = next(one for one in lists["lists"] if one["list"] == "national")
    assert (national["listed"], national["covered"], national["next"]) == (False, True, None)
    assert national["in_force"]["files"][0]["name"] == "national.txt"
    assert content["policies"][POLICY.hash]["text"] == POLICY.meaning
    assert content["policies"][POLICY.hash]["uses"][0]["code_version"] == content["made_with"]
    (ccc, dnc) = content["chains"]
    assert [link["position"] for link in ccc] == [2, 3]  # the first batch is not needed
    assert [link["position"] for link in dnc] == [1]
    proof = prove(folder)
    assert (proof.status, proof.wrong, proof.missing) == (0, [], [])


def test_other_phones_are_in_the_folder_of_other_phones_alone(world: World) -> None:
    folder = world.make(world.gather())
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "national.txt":
            has_others = any(str(one) in path.read_text("utf-8") for one in PHONES[1:])
            assert has_others == (path.parent.name == "other_phones"), path


def test_a_verdict_of_another_day_is_there_if_a_decision_rests_on_it(world: World) -> None:
    world.tables.lead("someone", ASKED, chunk=NEXT)
    world.looked_up(ASKED, at=LATER + timedelta(days=1), chunk=NEXT)
    world.answered(ASKED, at=LATER + timedelta(days=9), chunk=NEXT)
    content = world.gather(only=NEXT.lead_date).content
    assert [day["lead_date"] for day in content["days"]] == [str(NEXT.lead_date)]
    days = {name: one["row"]["lead_date"] for name, one in content["verdicts"].items()}
    assert sorted(days.values()) == [str(CHUNK.lead_date), *[str(NEXT.lead_date)] * 2]
    first = content["days"][0]["decisions"][0]
    assert first["decision"] == "CALLABLE"
    assert days[first["words"]["ccc"]] == str(CHUNK.lead_date)
    assert prove(world.make(world.gather(only=NEXT.lead_date))).status == 0


def test_what_ended_it_before_its_time_is_told(world: World) -> None:
    out = LATER + timedelta(hours=2)
    world.opt_out(ASKED, out)
    world.looked_up(ASKED, at=out + timedelta(minutes=1))
    world.now.append(out + timedelta(days=1))
    content = world.gather().content
    (day,) = content["days"]
    assert day["withdrawn"]["says"] == "dnc: LISTED internal"
    assert [one["decision"] for one in day["decisions"]] == ["UNKNOWN", "CALLABLE", "BLOCKED"]
    (request,) = content["requests"]
    assert (request["action"], request["source"], request["by"]) == ("opt-out", "letter", "Ann")
    before = next(
        one for one in content["verdicts"]["v2"]["lists"]["lists"] if one["list"] == "internal"
    )
    assert (before["listed"], before["in_force"], before["next"]["number"]) == (False, None, 1)
    assert content["verdicts"]["v3"]["lists"]["verdict"] == "LISTED"
    assert prove(world.make(world.gather())).status == 0


@pytest.mark.parametrize(
    ("keeps", "why"),
    [(True, "it came while ETL_KEEP_CCC_ANSWERS was off"), (False, "ETL_KEEP_CCC_ANSWERS is off")],
)
def test_an_answer_that_was_not_kept_is_missed_and_the_rest_is_proven(
    empty_world: World, *, keeps: bool, why: str
) -> None:
    empty_world.answered(ASKED, OTHER, kept=False)
    folder = empty_world.make(empty_world.gather(keeps_answers=keeps))
    proof = prove(folder)
    assert (proof.status, proof.wrong) == (2, [])
    (missing,) = proof.missing
    assert missing.startswith("verdict v1: its raw answer is not here (none is kept: ")
    assert why in missing
    assert why in (folder / "evidence.html").read_text("utf-8")


def test_an_answer_that_was_refused_as_damaged_is_evidence_too(empty_world: World) -> None:
    batch = empty_world.refused(ASKED, body=b'[{"Phone":')
    folder = empty_world.make(empty_world.gather())
    assert content_of(folder)["batches"][batch.batch_id]["answer"]["entries"] == []
    assert prove(folder).status == 0
    assert "refused as damaged" in (folder / "evidence.html").read_text("utf-8")


def test_a_policy_that_is_not_on_record_decides_nothing(world: World) -> None:
    world.tables.session.execute("DELETE FROM POLICIES")
    content = world.gather().content
    assert content["policies"] == {}
    assert [one["decision"] for one in content["days"][0]["decisions"]] == [None, None]
    proof = prove(world.make(world.gather()))
    assert (proof.status, f"the text of policy {POLICY.hash[:8]} was not kept" in proof.notes) == (
        0,
        True,
    )
    in_force = {POLICY.hash: POLICY.meaning}
    made = world.gather(in_force=in_force).content["days"][0]["decisions"]
    assert made[-1]["decision"] == "CALLABLE"


def lead_of_the_next_day(world: World) -> None:
    """A lead of the next day, decided on the verdicts of the day before."""
    world.tables.lead("someone", ASKED, chunk=NEXT)
    world.tables.judged("someone", "CALLABLE", chunk=NEXT)
    world.tables.session.execute(f"UPDATE DNC_FILTERED SET policy_hash = '{POLICY.hash}'")
    world.tables.session.execute(
        f"UPDATE LEADS SET extracted_at = '{NOW + timedelta(days=1):%Y-%m-%d %H:%M:%S}'"
        f" WHERE lead_date = '{NEXT.lead_date}'"
    )


def test_a_lead_whose_verdicts_are_all_of_another_day_has_a_decision(world: World) -> None:
    lead_of_the_next_day(world)
    day = world.gather(only=NEXT.lead_date).content["days"][0]
    assert [one["decision"] for one in day["decisions"]] == ["CALLABLE"]
    assert prove(world.make(world.gather(only=NEXT.lead_date))).status == 0


def test_a_policy_is_shown_with_a_verdict_of_it_and_decides_nothing_where_there_is_none(
    world: World,
) -> None:
    other = replace(POLICY, dnc_max_age_days=30)
    keep_policy(world.tables.session, other, run_id="r")
    lead_of_the_next_day(world)
    world.tables.session.execute(f"UPDATE DNC_FILTERED SET policy_hash = '{other.hash}'")

    def next_day(folder: str) -> tuple[set[str], str | None]:
        """The policies that are shown, and what was decided."""
        evidence = world.gather(only=NEXT.lead_date)
        assert prove(world.make(evidence, folder)).wrong == []
        (day,) = evidence.content["days"]
        return set(evidence.content["policies"]), day["decisions"][0]["decision"]

    assert next_day("before") == ({POLICY.hash}, None)
    # another day's leads are scrubbed by it later, so that no decision here rests on the verdict
    world.looked_up(ASKED, at=NOW + timedelta(days=1, hours=1), policy=other)
    assert next_day("after") == ({POLICY.hash, other.hash}, "UNKNOWN")


def test_a_clear_of_the_lists_under_another_policy_counts_for_nothing(world: World) -> None:
    strict = replace(POLICY, dnc_lists=("state_tx",))  # a list that is not there
    keep_policy(world.tables.session, strict, run_id="r")
    again = answer_about(ASKED, at=LATER + timedelta(hours=1))
    ledger.append(world.tables.session, [again], origin=origin("ccc", policy=strict))
    evidence = world.gather()
    (day,) = evidence.content["days"]
    made = [(one["decision"], one["causes"]) for one in day["decisions"]]
    assert made[1:] == [("CALLABLE", {}), ("UNKNOWN", {"dnc": "missing"})]
    publication.prove(world.tables.session, CHUNK, strict, required=strict.required_sources)
    assert world.tables.count("PROVEN_PHONES") == 0
    folder = world.make(evidence)
    assert prove(folder).status == 0
    content = content_of(folder)
    decision = content["days"][0]["decisions"][2]
    ends = content["verdicts"][decision["words"]["ccc"]]["row"]["valid_until"]
    decision |= {"decision": "CALLABLE", "callable_until": ends}
    (folder / "evidence.json").write_text(json.dumps(content), encoding="utf-8")
    assert f"the policy decides otherwise at {decision['at']}" in prove(folder).wrong


def exported(world: World, **exports: dict[str, Any]) -> None:
    """Put exports on record, by their ids."""
    record = {
        "exported_at": LATER + timedelta(minutes=1),
        "lead_date": None,
        "campaigns": "another, walk_in",
        "row_count": 1,
        "phone_count": 1,
        "sha256": "0" * 64,
        "file_format": "csv",
        "file_name": "leads.csv",
        "policy_hash": POLICY.hash,
        "list_versions": "",
        "accepted_checks": "",
        "exported_by": "Ann",
        "call_date": None,
    }
    for name, changes in exports.items():
        values = {**record, **changes, "export_id": name}
        world.tables.session.execute(sql("insert_export"), values)


def listed(world: World, phone: int = ASKED, day: date = CHUNK.lead_date) -> dict[str, bool]:
    """The exports that a day's leads name, and whether each is marked as after the withdrawal."""
    (found,) = world.gather(phone, only=day).content["days"]
    return {one["export_id"]: one["after_withdrawal"] for one in found["exports"]}


def test_exports_that_may_have_it_are_those_made_while_it_was_callable(world: World) -> None:
    exported(
        world,
        it={},
        day={"lead_date": CHUNK.lead_date},
        before={"exported_at": NOW},
        after={"exported_at": LATER + timedelta(days=8)},
        other_day={"lead_date": NEXT.lead_date},
        other_campaign={"campaigns": "another"},  # its lead may have been replaced since
    )
    assert listed(world) == {"it": False, "day": False, "other_campaign": False}
    assert listed(world, SUED) == {}


def test_an_export_stays_listed_when_the_campaign_that_had_the_phone_no_longer_has_it(
    world: World,
) -> None:
    world.tables.lead("other", ASKED, campaign="another")
    exported(world, it={"campaigns": "another"})
    assert listed(world) == {"it": False}
    world.tables.session.execute("DELETE FROM LEADS WHERE campaign = 'another'")
    assert listed(world) == {"it": False}


def test_a_day_stays_with_its_exports_when_none_of_its_leads_has_the_phone_any_more(
    world: World,
) -> None:
    at = NOW + timedelta(days=1, hours=1)
    lead_of_the_next_day(world)
    exported(
        world,
        it={"lead_date": NEXT.lead_date, "exported_at": at},
        later={"lead_date": NEXT.lead_date + timedelta(days=30), "exported_at": at},
    )
    assert listed(world, day=NEXT.lead_date) == {"it": False}
    for table in ("LEADS", "DNC_FILTERED"):
        world.tables.session.execute(f"DELETE FROM {table} WHERE lead_date = '{NEXT.lead_date}'")
    content = world.gather().content
    assert [day["lead_date"] for day in content["days"]] == [
        str(CHUNK.lead_date),
        str(NEXT.lead_date),
    ]
    assert listed(world, day=NEXT.lead_date) == {"it": False}
    assert f"No lead of {NEXT.lead_date} has this phone now." in page.render(content)
    assert prove(world.make(world.gather(only=NEXT.lead_date))).status == 0


def test_an_export_that_was_whole_after_the_withdrawal_is_listed_and_marked(world: World) -> None:
    world.opt_out(ASKED, LATER + timedelta(seconds=30))
    world.looked_up(ASKED, at=LATER + timedelta(minutes=1))
    exported(
        world,
        before={"exported_at": LATER + timedelta(seconds=10)},
        read_before={"exported_at": LATER + timedelta(minutes=2)},
    )
    assert listed(world) == {"before": False, "read_before": True}
    text = page.render(world.gather().content)
    assert text.count("whole after it was taken back") == 1


def test_a_verdict_that_was_unknown_for_a_while_takes_nothing_back(world: World) -> None:
    world.refused(ASKED, body=b"[", at=LATER + timedelta(hours=1))
    exported(world, between={"exported_at": LATER + timedelta(hours=2)})
    (day,) = world.gather().content["days"]
    assert day["withdrawn"]["says"] == "ccc: UNKNOWN malformed_response"
    world.answered(ASKED, at=LATER + timedelta(hours=3), chunk=NEXT)  # for leads of another day
    exported(world, again={"exported_at": LATER + timedelta(hours=4)})
    (day,) = world.gather(only=CHUNK.lead_date).content["days"]
    assert day["withdrawn"] is None
    assert listed(world) == {"between": False, "again": False}


def test_a_publication_of_the_day_is_a_moment_of_its_own(world: World) -> None:
    at = LATER + timedelta(minutes=5)
    for chunk in (CHUNK, NEXT):
        world.tables.insert(
            "CALLABLE_LEADS",
            {
                "LEAD_ID": "someone", "CAMPAIGN": "walk_in", "LEAD_DATE": chunk.lead_date,
                "CHUNK": 0, "PHONE_2": ASKED, "CALLABLE_UNTIL": LATER + timedelta(days=6),
                "PUBLISHED_AT": at + (chunk.lead_date - CHUNK.lead_date),
                "POLICY_HASH": POLICY.hash, "RUN_ID": "r",
            },
        )  # fmt: skip
    first, second = world.gather().content["days"]
    made = [(one["at"], one["decision"]) for one in first["decisions"] if "publ" in one["what"]]
    assert made == [(f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "CALLABLE")]
    for day in (first, second):
        (one,) = day["publications"]
        assert (one["lead_id"], one["lead_date"]) == ("someone", day["lead_date"])


def test_on_a_day_of_no_record_but_exports_the_verdicts_of_before_may_have_handed_it_out(
    world: World,
) -> None:
    day = CHUNK.lead_date + timedelta(days=3)  # more than two days after the last verdict
    until = NOW + timedelta(days=7)
    reading = timedelta(hours=1)
    exported(
        world,
        before={"exported_at": LATER + timedelta(days=1)},
        within={"exported_at": LATER + timedelta(days=3)},
        last={"exported_at": until + reading},
        after={"exported_at": until + reading + timedelta(seconds=1)},
    )
    record = Retention(
        position=0, retention_id="i", table_name="LEADS", day=day, row_count=1, oldest=None,
        newest=None, kept_days=1, digests="", removed_by="Ann",
        removed_at=(until + timedelta(days=1)).replace(tzinfo=None),
    )  # fmt: skip
    with retention_record.appending(world.tables.session) as append:
        append([record])
    (found,) = world.gather(only=day).content["days"]
    assert [(one["what"], one["decision"]) for one in found["decisions"]] == [
        ("the day began", "CALLABLE")
    ]
    assert [one["export_id"] for one in found["exports"]] == ["within", "last"]


@pytest.mark.parametrize("reason", replica.REASONS)
def test_a_doubt_of_a_replica_is_no_difference_unless_the_lists_block(
    world: World, reason: str
) -> None:
    world.tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET verdict = 'UNKNOWN', reason = '{reason}', valid_until = NULL"
        " WHERE source = 'dnc'"
    )
    lists = world.gather(ASKED).content["verdicts"]["v2"]["lists"]
    assert (lists["verdict"], lists["same"], lists["why"]) == ("CLEAR", True, [])
    lists = world.gather(LISTED).content["verdicts"]["v2"]["lists"]
    assert (lists["verdict"], lists["same"]) == ("LISTED", False)
    assert lists["why"] == ["another verdict", "another reason", "another end of validity"]


def published_on_record(world: World) -> None:
    """A lead of the next day, published and handed out on the verdicts of the day before."""
    lead_of_the_next_day(world)
    exported(world, handed_out={"exported_at": NOW + timedelta(days=1, hours=1)})


def test_a_phone_handed_out_on_the_verdicts_of_another_day_shows_so_after_its_opt_out(
    world: World,
) -> None:
    published_on_record(world)
    out = NOW + timedelta(days=1, hours=2)
    world.opt_out(ASKED, out)
    world.looked_up(ASKED, at=out + timedelta(minutes=1), chunk=NEXT)
    world.now.append(out + timedelta(days=1))
    (day,) = world.gather(only=NEXT.lead_date).content["days"]
    assert [(one["what"], one["decision"]) for one in day["decisions"]] == [
        ("the lead was taken in", "CALLABLE"),
        ("the Do-Not-Call lists were asked", "BLOCKED"),
    ]
    assert day["withdrawn"]["says"] == "dnc: LISTED internal"
    assert listed(world, day=NEXT.lead_date) == {"handed_out": False}
    assert prove(world.make(world.gather(only=NEXT.lead_date))).status == 0


def test_a_lead_that_was_taken_in_again_keeps_the_exports_of_before(world: World) -> None:
    later = Chunk(NEXT.lead_date + timedelta(days=1), 0)
    world.tables.lead("someone", ASKED, chunk=later)
    world.tables.judged("someone", "BLOCKED", chunk=later)
    world.tables.session.execute(f"UPDATE DNC_FILTERED SET policy_hash = '{POLICY.hash}'")
    morning = NOW + timedelta(days=2)
    exported(world, first={"exported_at": morning})
    world.opt_out(ASKED, morning + timedelta(hours=1))
    world.looked_up(ASKED, at=morning + timedelta(hours=2), chunk=later)
    world.tables.session.execute(
        f"UPDATE LEADS SET extracted_at = '{morning + timedelta(hours=3):%Y-%m-%d %H:%M:%S}'"
        f" WHERE lead_date = '{later.lead_date}'"
    )
    assert listed(world, day=later.lead_date) == {"first": False}


def test_of_a_day_whose_leads_were_removed_exports_are_listed_by_what_verdicts_allowed(
    world: World,
) -> None:
    published_on_record(world)
    exported(world, other={"campaigns": "another"}, late={"exported_at": LATER + timedelta(days=3)})
    gone = LATER + timedelta(days=2)
    records = [
        Retention(
            position=0,
            retention_id="i",
            table_name="LEADS",
            day=day,
            row_count=1,
            oldest=None,
            newest=None,
            kept_days=1,
            digests="",
            removed_at=gone.replace(tzinfo=None),
            removed_by="Ann",
        )
        for day in (CHUNK.lead_date, NEXT.lead_date, NEXT.lead_date + timedelta(days=60))
    ]
    with retention_record.appending(world.tables.session) as append:
        for table in ("LEADS", "DNC_FILTERED"):
            world.tables.session.execute(f"DELETE FROM {table} WHERE TRUE")
        append(records)
    evidence = world.gather()
    days = evidence.content["days"]
    found = {day["lead_date"]: [one["export_id"] for one in day["exports"]] for day in days}
    assert found == {
        str(CHUNK.lead_date): ["other", "handed_out"],
        str(NEXT.lead_date): ["other", "handed_out"],
    }
    assert {day["leads_removed_at"] for day in days} == {f"{gone:%Y-%m-%dT%H:%M:%S.%fZ}"}
    text = page.render(evidence.content)
    assert f"The leads of {NEXT.lead_date} were removed on </strong><time" in text
    folder = world.make(world.gather(only=NEXT.lead_date))
    assert prove(folder).status == 0
    with pytest.raises(EvidenceError, match="the leads of 2027-01-20 were removed on 2026-11-23"):
        world.gather(only=NEXT.lead_date + timedelta(days=60))


@pytest.mark.parametrize("change", ["verdict = 'CLEAR'", "reason = 'x'", "batch_id = 'x'"])
def test_a_ledger_that_was_changed_is_told_and_does_not_prove(world: World, change: str) -> None:
    world.tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET {change} WHERE phone = {SUED} AND source = 'ccc'"
    )
    evidence = world.gather(SUED)
    assert evidence.flaws
    folder = world.make(evidence)
    assert "The ledger is not as it was written" in (folder / "evidence.html").read_text("utf-8")
    assert prove(folder).status == 1


def test_a_kept_answer_that_was_changed_is_told_and_left_out(world: World) -> None:
    world.tables.session.execute("UPDATE CCC_ANSWERS SET body = LEFT(body, 24)")
    evidence = world.gather()
    assert {flaw.kind for flaw in evidence.flaws} == {"answer"}
    assert all(one["answer"] is None for one in evidence.content["batches"].values())
    proof = prove(world.make(evidence))
    assert proof.status == 2
    assert "(what is kept is not it: it is cut off" in "".join(proof.missing)


def test_a_policy_whose_text_was_changed_is_told_and_decides_nothing(world: World) -> None:
    world.tables.session.execute("UPDATE POLICIES SET text = REPLACE(text, '31', '30')")
    evidence = world.gather()
    assert {flaw.kind for flaw in evidence.flaws} == {"policy"}
    assert {one["decision"] for one in evidence.content["days"][0]["decisions"]} == {None}


def test_it_takes_no_more_than_select(
    world: World, tables_warehouse: Warehouse, snowflake_server: sidecar.Sidecar
) -> None:
    config = tables_warehouse.config
    with listening(snowflake_server) as (port, heard):
        theirs = replace(config, connection_args={**config.connection_args, "port": port})
        warehouse = open_warehouse(theirs, chunks=1, world=None, reads=gathering.TABLES)
        with warehouse.session() as session:
            found = replace(world, tables=Tables(session)).gather()
        warehouse.close()
    assert found.content == world.gather().content
    assert len(heard) > len(gathering.TABLES)
    assert [one for one in heard if writes(one, ())] == []


def test_a_phone_that_never_occurred_and_a_day_without_it_are_said(world: World) -> None:
    with pytest.raises(EvidenceError, match="never occurred"):
        world.gather(4075550199)
    with pytest.raises(EvidenceError, match=f"not occur on {NEXT.lead_date}, but on 2026-11-20"):
        world.gather(only=NEXT.lead_date)


def test_the_store_that_does_not_know_those_versions_says_so(world: World) -> None:
    world.tables.session.execute(
        "UPDATE PHONE_VERDICTS SET list_versions = 'national@7' WHERE source = 'dnc'"
    )
    evidence = world.gather()
    assert "never recorded" in evidence.content["verdicts"]["v2"]["lists"]["error"]
    world.make(evidence)
    assert json.dumps(evidence.content)


def test_a_store_that_was_rebuilt_is_not_taken_for_that_of_then(world: World) -> None:
    rebuilt_at = world.folder / "rebuilt.sqlite"
    file = world.folder / "other.txt"
    file.write_text(f"{LISTED}\n{OTHER + 2}\n", encoding="utf-8")
    later = LATER + timedelta(days=2)
    with DncStore.create(rebuilt_at, clock=lambda: later) as rebuilt:
        rebuilt.add_list("national", [file], as_of=LATER, kind="national", covers=[407])
    world.now.append(later)
    evidence = replace(world, store=rebuilt_at).gather()
    lists = evidence.content["verdicts"]["v2"]["lists"]
    assert "the store was rebuilt or restored since" in lists["error"]
    assert "other.txt" not in page.render(evidence.content)


def test_what_the_store_says_otherwise_today_is_told_in_every_column(world: World) -> None:
    world.opt_out(LISTED, LATER + timedelta(minutes=1))
    world.looked_up(LISTED, at=LATER + timedelta(hours=2))
    world.now.append(LATER + timedelta(days=1))
    found = world.gather(LISTED).content["verdicts"]
    assert [found[name]["lists"]["reason"] for name in ("v2", "v3")] == [
        "national",
        "internal,national",
    ]
    assert [found[name]["lists"]["same"] for name in ("v2", "v3")] == [True, True]
    world.tables.session.execute(
        "UPDATE PHONE_VERDICTS SET reason = 'x', valid_until = NULL WHERE source = 'dnc'"
    )
    evidence = world.gather(LISTED)
    lists = evidence.content["verdicts"]["v2"]["lists"]
    assert (lists["verdict"], lists["same"]) == ("LISTED", False)
    assert lists["why"] == ["another reason", "another end of validity"]
    assert "(another reason, another end of validity)" in page.render(evidence.content)
    world.tables.session.execute("DELETE FROM POLICIES")
    assert world.gather(LISTED).content["verdicts"]["v2"]["lists"]["same"] is None
