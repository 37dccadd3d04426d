"""What is removed because its time is up: whole days, verified, on record, and nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import FIVE_YEARS
from etl_dagster.warehouse import heads
from etl_dagster.warehouse.examination import ChainKey
from etl_dagster.warehouse.heads import Head, read_heads
from etl_dagster.warehouse.removal import RetentionError, apply
from etl_dagster.warehouse.retention import (
    KEPT,
    RULES,
    Plan,
    Removable,
    RemovedDayError,
    plan,
    refuse_removed,
    removed_days,
)
from etl_dagster.warehouse.retention_record import appending, examine
from etl_dagster.warehouse.retention_record import read as read_records
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.tables import TABLES
from etl_dagster.warehouse.verification import verify
from etl_dagster_tests.together import at_once
from etl_dagster_tests.warehouse.aged import LEAD_TABLES, PHONES, fill
from etl_dagster_tests.warehouse.conftest import Tables
from etl_dagster_tests.warehouse.test_retention_record import record

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
LEADS_DAYS = 60


def ago(days: int) -> date:
    return NOW.date() - timedelta(days=days)


OLD = ago(FIVE_YEARS + 40)
MIDDLE = ago(LEADS_DAYS + 1)
NEW = ago(LEADS_DAYS)


def planned(tables: Tables) -> Plan:
    return plan(tables.session, leads_days=LEADS_DAYS, ledger_days=FIVE_YEARS, moment=NOW)


def applied(tables: Tables) -> tuple[list[Removable], list[date]]:
    removed: list[Removable] = []
    staying = apply(tables.session, planned(tables), by="somebody", done=removed.append)
    return removed, staying


def going(found: Plan) -> set[tuple[str, date, int]]:
    return {(one.table, one.day, one.rows) for one in found.removable}


def contents(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(tables.rows(f"SELECT * FROM {name}"), key=str) for name in TABLES}


@pytest.fixture
def three(tables: Tables) -> Tables:
    """A day whose evidence may go, one whose leads may go, one that is kept."""
    fill(tables.session, OLD, MIDDLE, NEW)
    return tables


def test_every_table_has_a_rule_or_a_reason_to_stay() -> None:
    assert sorted([*RULES, *KEPT]) == sorted(TABLES)


def test_a_plan_names_what_is_over_its_time_and_writes_nothing(three: Tables) -> None:
    before = contents(three)
    found = planned(three)
    assert going(found) == {
        *((table, day, 2) for table in LEAD_TABLES for day in (OLD, MIDDLE)),
        ("PHONE_VERDICTS", OLD, 24),
        ("SCRUB_BATCHES", OLD, 6),
        ("CCC_ANSWERS", OLD, 4),
        ("EXPORTS", OLD + timedelta(days=1), 1),
    }
    assert found.callable_days == ()
    written = {one.table: one.newest for one in found.removable if one.day == OLD}
    assert written["PHONE_VERDICTS"] == written["SCRUB_BATCHES"] == written["CALLABLE_LEADS"]
    assert written["DNC_FILTERED"] is None
    assert contents(three) == before


SOON, JUST = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
AGES: list[tuple[int, datetime | None, set[str]]] = [
    (LEADS_DAYS, None, set()),
    (LEADS_DAYS + 1, None, {"leads"}),
    (LEADS_DAYS + 2, SOON, set()),
    (LEADS_DAYS + 3, JUST, {"leads"}),
    (FIVE_YEARS + 1, None, {"leads"}),  # its last call may have been a week later
    (FIVE_YEARS + 9, None, {"leads", "ledger"}),
    (FIVE_YEARS + 40, SOON, {"exports"}),
    (FIVE_YEARS + 41, JUST, {"leads", "exports"}),
    (FIVE_YEARS + 42, None, {"leads", "ledger", "exports"}),
]
"""Age of a day, until when its leads may be called (None: a week), and what goes of it."""


def test_what_goes_at_which_age(tables: Tables) -> None:
    for until in (None, SOON, JUST):
        days = [ago(age) for age, end, _ in AGES if end == until]
        fill(tables.session, *days, until=until, chunks=1)
    found = planned(tables)
    gone: dict[date, set[str]] = {ago(age): set() for age, _, _ in AGES}
    for one in found.removable:
        # an export is made the day after
        gone[one.day - timedelta(days=one.kind == "exports")].add(one.kind)
    assert gone == {ago(age): goes for age, _, goes in AGES}
    assert found.callable_days == (ago(FIVE_YEARS + 40), ago(LEADS_DAYS + 2))


def test_a_plan_says_when_the_first_and_the_last_row_of_a_day_were_written(tables: Tables) -> None:
    fill(tables.session, OLD, chunks=1)
    first, last = (datetime.combine(OLD, time(hour), UTC) for hour in (1, 2))
    tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET checked_at = IFF(phone = {PHONES[0]}, %(first)s, %(last)s)",
        {"first": first, "last": last},
    )
    written = {one.table: (one.oldest, one.newest) for one in planned(tables).removable}
    assert written["PHONE_VERDICTS"] == (first, last)


def test_one_late_verdict_keeps_the_evidence_of_its_day(tables: Tables) -> None:
    fill(tables.session, OLD, chunks=1)
    tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET valid_until = '{ago(FIVE_YEARS - 1)}' WHERE phone = {PHONES[0]}"
    )
    assert {one.kind for one in planned(tables).removable} == {"leads", "exports"}


def test_what_is_planned_goes_and_is_on_record_and_the_rest_verifies(three: Tables) -> None:
    before = contents(three)
    found = planned(three)
    refuse_removed(three.session, [OLD, MIDDLE, NEW])
    removed, staying = applied(three)
    after = contents(three)
    assert removed == list(found.removable)
    assert staying == []
    for name in RULES:
        gone = {(one.table, one.day) for one in found.removable}
        key = "EXPORTED_AT" if name == "exports" else "LEAD_DATE"
        stays = [row for row in before[name]
                 if (name.upper(), date.fromisoformat(str(row[key])[:10])) not in gone]  # fmt: skip
        assert after[name] == stays
    records = read_records(three.session)
    assert {(one.table_name, one.day, one.row_count) for one in records} == going(found)
    assert [one.position for one in records] == list(range(1, len(records) + 1))
    assert {one.removed_by for one in records} == {"somebody"}
    assert not any(str(phone) in str(record) for record in records for phone in PHONES)
    checked = verify(three.session)
    assert checked.whole, checked.flaws
    assert checked.chains == 8
    assert checked.answers == three.count("CCC_ANSWERS") == 8
    assert planned(three).removable == ()
    assert applied(three) == ([], [])
    assert set(removed_days(three.session)) == {OLD, MIDDLE}
    refuse_removed(three.session, [NEW])
    with pytest.raises(RemovedDayError, match=f"leads of {OLD}, {MIDDLE} were removed"):
        refuse_removed(three.session, [NEW, MIDDLE, OLD])


def test_heads_of_removed_chains_are_excused_by_the_record_alone(
    three: Tables, tmp_path: Path
) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    heads.write_file(read_heads(three.session, ledger="ours"), before)
    assert heads.read_file(before).retentions is None
    ends = heads.read_file(before).heads
    earlier = [
        Head(lead_date=day, chunk=int(chunk), source=str(source), position=1, digest=str(digest))
        for day, chunk, source, digest in three.session.rows(
            "SELECT lead_date, chunk, source, digest FROM SCRUB_BATCHES WHERE position = 1"
        )
    ]
    applied(three)
    for kept in (ends, earlier):
        found = verify(three.session, heads=kept)
        assert found.whole, found.flaws
        assert (found.removed, found.anchored) == (4, 8)
    other = [replace(one, digest="v2:other") for one in ends]
    assert len(verify(three.session, heads=other, last=OLD).flaws) == 4
    later = [replace(one, position=one.position + 1) for one in ends]
    assert len(verify(three.session, heads=later, last=OLD).flaws) == 4
    # the records are anchored, too: of themselves they cannot show that their end is cut off
    heads.write_file(read_heads(three.session, ledger="ours"), after)
    last = heads.read_file(after).retentions
    assert last is not None
    assert last.position == three.count("RETENTIONS")
    assert verify(three.session, retentions_head=last).whole
    three.session.execute(f"DELETE FROM RETENTIONS WHERE position = {last.position}")
    assert verify(three.session).whole
    (flaw,) = verify(three.session, retentions_head=last).flaws
    assert (flaw.kind, flaw.position) == ("head", last.position)
    three.session.execute("DELETE FROM RETENTIONS")
    assert len(verify(three.session, heads=ends).flaws) == 4


@pytest.mark.parametrize("day", [OLD, MIDDLE])
def test_a_chain_that_somebody_took_away_is_a_finding_as_before(three: Tables, day: date) -> None:
    ends = read_heads(three.session, ledger="ours").heads
    if day == MIDDLE:
        applied(three)
    for name in ("PHONE_VERDICTS", "SCRUB_BATCHES", "CCC_ANSWERS"):
        three.session.execute(f"DELETE FROM {name} WHERE lead_date = '{day}' AND chunk = 1")
    if day == OLD:
        applied(three)
    found = verify(three.session, heads=ends)
    assert {(flaw.kind, flaw.key) for flaw in found.flaws} == {
        ("head", ChainKey(day, 1, source)) for source in ("ccc", "dnc")
    }


def test_a_day_that_does_not_verify_stays(three: Tables) -> None:
    fill(three.session, OLD - timedelta(days=1))
    three.session.execute(
        f"UPDATE PHONE_VERDICTS SET verdict = 'LISTED' WHERE lead_date = '{OLD}'"
        f" AND chunk = 0 AND source = 'dnc' AND phone = {PHONES[0]}"
    )
    assert applied(three)[1] == [OLD]
    assert three.count("PHONE_VERDICTS", f"lead_date = '{OLD}'") == 24
    assert three.count("CCC_ANSWERS", f"lead_date = '{OLD}'") == 4
    assert three.count("PHONE_VERDICTS", f"lead_date < '{OLD}'") == 0
    assert three.count("LEADS", f"lead_date <= '{MIDDLE}'") == 0
    assert applied(three) == ([], [OLD])


def test_a_day_that_changed_since_the_plan_stays_as_a_whole(three: Tables) -> None:
    found = planned(three)
    three.judged("late", "BLOCKED", chunk=Chunk(MIDDLE, 0))
    with pytest.raises(RetentionError, match=f"DNC_FILTERED has 3 rows of {MIDDLE}, 2 were"):
        apply(three.session, found, by="somebody")
    assert three.count("LEADS", f"lead_date = '{MIDDLE}'") == 2
    assert three.count("LEADS", f"lead_date = '{OLD}'") == 0
    assert {one.day for one in read_records(three.session)} == {OLD}
    assert verify(three.session).whole
    assert ("DNC_FILTERED", MIDDLE, 3) in going(planned(three))
    applied(three)
    assert three.count("LEADS", f"lead_date = '{MIDDLE}'") == 0
    assert verify(three.session).whole


def test_what_was_killed_halfway_goes_on(three: Tables) -> None:
    found = planned(three)

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(three.session, found, by="somebody", done=killed)
    assert verify(three.session).whole
    again, _ = applied(three)
    assert 0 < len(again) < len(found.removable)
    assert planned(three).removable == ()
    assert {(one.table_name, one.day, one.row_count) for one in read_records(three.session)} == (
        going(found)
    )
    assert verify(three.session).whole


def test_nothing_is_removed_on_records_that_somebody_changed(three: Tables) -> None:
    applied(three)
    fill(three.session, OLD - timedelta(days=1), chunks=1)
    three.session.execute("UPDATE RETENTIONS SET removed_by = 'nobody' WHERE position = 1")
    change = "UPDATE RETENTIONS SET digests = '[[1]]' WHERE table_name = 'SCRUB_BATCHES'"
    three.session.execute(change)
    with pytest.raises(RetentionError, match="RETENTIONS is not as it was written"):
        applied(three)
    assert three.count("LEADS", f"lead_date < '{OLD}'") == 1
    assert {(flaw.kind, flaw.key.source) for flaw in verify(three.session).flaws} == {
        ("retention", "LEADS"),
        ("retention", "SCRUB_BATCHES"),
    }


def test_a_chain_that_comes_back_is_a_finding(three: Tables) -> None:
    applied(three)
    fill(three.session, OLD, chunks=1)
    found = verify(three.session)
    assert {(flaw.kind, flaw.key.lead_date) for flaw in found.flaws} == {("retention", OLD)}
    assert "the chain of chunk 00 dnc was removed, and is there" in found.flaws[-1].says


def test_two_that_remove_at_once_keep_one_chain(
    tables: Tables, tables_warehouse: Warehouse
) -> None:
    hosts, times = 3, 4
    start = Barrier(hosts)

    def host(_: int) -> None:
        with tables_warehouse.session() as session:
            for _ in range(times):
                start.wait(timeout=30)
                with appending(session) as append:
                    append([record("LEADS", age=70), record("LEADS", age=71)])

    at_once(host, range(hosts))
    records = read_records(tables.session)
    assert list(examine(records, moment=NOW)) == []
    assert len(records) == 2 * hosts * times
    assert tables.count("LOCKS", f"times = {hosts * times}") > 0


def test_what_is_undone_lets_the_lock_go(tables: Tables, tables_warehouse: Warehouse) -> None:
    def interrupted() -> None:
        with appending(tables.session) as append:
            append([record("LEADS", age=70)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with tables_warehouse.session() as other, appending(other) as append:
        append([record("LEADS", age=70)])
    assert [one.position for one in read_records(tables.session)] == [1]
