"""How many calls are in flight: fewer when the service struggles, more again when it is well.

Belongs here: the number and the pauses. Does not: threads
(:mod:`~etl_dagster.resilience.workers`), requests a minute
(:mod:`~etl_dagster.resilience.limiter`). The rule is TCP's, additive increase and multiplicative
decrease: a refusal ("too many requests") halves the number and pauses everybody, rising latency
takes a fifth, each success gives a part of it back.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from etl_dagster.resilience.retry import OutOfTimeError
from etl_dagster.resilience.workers import Stop

REFUSED_CUT: Final = 0.5
RISING_CUT: Final = 0.8
GROWTH: Final = 0.5
"""Added per success: the number grows by half per round trip, from 2 to 16 in six of them."""
RISING_RATIO: Final = 2.0
RISING_SLACK: Final = 0.05
"""Latency rises when its average exceeds ratio * (the usual) + slack seconds."""

_SMOOTHING: Final = 0.2
_DRIFT: Final = 0.01  # what is usual falls quickly and rises slowly
_NAP: Final = 0.1


class Throttle:
    """Bounds the calls in flight.

    Args:
        highest: So many at first, and never more.
        base_pause: Seconds to pause after a refusal that does not say how long; doubled for each
            refusal in a row.
        max_pause: No doubling beyond.
        clock: Seconds.
    """

    def __init__(
        self,
        *,
        highest: int,
        base_pause: float = 1.0,
        max_pause: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limit = float(highest)
        self._highest = highest
        self._base_pause = base_pause
        self._max_pause = max_pause
        self._clock = clock
        self._changed = threading.Condition()
        self._in_flight = 0
        self._resume_at = float("-inf")
        self._refused_at = float("-inf")
        self._refusals = 0
        self._usual = 0.0
        self._recent = 0.0
        self._since_cut = 0

    @property
    def limit(self) -> int:
        """How many may be in flight now."""
        return int(self._limit)

    @contextlib.contextmanager
    def turn(self, stop: Stop, *, deadline: float = float("inf")) -> Iterator[float]:
        """Wait for a place, and hold it in the body, which is told when its call leaves.

        Raises:
            OutOfTimeError: The pause ends after ``deadline``.
            CancelledError: ``stop`` was cancelled.
        """
        self._wait(stop, deadline)
        try:
            yield self._clock()
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def succeeded(self, latency: float | None = None) -> None:
        """Hear of an answer.

        Args:
            latency: Seconds that it took; None for a call whose size is not the usual one.
        """
        with self._changed:
            self._refusals = 0
            self._since_cut += 1
            if latency is not None:
                self._note(latency)
            if self._recent <= RISING_RATIO * self._usual + RISING_SLACK:
                self._limit = min(self._limit + GROWTH, self._highest)
            elif self._since_cut >= self._limit:  # once per round trip
                self._cut(RISING_CUT)
            self._changed.notify()

    def refused(self, left_at: float, *, retry_after: float | None = None) -> bool:
        """Hear that the service asked for fewer calls.

        Args:
            left_at: When the refused call left, by this clock.
            retry_after: Seconds that the service wants to be left alone.

        Returns:
            Whether this is news. It is not for calls that left before the last refusal was heard:
            slowing down could not yet help them, so they neither cut again nor count as failures.
        """
        with self._changed:
            now = self._clock()
            news = left_at > self._refused_at
            if news:
                self._cut(REFUSED_CUT)
                pause = min(self._base_pause * 2**self._refusals, self._max_pause)
                self._refusals += 1
                self._refused_at = now
                self._resume_at = max(self._resume_at, now + (retry_after or pause))
            elif retry_after is not None:
                self._resume_at = max(self._resume_at, now + retry_after)
            return news

    def _note(self, latency: float) -> None:
        if self._usual == 0:
            self._usual = self._recent = latency
        self._recent += _SMOOTHING * (latency - self._recent)
        weight = _SMOOTHING if latency < self._usual else _DRIFT
        self._usual += weight * (latency - self._usual)

    def _cut(self, factor: float) -> None:
        self._limit = max(self._limit * factor, 1.0)
        self._since_cut = 0

    def _wait(self, stop: Stop, deadline: float) -> None:
        while True:
            stop.check()
            with self._changed:
                pause = self._resume_at - self._clock()
                if pause <= 0:
                    if self._in_flight < int(self._limit):
                        self._in_flight += 1
                        return
                    self._changed.wait(_NAP)
                    continue
            if self._clock() + pause > deadline:
                raise OutOfTimeError(f"the service wants to be left alone for {pause:.0f} s more")
            stop.sleep(pause)
