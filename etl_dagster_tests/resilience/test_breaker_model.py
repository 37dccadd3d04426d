"""The breaker against the textbook state machine: random calls, times, threads, deaths."""

import contextlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from etl_dagster.resilience import Breaker, BreakerOpenError, SqliteStore

FAILURES, SUCCESSES, RESET, PROBE = 3, 2, 10.0, 4.0


class DownError(Exception):
    """What a failing call raises."""


@dataclass
class Textbook:
    """The state machine of the book (Nygard, "Release It!"), with one probe at a time."""

    state: str = "closed"
    failures: int = 0
    successes: int = 0
    opened_at: float = 0.0
    era: int = 0
    probe: int = 0
    probe_until: float = 0.0
    calls: int = 0

    def begin(self, now: float) -> tuple[int, int] | None:
        """Return the call's era and number, or None if it is refused."""
        if self.state == "open" and now >= self.opened_at + RESET:
            self._enter("half-open", now)
        if self.state == "open" or (
            self.state == "half-open" and self.probe and now < self.probe_until
        ):
            return None
        self.calls += 1
        if self.state == "half-open":
            self.probe, self.probe_until = self.calls, now + PROBE
        return self.era, self.calls

    def end(self, call: tuple[int, int], outcome: str, now: float) -> None:
        if call[0] != self.era or (self.state == "half-open" and self.probe != call[1]):
            return
        self.probe = 0
        if outcome == "ignored":
            return
        if self.state == "closed":
            self.failures = self.failures + 1 if outcome == "failure" else 0
            if self.failures >= FAILURES:
                self._enter("open", now)
        elif outcome == "failure":
            self._enter("open", now)
        else:
            self.successes += 1
            if self.successes >= SUCCESSES:
                self._enter("closed", now)

    def _enter(self, state: str, now: float) -> None:
        self.state, self.era = state, self.era + 1
        self.failures = self.successes = self.probe = 0
        if state == "open":
            self.opened_at = now


class BreakerMachine(RuleBasedStateMachine):
    calls = Bundle("calls")
    outcomes = st.sampled_from(["success", "failure", "failure", "ignored"])

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = 1_000_000.0
        self.model = Textbook()
        self.under_way: list[Any] = []
        self.breakers = [
            Breaker(
                name="x",
                failures=FAILURES,
                successes=SUCCESSES,
                reset_seconds=RESET,
                probe_seconds=PROBE,
                store=SqliteStore(self.folder / "state.sqlite", name="x", fresh_seconds=0),
                clock=lambda: self.now,
            )
            for _ in range(2)  # as two processes of one host
        ]

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for attempt in self.under_way:
                self.leave(attempt, KeyboardInterrupt())
            for breaker in self.breakers:
                breaker.close()
            shutil.rmtree(self.folder)

    @rule(target=calls, which=st.integers(0, 1))
    def begin(self, which: int):  # type: ignore[no-untyped-def] # noqa: ANN201
        expected = self.model.begin(self.now)
        attempt = self.breakers[which].attempt()
        try:
            attempt.__enter__()
        except BreakerOpenError:
            assert expected is None
            return multiple()
        assert expected is not None
        self.under_way.append(attempt)
        return attempt, expected

    @rule(call=consumes(calls), outcome=outcomes)
    def end(self, call, outcome: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        attempt, number = call
        self.model.end(number, outcome, self.now)
        self.under_way.remove(attempt)
        self.leave(attempt, {"failure": DownError(), "ignored": KeyboardInterrupt()}.get(outcome))

    def leave(self, attempt: Any, error: BaseException | None) -> None:
        with contextlib.suppress(DownError, KeyboardInterrupt):
            attempt.__exit__(error and type(error), error, None)

    @rule(seconds=st.sampled_from([0.5, PROBE, RESET, 2 * RESET]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(outcome=st.sampled_from(["success", "failure"]), threads=st.integers(2, 8))
    def burst(self, outcome: str, threads: int) -> None:
        """All threads call at once, both processes; the order of equal outcomes is all one."""
        granted = 0

        def call(number: int) -> bool:
            try:
                with self.breakers[number % 2].attempt():
                    if outcome == "failure":
                        raise DownError  # noqa: TRY301 - it stands for the call's
            except BreakerOpenError:
                return False
            except DownError:
                return True
            return True

        was = self.model.state
        with ThreadPoolExecutor(threads) as pool:
            granted = sum(pool.map(call, range(threads)))
        begun = [self.model.begin(self.now) for _ in range(1)]
        if was == "closed":
            # Calls that overlap the opening are granted, and their outcomes then say nothing.
            assert granted >= min(threads, FAILURES - self.model.failures)
            for _ in range(threads):
                call_number = begun.pop() if begun else self.model.begin(self.now)
                if call_number is not None:
                    self.model.end(call_number, outcome, self.now)
        elif begun[0] is None:
            assert granted == 0
        else:
            # One at a time: each of the granted was a probe while no other ran.
            assert granted >= 1
            self.model.end(begun[0], outcome, self.now)
            for _ in range(granted - 1):
                call_number = self.model.begin(self.now)
                assert call_number is not None
                self.model.end(call_number, outcome, self.now)
            self.probe_to_the_end()

    def probe_to_the_end(self) -> None:
        """How many threads found no other's probe is chance, which must not decide what follows."""
        while self.model.state == "half-open":
            with self.breakers[0].attempt():
                call_number = self.model.begin(self.now)
            assert call_number is not None
            self.model.end(call_number, "success", self.now)

    @invariant()
    def same_state(self) -> None:
        if hasattr(self, "breakers"):
            assert {breaker.state for breaker in self.breakers} == {self.model.state}


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
