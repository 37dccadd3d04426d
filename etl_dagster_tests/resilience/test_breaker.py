"""The breaker under real threads, real files, and its cost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etl_dagster.resilience import Breaker, BreakerOpenError, Outcome, SqliteStore
from etl_dagster_tests.resilience.clock import Clock
from etl_dagster_tests.together import at_once


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state.sqlite", name="x", fresh_seconds=0)


def fail(breaker: Breaker) -> None:
    with pytest.raises(OSError, match="down"), breaker.attempt():
        raise OSError("down")


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


def test_five_failures_open_sixty_seconds_later_two_successes_close(store: SqliteStore) -> None:
    clock = Clock()
    breaker = Breaker(name="x", store=store, clock=clock)
    for _ in range(4):
        fail(breaker)
    succeed(breaker)
    for _ in range(5):
        assert breaker.state == "closed"
        fail(breaker)
    assert breaker.state == "open"
    clock.now += 59.9
    with pytest.raises(BreakerOpenError, match="open") as caught:
        succeed(breaker)
    assert not caught.value.probing
    clock.now += 0.2
    succeed(breaker)
    assert breaker.state == "half-open"
    succeed(breaker)
    assert breaker.state == "closed"


def test_a_failed_probe_opens_for_the_full_time_again(store: SqliteStore) -> None:
    clock = Clock()
    breaker = Breaker(name="x", store=store, failures=1, reset_seconds=10, clock=clock)
    fail(breaker)
    clock.now += 10
    succeed(breaker)
    fail(breaker)
    clock.now += 9
    with pytest.raises(BreakerOpenError):
        succeed(breaker)
    clock.now += 1
    succeed(breaker)
    assert breaker.state == "half-open"


def test_a_clock_that_is_set_back_keeps_no_circuit_open(store: SqliteStore) -> None:
    clock = Clock()
    breaker = Breaker(name="x", store=store, failures=1, reset_seconds=60, clock=clock)
    fail(breaker)
    clock.now -= 30  # hosts' clocks differ: nobody probes too early for that
    with pytest.raises(BreakerOpenError):
        succeed(breaker)
    clock.now -= 3600
    died = breaker.attempt()
    died.__enter__()
    clock.now -= 3600
    succeed(breaker)
    succeed(breaker)
    assert breaker.state == "closed"


def test_calls_run_at_the_same_time(store: SqliteStore) -> None:
    breaker = Breaker(name="x", store=store)
    barrier = threading.Barrier(16, timeout=5)

    def call(_: int) -> None:
        with breaker.attempt():
            barrier.wait()  # breaks unless all sixteen are inside together

    at_once(call, range(16))


def test_half_open_lets_exactly_one_of_many_threads_through(tmp_path: Path) -> None:
    clock = Clock()
    path = tmp_path / "state.sqlite"
    breakers = [
        Breaker(
            name="x", failures=1, clock=clock, store=SqliteStore(path, name="x", fresh_seconds=0)
        )
        for _ in range(2)
    ]
    fail(breakers[0])
    clock.now += 60
    barrier = threading.Barrier(12)
    release = threading.Event()

    def call(number: int) -> str:
        barrier.wait()
        try:
            with breakers[number % 2].attempt():
                release.wait(5)
                return "probed"
        except BreakerOpenError as error:
            return f"refused, probing {error.probing}"
        finally:
            refused.release()

    refused = threading.Semaphore(0)
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(call, number) for number in range(12)]
        for _ in range(11):
            assert refused.acquire(timeout=5)
        release.set()
        results = sorted(future.result() for future in futures)
    assert results == ["probed"] + ["refused, probing True"] * 11


def test_outcomes_of_calls_begun_before_it_opened_are_no_probes(store: SqliteStore) -> None:
    clock = Clock()
    breaker = Breaker(name="x", store=store, failures=1, reset_seconds=10, clock=clock)
    early = breaker.attempt()
    early.__enter__()
    fail(breaker)
    clock.now += 10
    early.__exit__(None, None, None)
    assert breaker.state == "open"
    succeed(breaker)
    assert breaker.state == "half-open"


def test_an_ignored_outcome_frees_the_probe_and_decides_nothing(store: SqliteStore) -> None:
    clock = Clock()
    breaker = Breaker(name="x", store=store, failures=1, successes=1, reset_seconds=10, clock=clock)
    fail(breaker)
    clock.now += 10
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    assert breaker.state == "half-open"
    succeed(breaker)
    assert breaker.state == "closed"


def test_one_function_says_which_errors_count(store: SqliteStore) -> None:
    def judge(error: BaseException | None) -> Outcome:
        return Outcome.IGNORED if isinstance(error, ValueError) else Outcome.FAILURE

    breaker = Breaker(name="x", store=store, failures=1, judge=judge)
    with pytest.raises(ValueError, match="fine"), breaker.attempt():
        raise ValueError("fine")
    assert breaker.state == "closed"
    succeed(breaker)  # by this judge, that is a failure
    assert breaker.state == "open"


def test_changes_are_told_to_all_who_share_the_file(tmp_path: Path) -> None:
    clock = Clock()
    told: list[tuple[int, str, str]] = []

    def make(number: int) -> Breaker:
        store = SqliteStore(tmp_path / "s.sqlite", name="x", fresh_seconds=0)
        return Breaker(
            name="x", failures=1, successes=1, store=store, clock=clock,
            on_change=lambda old, new: told.append((number, old, new)),
        )  # fmt: skip

    one, two = make(1), make(2)
    fail(one)
    with pytest.raises(BreakerOpenError):
        two.check()
    clock.now += 60
    succeed(two)
    one.check()
    assert told == [
        (1, "closed", "open"),
        (2, "closed", "open"),
        (2, "open", "half-open"),
        (2, "half-open", "closed"),
        (1, "open", "closed"),
    ]


def test_state_outlives_its_process(tmp_path: Path) -> None:
    first = Breaker(name="x", failures=1, store=SqliteStore(tmp_path / "s.sqlite", name="x"))
    fail(first)
    first.close()
    second = Breaker(name="x", store=SqliteStore(tmp_path / "s.sqlite", name="x"))
    with pytest.raises(BreakerOpenError):
        second.check()
    other = Breaker(name="y", store=SqliteStore(tmp_path / "s.sqlite", name="y"))
    other.check()


def test_a_closed_circuit_costs_next_to_nothing(tmp_path: Path) -> None:
    breaker = Breaker(name="x", store=SqliteStore(tmp_path / "s.sqlite", name="x"))
    started = time.perf_counter()
    for _ in range(1_000):
        succeed(breaker)
    assert time.perf_counter() - started < 0.5
