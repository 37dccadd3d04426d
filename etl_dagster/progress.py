"""Progress and timings of a step, told at a bearable rate.

Belongs here: what is said and how often. Does not: where it goes, which the sink decides
(`defs/` makes it Dagster events, the command line a progress display).
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

MIN_SECONDS: Final = 1.0
MIN_PERCENT: Final = 5.0
"""So long, or so much further, after one progress event the next one is told."""


@dataclass(frozen=True)
class ProgressEvent:
    """One thing to tell.

    Attributes:
        kind: what it is; only `progress` is ever held back.
        step: the step it is about, such as `ccc_enriched`.
        message: a sentence without personal data.
        percent: 0 to 100 where known.
        fields: numbers that go with it (rows, rate, workers, breaker state...).
    """

    kind: Literal["info", "progress", "error"]
    step: str
    message: str
    percent: float | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


Sink = Callable[[ProgressEvent], None]


class ProgressLogger:
    """Tells a step's progress to sinks: at most one progress event a second or per 5 percent."""

    def __init__(
        self, step: str, *sinks: Sink, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the step's clock.

        Args:
            step: name of the step.
            sinks: who is told, in order.
            clock: seconds, monotonic.
        """
        self.step = step
        self.timings: dict[str, float] = {}
        self._timing = threading.Lock()
        self._sinks = sinks
        self._clock = clock
        self._started = clock()
        self._told_at = float("-inf")
        self._told_percent = float("-inf")

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return self._clock() - self._started

    def info(self, message: str, **fields: object) -> None:
        """Tell a fact."""
        self._tell(ProgressEvent("info", self.step, message, None, fields))

    def error(self, message: str, **fields: object) -> None:
        """Tell a failure."""
        self._tell(ProgressEvent("error", self.step, message, None, fields))

    def progress(self, percent: float, message: str, **fields: object) -> None:
        """Tell how far the step is, with the time it should still take, unless just told.

        Args:
            percent: 0 to 100; the end (100) is always told.
            message: what was done, such as `3,000 of 12,000 phones`.
            fields: numbers that go with it.
        """
        now = self._clock()
        due = (
            percent >= 100  # noqa: PLR2004  percent
            or now - self._told_at >= MIN_SECONDS
            or percent - self._told_percent >= MIN_PERCENT
        )
        if not due:
            return
        self._told_at, self._told_percent = now, percent
        elapsed = now - self._started
        if 0 < percent < 100:  # noqa: PLR2004  percent
            fields["eta_seconds"] = round(elapsed * (100 - percent) / percent, 1)
        self._tell(ProgressEvent("progress", self.step, message, percent, fields))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the body's seconds to `timings[name]`, also when it raises.

        Seconds of several threads add up, so that they may be more than have passed.
        """
        started = self._clock()
        try:
            yield
        finally:
            with self._timing:
                self.timings[name] = self.timings.get(name, 0.0) + self._clock() - started

    def _tell(self, event: ProgressEvent) -> None:
        for sink in self._sinks:
            sink(event)
