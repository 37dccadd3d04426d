"""A host whose clock is wrong does nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from etl_dagster.warehouse.clock import MOST, need_clock
from etl_dagster.warehouse.errors import ClockError
from etl_dagster.warehouse.session import Warehouse


def test_a_host_of_the_right_time_may_work(tables_warehouse: Warehouse) -> None:
    with tables_warehouse.session() as session:
        need_clock(session)


@pytest.mark.parametrize(
    ("apart", "says"),
    [(timedelta(hours=1), "3,600 seconds ahead of"), (timedelta(hours=-1), "3,600 seconds behind")],
)
def test_a_host_of_another_time_is_refused(
    tables_warehouse: Warehouse, apart: timedelta, says: str
) -> None:
    with (
        tables_warehouse.session() as session,
        pytest.raises(ClockError, match=f"{says} Snowflake's, and may be 5: have it set by NTP"),
    ):
        need_clock(session, now=lambda: datetime.now(UTC) + apart)


def test_a_slow_answer_is_no_wrong_clock(tables_warehouse: Warehouse) -> None:
    moments = iter([datetime.now(UTC) - 2 * MOST, datetime.now(UTC) + 2 * MOST])
    with tables_warehouse.session() as session:
        need_clock(session, now=lambda: next(moments))
