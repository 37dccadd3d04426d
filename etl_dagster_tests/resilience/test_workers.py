"""How many workers, and the pool: all items, bounded, cancellable."""

import itertools
import math
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.resilience import (
    CancelledError,
    ExhaustedError,
    NothingYetError,
    Stop,
    WorkerPool,
    calculate_workers,
)


def all_of(pool: WorkerPool[int, int]) -> list[int]:
    results: list[int] = []
    with suppress(ExhaustedError):
        while True:
            results.append(pool.take(5))
    return results


@pytest.mark.parametrize(
    ("workload", "expected"), [(0, 2), (1, 2), (1_000, 2), (2_000, 3), (5_500, 9), (10**6, 16)]
)
def test_calculate_workers(workload: int, expected: int) -> None:
    assert calculate_workers(workload, 1_000) == expected


@given(
    workload=st.integers(0, 10**7),
    batch=st.integers(1, 10_000),
    least=st.integers(1, 8),
    more=st.integers(0, 32),
    share=st.floats(0.01, 10),
)
def test_calculate_workers_is_the_formula(
    workload: int, batch: int, least: int, more: int, share: float
) -> None:
    wanted = int(math.ceil(workload / batch) * share)
    workers = calculate_workers(workload, batch, least, least + more, share)
    assert workers == min(max(wanted, least), least + more)


@given(
    items=st.lists(st.integers(), max_size=40),
    workers=st.integers(1, 5),
    ahead=st.integers(1, 10),
)
def test_every_item_is_worked_once(items: list[int], workers: int, ahead: int) -> None:
    pool = WorkerPool(lambda x: x * 2, items, workers=workers, ahead=ahead, stop=Stop())
    with pool:
        results = all_of(pool)
    assert sorted(results) == sorted(item * 2 for item in items)


def test_items_are_pulled_only_as_room_allows() -> None:
    pulled = 0

    def endless() -> Iterator[int]:
        nonlocal pulled
        for number in itertools.count():
            pulled = number + 1
            yield number

    with WorkerPool(lambda x: x, endless(), workers=3, ahead=5, stop=Stop()) as pool:
        time.sleep(0.1)
        assert pulled <= 5
        assert len({pool.take(5) for _ in range(10)}) == 10
        time.sleep(0.1)
        assert pulled <= 15
    pool.join(2)


@pytest.mark.parametrize("where", ["function", "items"])
@pytest.mark.parametrize("kind", [OSError, TimeoutError, queue.Empty])
def test_an_error_reaches_the_consumer_as_it_is(where: str, kind: type[Exception]) -> None:
    error = kind("broken")

    def items() -> Iterator[int]:
        yield from range(5)
        if where == "items":
            raise error

    def work(number: int) -> int:
        if where == "function" and number == 3:
            raise error
        return number

    pool = WorkerPool(work, items(), workers=2, ahead=4, stop=Stop())
    with pytest.raises(kind, match="broken") as caught, pool:
        all_of(pool)
    assert caught.value is error


def test_join_gives_what_was_done_and_not_taken() -> None:
    with WorkerPool(lambda x: x, range(6), workers=2, ahead=6, stop=Stop()) as pool:
        time.sleep(0.1)
        taken = [pool.take(5)]
        assert sorted(taken + pool.join(1)) == list(range(6))


def test_cancelling_ends_sleeping_workers_at_once() -> None:
    stop = Stop()
    pool = WorkerPool(lambda _: stop.sleep(60), range(100), workers=4, ahead=8, stop=stop)
    started = time.monotonic()
    with pool:
        time.sleep(0.05)
    pool.join(5)
    assert time.monotonic() - started < 0.5
    assert threading.active_count() < 20


def test_a_worker_that_hangs_does_not_keep_anybody() -> None:
    release = threading.Event()
    stop = Stop()
    started = time.monotonic()
    with WorkerPool(lambda _: release.wait(5), range(2), workers=2, ahead=2, stop=stop) as pool:
        pass
    assert pool.join(0.1) == []
    assert time.monotonic() - started < 1
    release.set()


def test_take_times_out_and_ends() -> None:
    release = threading.Event()
    with WorkerPool(lambda _: release.wait(5), range(1), workers=1, ahead=1, stop=Stop()) as pool:
        with pytest.raises(NothingYetError):
            pool.take(0.02)
        release.set()
        assert pool.take(5) is True
        with pytest.raises(ExhaustedError):
            pool.take(5)


def test_stop_with_an_injected_sleep() -> None:
    naps: list[float] = []
    stop = Stop(naps.append)
    stop.sleep(3)
    stop.cancel()
    assert stop.cancelled
    with pytest.raises(CancelledError):
        stop.sleep(4)
    assert naps == [3]
