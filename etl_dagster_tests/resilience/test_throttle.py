"""Fewer in flight when the service struggles, more when it is well."""

import threading
import time

import pytest

from etl_dagster.resilience import CancelledError, Stop, Throttle
from etl_dagster_tests.resilience.clock import Clock
from etl_dagster_tests.together import at_once


def test_no_more_than_the_limit_are_in_flight() -> None:
    throttle = Throttle(highest=3)
    stop, lock = Stop(), threading.Lock()
    inside = most = 0

    def call(_: int) -> None:
        nonlocal inside, most
        with throttle.turn(stop):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1

    at_once(call, range(20))
    assert most == 3


def test_a_burst_of_refusals_cuts_once_and_pauses_everybody() -> None:
    clock = Clock()
    throttle = Throttle(highest=16, clock=clock)
    stop = Stop(clock.sleep)
    turns = []
    for _ in range(16):
        with throttle.turn(stop) as left_at:
            turns.append(left_at)
        clock.now += 0.001
    clock.now += 0.05
    assert [throttle.refused(left_at) for left_at in turns] == [True] + [False] * 15
    assert throttle.limit == 8
    with throttle.turn(stop) as left_at:
        assert clock.naps == [pytest.approx(1.0)]
        assert throttle.refused(left_at)
    with throttle.turn(stop):
        assert clock.naps == [pytest.approx(1.0), pytest.approx(2.0)]
    assert throttle.limit == 4


def test_the_pause_is_what_the_service_asks_for() -> None:
    clock = Clock()
    throttle = Throttle(highest=4, clock=clock)
    stop = Stop(clock.sleep)
    with throttle.turn(stop) as first, throttle.turn(stop) as second:
        throttle.refused(first, retry_after=7)
        assert not throttle.refused(second, retry_after=9)
    with throttle.turn(stop):
        assert clock.naps == [pytest.approx(9)]


def test_success_brings_it_back_within_six_round_trips() -> None:
    clock = Clock()
    throttle = Throttle(highest=16, clock=clock)
    for later in (1, 2, 3):
        throttle.refused(clock() + later)
    assert throttle.limit == 2
    rounds = 0
    while throttle.limit < 16:
        for _ in range(throttle.limit):
            throttle.succeeded(0.4)
        rounds += 1
    assert rounds <= 6  # 2.4 s at 0.4 s each


def test_rising_latency_lowers_it_and_falling_latency_raises_it() -> None:
    throttle = Throttle(highest=16)
    for _ in range(50):
        throttle.succeeded(0.4)
    assert throttle.limit == 16
    for _ in range(40):
        throttle.succeeded(2.0)
    low = throttle.limit
    assert low < 12
    for _ in range(60):
        throttle.succeeded(0.4)
    assert throttle.limit == 16


def test_jitter_and_tiny_latencies_are_no_rise() -> None:
    throttle = Throttle(highest=16)
    for number in range(400):
        throttle.succeeded(0.002 if number % 3 else 0.04)
    assert throttle.limit == 16


def test_it_never_falls_below_one() -> None:
    clock = Clock()
    throttle = Throttle(highest=16, clock=clock)
    stop = Stop(clock.sleep)
    for _ in range(10):
        with throttle.turn(stop) as left_at:
            throttle.refused(left_at)
    assert throttle.limit == 1
    assert max(clock.naps) <= 30


def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    clock = Clock()
    throttle = Throttle(highest=1, clock=clock)
    stop = Stop(clock.sleep)
    with throttle.turn(stop) as left_at:
        throttle.refused(left_at, retry_after=100)
    with pytest.raises(TimeoutError), throttle.turn(stop, deadline=clock.now + 50):
        pytest.fail("not waited")


def test_cancelling_ends_the_wait_for_a_place() -> None:
    throttle = Throttle(highest=1)
    stop = Stop()
    threading.Timer(0.05, stop.cancel).start()
    with throttle.turn(Stop()), pytest.raises(CancelledError), throttle.turn(stop):
        pytest.fail("two places")
