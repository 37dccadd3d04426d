import pytest

from etl_dagster.progress import ProgressEvent, ProgressLogger


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_told_once_a_second_or_every_five_percent_and_at_the_end() -> None:
    clock, told = Clock(), list[ProgressEvent]()
    log = ProgressLogger("step", told.append, clock=clock)
    for thousandth in range(1, 1001):
        clock.now += 0.01
        log.progress(thousandth / 10, f"{thousandth} of 1000")
    assert 20 <= len(told) <= 31
    assert told[-1].percent == 100
    assert told[0].fields["eta_seconds"] == pytest.approx(9.99, abs=0.02)


def test_facts_and_errors_are_never_held_back() -> None:
    told = list[ProgressEvent]()
    log = ProgressLogger("step", told.append, clock=Clock())
    for number in range(5):
        log.info("fact", number=number)
        log.error("failure")
    assert [event.kind for event in told] == ["info", "error"] * 5
    assert told[2].fields == {"number": 1}


def test_timings_add_up_and_survive_exceptions() -> None:
    clock = Clock()
    log = ProgressLogger("step", clock=clock)
    with log.timed("read"):
        clock.now += 2

    def fail() -> None:
        with log.timed("read"):
            clock.now += 3
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert log.timings == {"read": 5.0}
    assert log.seconds == 5.0


def test_every_sink_is_told() -> None:
    first, second = list[ProgressEvent](), list[ProgressEvent]()
    ProgressLogger("step", first.append, second.append).info("fact")
    assert first == second
    assert len(first) == 1
