"""Do-Not-Call verdicts in the ledger, decided again by the store as it was."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.defs.lookup_rows import ledger_batch
from etl_dagster.dnc import DncStore
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.rescrub import KEPT, Rescrub, rescrub
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
    (lost,) = again(tables, store, policy="another").lost
    assert "decided under another policy" in lost.why
    assert lost.rows == len(POOL)

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
