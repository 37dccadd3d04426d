"""A table's requests: read again and again, recorded once, never undoing what people decided."""

import json
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from etl_dagster.dnc import DncStore
from etl_dagster.dnc.opt_out_rows import AGAIN, OnRecord, new_requests
from etl_dagster.dnc.requests import OPT_OUT, Request, checksum
from etl_dagster_tests.dnc.support import NOW, Clock, ago, numbers

TABLE = "CRM.OPT_OUTS"
PHONE = 4075550150
OTHER = 4075550151
Row = tuple[int, datetime | None]


def arrays(rows: list[Row]) -> tuple[NDArray[np.int64], NDArray[np.datetime64]]:
    moments = [None if at is None else at.astimezone(UTC).replace(tzinfo=None) for _, at in rows]
    return (
        np.array([phone for phone, _ in rows], np.int64),
        np.array(moments, "datetime64[us]"),
    )


def take(store: DncStore, *rows: Row, table: str = TABLE) -> int:
    return store.opt_out_rows(*arrays(list(rows)), table=table)


def test_rows_are_recorded_once_with_their_source_and_moment(store: DncStore) -> None:
    assert take(store, (PHONE, ago(days=3)), (OTHER, ago(days=1))) == 2
    assert numbers(store, "internal") == {PHONE, OTHER}
    (row,) = store.explain(PHONE).lists[0].requests
    assert (row["source"], row["received"]) == (TABLE, ago(days=3).isoformat())
    version = store.stats()[0].version
    assert take(store, (OTHER, ago(days=1)), (PHONE, ago(days=3))) == 0
    assert store.stats()[0].version == version


def test_a_row_that_comes_late_is_not_missed(store: DncStore) -> None:
    take(store, (PHONE, ago(days=1)))
    assert take(store, (PHONE, ago(days=1)), (OTHER, ago(days=300))) == 1
    assert numbers(store, "internal") == {PHONE, OTHER}


def test_an_old_row_does_not_undo_an_opt_in_and_a_new_one_does(
    store: DncStore, clock: Clock
) -> None:
    take(store, (PHONE, ago(days=3)))
    clock.forward(hours=1)
    store.remove_opt_out([PHONE], reason="asked to be called", by="tests")
    assert take(store, (PHONE, ago(days=3))) == 0
    assert numbers(store, "internal") == set()
    clock.forward(hours=1)
    assert take(store, (PHONE, ago(days=3)), (PHONE, clock.now)) == 1
    assert numbers(store, "internal") == {PHONE}


@pytest.mark.parametrize("moment", [None, datetime(2026, 9, 12, tzinfo=UTC), ago(days=3)])
def test_a_second_row_of_the_same_moment_is_a_second_request(
    store: DncStore, clock: Clock, moment: datetime | None
) -> None:
    row = (PHONE, moment)
    assert take(store, row) == 1
    clock.forward(hours=1)
    store.remove_opt_out([PHONE], reason="asked to be called", by="tests")
    assert take(store, row) == 0
    assert numbers(store, "internal") == set()
    assert take(store, row, row) == 1
    assert numbers(store, "internal") == {PHONE}
    assert take(store, row, row) == take(store, row) == 0


def test_a_row_of_the_day_of_an_opt_in_stands_since_it_may_have_come_after(
    store: DncStore, clock: Clock
) -> None:
    day = NOW.replace(hour=0)
    rows = ((PHONE, day), (OTHER, NOW))
    assert take(store, *rows) == 2
    clock.forward(hours=1)
    store.remove_opt_out([PHONE, OTHER], reason="asked to be called", by="tests")
    assert take(store, *rows) == 1  # the other row says to the second that it came before
    assert numbers(store, "internal") == {PHONE}
    told = store.explain(PHONE).lists[0].requests[-1]
    assert (told["received"], told["note"]) == (day.isoformat(), AGAIN)
    assert take(store, *rows) == 0
    clock.forward(days=1)
    store.remove_opt_out([PHONE], reason="asked to be called", by="tests")
    assert take(store, *rows) == 0
    assert numbers(store, "internal") == set()
    assert take(store, *rows, rows[0]) == 1  # that once more does not count as a second row
    assert numbers(store, "internal") == {PHONE}


def test_rows_without_a_moment_or_dated_ahead_count_from_now_and_once(
    store: DncStore, clock: Clock
) -> None:
    rows = ((PHONE, None), (OTHER, ago(days=-30)))
    assert take(store, *rows) == 2
    clock.forward(hours=1)
    store.remove_opt_out([PHONE, OTHER], reason="asked to be called", by="tests")
    for days in (0, 40):  # and still when that day has come
        clock.forward(days=days)
        assert take(store, *rows) == 0
        assert numbers(store, "internal") == set()
    told = [store.explain(phone).lists[0].requests[0] for phone in (PHONE, OTHER)]
    assert [row["received"] for row in told] == [NOW.isoformat()] * 2


def test_a_request_known_from_a_file_is_not_recorded_twice(store: DncStore) -> None:
    store.opt_out([PHONE], received=ago(days=2), source="letter")
    assert take(store, (PHONE, ago(days=2))) == 0
    assert take(store, (PHONE, None)) == 1  # nobody knows whether it is the same


MOMENTS = st.one_of(st.none(), st.integers(-5, 5).map(lambda day: NOW + timedelta(days=day)))
ROWS = st.lists(st.tuples(st.integers(PHONE, PHONE + 3), MOMENTS), max_size=12)


@given(first=ROWS, second=ROWS)
def test_exactly_the_rows_that_are_not_on_record_are_new(
    first: list[Row], second: list[Row]
) -> None:
    on_record: list[Request] = []
    for rows in (first, second, first, second):
        known = OnRecord.of(on_record, table=TABLE)
        for one in new_requests(known, *arrays(rows), table=TABLE, now=NOW):
            at = int((one.received or NOW).timestamp()) * 1_000_000
            on_record.append(
                Request(0, 1, one.phone, OPT_OUT, at, one.source, one.by, one.note, at)
            )
    assert len(on_record) == (Counter(first) | Counter(second)).total()
    assert {request.phone for request in on_record} == {phone for phone, _ in first + second}


@given(
    row=st.tuples(
        *[st.integers() | st.none() | st.floats()] * 3, st.text(), st.integers(), st.text(),
        st.text() | st.none(), st.text() | st.binary(), st.integers(),
    )
)  # fmt: skip
def test_the_checksum_of_a_row_is_that_of_its_json_and_so_reads_older_stores(row: Any) -> None:
    assert checksum(row) == zlib.crc32(json.dumps(row, default=repr).encode())
