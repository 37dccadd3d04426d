"""No window sees more requests than allowed, over threads and processes."""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.resilience import (
    CancelledError,
    OutOfTimeError,
    RequestLimiter,
    Stop,
    host_bucket,
)
from etl_dagster_tests.resilience.clock import Clock
from etl_dagster_tests.together import at_once


def most_in_any(window: float, times: list[float]) -> int:
    times = sorted(times)
    return max((sum(t <= u < t + window for u in times) for t in times), default=0)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(limit=st.integers(1, 30), gaps=st.lists(st.floats(0, 20), max_size=60), data=st.data())
def test_no_window_has_more_than_the_limit(
    tmp_path: Path, limit: int, gaps: list[float], data: st.DataObject
) -> None:
    name = str(data.draw(st.uuids()))
    own = Clock()
    limiters = [
        RequestLimiter(host_bucket(tmp_path / "s.sqlite", name=name, per_minute=limit), clock=own)
        for _ in range(2)
    ]
    times = []
    for number, gap in enumerate(gaps):
        own.now += gap
        limiters[number % 2].acquire(sleep=own.sleep)
        times.append(own.now)
    for limiter in limiters:
        limiter.close()
    assert most_in_any(60.0, times) <= limit


def test_where_many_are_allowed_permits_are_taken_in_stock(tmp_path: Path) -> None:
    own = Clock()
    bucket = host_bucket(tmp_path / "s.sqlite", name="x", per_minute=12_000)
    limiter = RequestLimiter(bucket, clock=own)
    times = []
    while own.now < 1_000_100:
        limiter.acquire(sleep=own.sleep)
        times.append(own.now)
        own.now += 0.0025
    # Twice as many were wanted; in a minute none too many and hardly one too few.
    counted = sum(1_000_030 <= t < 1_000_090 for t in times)
    assert 11_000 <= counted <= 12_000
    assert bucket.count() <= 14_000


def test_waiting_takes_as_long_as_needed_and_no_longer(tmp_path: Path) -> None:
    own = Clock()
    bucket = host_bucket(tmp_path / "s.sqlite", name="x", per_minute=3)
    limiter = RequestLimiter(bucket, clock=own)
    for _ in range(4):
        limiter.acquire(sleep=own.sleep)
    assert own.now == pytest.approx(1_000_060.5, abs=0.1)


def test_a_wait_beyond_the_deadline_is_refused_at_once(tmp_path: Path) -> None:
    own = Clock()
    bucket = host_bucket(tmp_path / "s.sqlite", name="x", per_minute=1)
    limiter = RequestLimiter(bucket, clock=own)
    limiter.acquire(sleep=own.sleep)
    with pytest.raises(OutOfTimeError, match="deadline"):
        limiter.acquire(sleep=own.sleep, deadline=own.now + 30)
    assert own.now == 1_000_000.0


def test_a_cancelled_wait_takes_no_room(tmp_path: Path) -> None:
    bucket = host_bucket(tmp_path / "s.sqlite", name="x", per_minute=2)
    limiter = RequestLimiter(bucket)
    limiter.acquire()
    limiter.acquire()
    stop = Stop()
    threading.Timer(0.05, stop.cancel).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        limiter.acquire(sleep=stop.sleep)
    assert time.monotonic() - started < 0.5
    assert bucket.count() == 2


def test_a_clock_that_was_set_back_does_not_block_for_ever(tmp_path: Path) -> None:
    own = Clock()
    bucket = host_bucket(tmp_path / "s.sqlite", name="x", per_minute=2)
    limiter = RequestLimiter(bucket, clock=own)
    limiter.acquire(sleep=own.sleep)
    limiter.acquire(sleep=own.sleep)
    own.now -= 86_400
    limiter.acquire(sleep=own.sleep)
    assert own.now < 1_000_000 - 86_400 + 120


def _hammer(path: str, queue: "multiprocessing.Queue[list[float]]") -> None:
    limiter = RequestLimiter(host_bucket(Path(path), name="x", per_minute=50, minute_seconds=1.0))
    times: list[float] = []
    lock = threading.Lock()
    until = time.time() + 1.5

    def work(_: int) -> None:
        while time.time() < until:
            try:
                limiter.acquire(deadline=until)
            except OutOfTimeError:
                return
            with lock:
                times.append(time.time())

    at_once(work, range(4))
    queue.put(times)


def test_threads_and_processes_share_one_limit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[float]] = context.Queue()
    processes = [
        context.Process(target=_hammer, args=(str(tmp_path / "s.sqlite"), queue)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    times = [t for _ in processes for t in queue.get(timeout=30)]
    for process in processes:
        process.join()
    assert len(times) >= 80
    assert most_in_any(0.7, times) <= 50
