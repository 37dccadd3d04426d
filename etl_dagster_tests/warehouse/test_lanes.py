"""Several chunks at once: in order, none after a failure, nothing left running."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.execution import Session
from etl_dagster.warehouse.lanes import in_lanes
from etl_dagster.warehouse.session import Warehouse
from etl_dagster_tests.sandbox.test_snowflake import LONG

A_WHILE = 10.0


class WrongError(Exception):
    """What a test's work raises."""


def test_lanes_work_at_the_same_time_each_in_a_session_of_its_own(warehouse: Warehouse) -> None:
    both = threading.Barrier(2, timeout=A_WHILE)

    def work(session: Session, number: int) -> int:
        session.execute("CREATE OR REPLACE TEMPORARY TABLE MINE AS SELECT %s AS n", [number])
        both.wait()
        return int(session.scalar("SELECT n FROM MINE"))

    with in_lanes(warehouse, range(4), work, lanes=2) as done:
        found = list(done)
    assert found == [(number, number) for number in range(4)]


@examples(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fails=st.lists(st.booleans(), max_size=7),
    pauses=st.lists(st.sampled_from([0.0, 0.001, 0.004]), min_size=7, max_size=7),
    lanes=st.integers(1, 4),
)
def test_results_come_in_order_and_then_the_first_failure(
    warehouse: Warehouse, fails: Sequence[bool], pauses: Sequence[float], lanes: int
) -> None:
    begun: list[int] = []

    def work(_session: Session, number: int) -> int:
        begun.append(number)
        time.sleep(pauses[number])
        if fails[number]:
            raise WrongError(number)
        return number * 10

    found, raised = [], None
    try:
        with in_lanes(warehouse, range(len(fails)), work, lanes=lanes) as done:
            for item, result in done:
                assert result == item * 10
                found.append(item)
    except WrongError as error:
        raised = error.args[0]
    assert (raised is None) == (True not in fails)
    assert raised is None or fails[raised]
    assert found == [number for number in sorted(begun) if not fails[number]]
    assert raised is not None or len(found) == len(fails)
    assert not any(fails[number] for number in found)
    if lanes == 1 and raised is not None:
        assert begun == list(range(raised + 1))
        assert found == list(range(raised))


@pytest.mark.parametrize("error", [KeyboardInterrupt, WrongError])
def test_an_interruption_cancels_and_rolls_back_every_lane(
    warehouse: Warehouse, error: type[BaseException]
) -> None:
    with warehouse.session() as session:
        session.execute("CREATE OR REPLACE TABLE LANES (n NUMBER(10, 0))")
    begun = threading.Barrier(3, timeout=A_WHILE)
    ended: list[BaseException] = []

    def work(session: Session, number: int) -> None:
        try:
            with session.transaction():
                session.execute("INSERT INTO LANES VALUES (%s)", [number])
                begun.wait()
                session.scalar(LONG)
        except WarehouseError as stopped:
            ended.append(stopped)
            raise

    started = time.monotonic()
    with pytest.raises(error), in_lanes(warehouse, range(5), work, lanes=2):  # noqa: PT012
        begun.wait()
        raise error
    assert time.monotonic() - started < A_WHILE
    assert len(ended) == 2
    with warehouse.session() as session:
        assert session.scalar("SELECT COUNT(*) FROM LANES") == 0


def test_what_was_done_beside_a_failure_is_given_before_it(warehouse: Warehouse) -> None:
    both = threading.Barrier(2, timeout=A_WHILE)

    def work(_session: Session, number: int) -> int:
        both.wait()
        if number == 0:
            raise WrongError
        time.sleep(0.2)
        return number

    found = []
    with pytest.raises(WrongError), in_lanes(warehouse, range(2), work, lanes=2) as done:  # noqa: PT012
        for each in done:
            found.append(each)  # noqa: PERF402  what came before the failure is kept
    assert found == [(1, 1)]


def test_as_many_lanes_as_there_may_be_beside_the_sessions_of_a_step(warehouse: Warehouse) -> None:
    (most,) = (one.le for one in Settings.model_fields["lanes"].metadata if hasattr(one, "le"))
    all_of_them = threading.Barrier(most, timeout=A_WHILE)
    with (
        warehouse.session(),
        warehouse.session(),
        in_lanes(warehouse, range(most), lambda *_: all_of_them.wait(), lanes=most) as done,
    ):
        assert len(list(done)) == most


def test_a_stopped_session_runs_nothing_more(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.stop()
        with pytest.raises(WarehouseError, match="the run is ending"):
            session.scalar("SELECT 1")
    with warehouse.session() as session:
        assert session.scalar("SELECT 1") == 1
