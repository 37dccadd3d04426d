"""Do-Not-Call verdicts in the ledger, decided again by the store as it was."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import DncStore
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.lookup_rows import ledger_batch
from etl_dagster.scrub.rescrub import KEPT, rescrub
from etl_dagster.scrub.rescrub_found import Rescrub
from etl_dagster.warehouse import ledger
from etl_dagster_tests.dnc.support import Clock, write_list
from etl_dagster_tests.warehouse.conftest import CHUNK, DAY, NEXT, NOW, POLICY, Tables, origin

LISTED = [4075550100 + number for number in range(20)]
CLEAR = [4075550200 + number for number in range(20)]
UNCOVERED = [2125550100]
POOL = np.array([*LISTED, *CLEAR, *UNCOVERED], np.int64)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[DncStore]:
    clock.forward(hours=-6)
    with DncStore.create(tmp_path / "dnc.sqlite", clock=clock, max_age_days=31) as made:
        made.add_list("national", [write_list(tmp_path / "n.txt", LISTED)], as_of=clock.now)
        clock.forward(hours=6)
        yield made


def decide(tables: Tables, store: DncStore, moment: datetime) -> None:
    """Put verdicts on record as the stage does."""
    found = store.lookup(POOL, moment=moment)
    batch = ledger_batch(POOL, found, np.ones(len(POOL), np.bool_), moment)
    ledger.append(tables.session, [batch], origin=origin("dnc"))


def again(tables: Tables, store: DncStore, *, policy: str = POLICY.hash) -> Rescrub:
    return rescrub(tables.session, {policy: store}, DAY)


def test_a_day_is_reproduced_after_lists_and_opt_outs_have_come(
    tables: Tables, store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    decide(tables, store, clock.now)
    tables.said("ccc", Verdict.CLEAR, *CLEAR)  # which is none of the lists
    clock.forward(days=40)
    decide(tables, store, clock.now)  # all but the listed are stale by then
    store.opt_out(CLEAR[:3], received=NOW - timedelta(days=2))
    store.remove_opt_out(CLEAR[:1], reason="asked", by="tests")
    path = write_list(tmp_path / "m.txt", [*LISTED[1:], *CLEAR[5:9]])
    store.add_list("national", [path], as_of=clock.now)
    clock.forward(days=1)
    decide(tables, store, clock.now)
    found = again(tables, store)
    assert (found.rows, found.reproduced, found.whole) == (3 * len(POOL), 3 * len(POOL), True)
    assert tables.count("PHONE_VERDICTS", "reason = 'stale'") == len(CLEAR)
    assert not rescrub(tables.session, {POLICY.hash: store}, NEXT.lead_date).whole  # has no rows
    assert rescrub(tables.session, {POLICY.hash: store}, DAY, chunks=[CHUNK.number]).whole
    assert rescrub(tables.session, {POLICY.hash: store}, DAY, chunks=[7]).rows == 0


@pytest.mark.parametrize(
    ("change", "where", "expected", "found", "why"),
    [
        ("verdict = 'CLEAR', reason = ''", LISTED[3], "LISTED national", "CLEAR", "verdict"),
        ("verdict = 'LISTED', reason = 'national'", CLEAR[3], "CLEAR", "LISTED", "verdict"),
        ("verdict = 'CLEAR', reason = ''", UNCOVERED[0], "UNKNOWN not_covered", "CLEAR", "verdict"),
        ("reason = 'internal'", LISTED[3], "LISTED national", "LISTED internal", "reason"),
        (
            "valid_until = DATEADD(day, 1, valid_until)",
            CLEAR[4], "CLEAR until", "CLEAR until", "end of validity",
        ),
        ("valid_until = NULL", CLEAR[5], "CLEAR until", "CLEAR", "end of validity"),
    ],
)  # fmt: skip
def test_a_row_that_somebody_changed_is_found(  # noqa: PLR0917
    tables: Tables, store: DncStore, clock: Clock, change: str, where: int, expected: str,
    found: str, why: str,
) -> None:  # fmt: skip
    decide(tables, store, clock.now)
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET {change} WHERE phone = {where}")
    told = again(tables, store)
    assert (told.whole, told.different, told.reproduced) == (False, 1, len(POOL) - 1)
    (one,) = told.differences
    assert one.phone == where
    assert one.expected.startswith(expected)
    assert one.found.startswith(found)
    assert one.expected != one.found
    assert why in one.why
    assert (one.list_versions, one.checked_at) == ("internal@0;national@1", NOW)


def test_versions_that_were_passed_over_clear_nobody(
    tables: Tables, store: DncStore, clock: Clock
) -> None:
    old = store.lookup(POOL).list_versions
    store.opt_out([CLEAR[0]])
    clock.forward(hours=3)
    decide(tables, store, clock.now)
    assert again(tables, store).whole
    tables.session.execute(f"UPDATE PHONE_VERDICTS SET list_versions = '{old}'")
    found = again(tables, store)
    assert (found.reproduced, found.different) == (0, len(POOL))
    assert found.differences[0].why == "the store had internal@1 by then"


def test_what_cannot_be_reproduced_is_no_success(
    tables: Tables, store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    decide(tables, store, clock.now)
    assert again(tables, store).whole
    found = again(tables, store, policy="another")
    (lost,) = found.lost
    assert "decided under another policy" in lost.why
    assert lost.rows == found.lost_rows == len(POOL)

    with DncStore.create(tmp_path / "rebuilt.sqlite", clock=clock) as rebuilt:
        clock.forward(days=3)
        path = write_list(tmp_path / "r.txt", LISTED)
        rebuilt.add_list("national", [path], as_of=NOW - timedelta(hours=6))
        found = again(tables, rebuilt)
        assert (found.whole, found.reproduced, found.different) == (False, 0, 0)
        assert "after the look-up: the store was rebuilt or restored" in found.lost[0].why

    for days in (1, 60):
        clock.forward(days=days)
        path = write_list(tmp_path / f"{days}.txt", [*LISTED, CLEAR[days % 7]])
        store.add_list("national", [path], as_of=clock.now)
    store.compact(retention_days=30)
    found = again(tables, store)
    assert not found.whole
    (lost,) = found.lost
    assert "compacted away" in lost.why
    assert (lost.rows, lost.list_versions) == (len(POOL), "internal@0;national@1")


def test_of_many_differences_some_are_kept_and_all_are_counted(
    tables: Tables, store: DncStore, clock: Clock
) -> None:
    many = np.arange(4075560000, 4075560000 + KEPT + 5, dtype=np.int64)
    found = store.lookup(many, moment=clock.now)
    batch = ledger_batch(many, found, np.ones(len(many), np.bool_), clock.now)
    ledger.append(tables.session, [batch], origin=origin("dnc"))
    assert again(tables, store).whole
    tables.session.execute("UPDATE PHONE_VERDICTS SET reason = 'x'")
    told = again(tables, store)
    assert (told.different, len(told.differences)) == (len(many), KEPT)


# --- days that rest on the verdicts of other days ----------------------------------------------

RUN = "2"
LATER = NEXT.lead_date


def scrub(
    tables: Tables, store: DncStore, moment: datetime, *, recorded: Sequence[int] = ()
) -> None:
    """The day after, scrubbed: all of its phones on record but some."""
    for number, phone in enumerate(POOL.tolist()):
        tables.lead(str(number), phone, chunk=NEXT)
        tables.judged(str(number), "BLOCKED", chunk=NEXT)
    tables.session.execute(
        f"UPDATE LEADS SET extracted_at = '{moment - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}'"
    )
    tables.session.execute(
        f"UPDATE DNC_FILTERED SET run_id = '{RUN}', policy_hash = '{POLICY.hash}'"
    )
    if recorded:
        phones = np.array(recorded, np.int64)
        found = store.lookup(phones, moment=moment)
        batch = ledger_batch(phones, found, np.ones(len(phones), np.bool_), moment)
        ledger.append(tables.session, [batch], origin=replace(origin("dnc", NEXT), run_id=RUN))


def later(tables: Tables, store: DncStore) -> Rescrub:
    return rescrub(tables.session, {POLICY.hash: store}, LATER)


def test_a_day_without_a_verdict_of_its_own_is_decided_again_by_those_it_rests_on(
    tables: Tables, store: DncStore, clock: Clock
) -> None:
    decide(tables, store, clock.now)
    scrub(tables, store, clock.forward(days=1))
    found = later(tables, store)
    assert (found.whole, found.rows, found.scrubbed) == (True, len(POOL), True)
    assert found.resting == {DAY: len(POOL)}
    store.opt_out(CLEAR[:2])  # what comes later changes nothing, nor do verdicts by it
    decide(tables, store, clock.forward(days=1))
    assert later(tables, store).whole

    change = "UPDATE PHONE_VERDICTS SET verdict = 'CLEAR', reason = '' WHERE phone = {}"
    tables.session.execute(change.format(LISTED[3]))
    (one,) = later(tables, store).differences
    assert (one.phone, one.chunk, one.checked_at) == (LISTED[3], CHUNK, NOW)
    assert one.expected == "LISTED national"

    tables.session.execute("DELETE FROM LEADS")  # as retention does
    found = later(tables, store)
    assert (found.whole, found.rows, found.scrubbed) == (False, 0, False)
    assert not again(tables, store).scrubbed


def test_one_new_verdict_does_not_stand_for_a_whole_day(
    tables: Tables, store: DncStore, clock: Clock
) -> None:
    decide(tables, store, clock.now)
    tables.session.execute(f"DELETE FROM PHONE_VERDICTS WHERE phone = {CLEAR[0]}")
    scrub(tables, store, clock.forward(days=1), recorded=[CLEAR[0]])
    found = later(tables, store)
    assert (found.whole, found.rows, found.resting) == (True, len(POOL), {DAY: len(POOL) - 1})
    tables.session.execute(
        f"UPDATE PHONE_VERDICTS SET verdict = 'CLEAR', reason = '' WHERE lead_date = '{DAY}'"
    )
    assert later(tables, store).different == len([*LISTED, *UNCOVERED])
    tables.session.execute(f"DELETE FROM PHONE_VERDICTS WHERE lead_date = '{DAY}'")
    found = later(tables, store)
    (lost,) = found.lost
    assert (found.reproduced, lost.rows) == (1, len(POOL) - 1)
    assert lost.why.startswith("no verdict on record by then")


@pytest.mark.parametrize("recorded", [[], CLEAR[:1]])
def test_a_day_cannot_rest_on_lists_that_were_replaced(
    tables: Tables, store: DncStore, clock: Clock, recorded: list[int]
) -> None:
    decide(tables, store, clock.now)
    store.opt_out(CLEAR[:1], received=clock.forward(hours=3))
    scrub(tables, store, clock.forward(days=1), recorded=recorded)
    found = later(tables, store)
    assert (found.whole, found.different) == (False, len(POOL) - len(recorded))
    assert {one.why for one in found.differences} == {"the store had internal@1 by then"}


def test_a_day_cannot_rest_on_what_had_run_out_or_another_policy(
    tables: Tables, store: DncStore, clock: Clock
) -> None:
    decide(tables, store, clock.now)
    scrub(tables, store, clock.forward(days=40))
    found = later(tables, store)
    assert {one.phone for one in found.differences} == set(CLEAR)
    assert {one.why for one in found.differences} == {"it had run out when the day was decided"}
    tables.session.execute("UPDATE DNC_FILTERED SET policy_hash = 'another'")
    found = later(tables, store)
    assert found.different == len(POOL)
    assert {one.why for one in found.differences if one.phone in LISTED} == {
        "the day was decided by another policy"
    }
