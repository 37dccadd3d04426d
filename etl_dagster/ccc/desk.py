"""Where decided batches lie until the next checkpoint is due.

Belongs here: when a checkpoint and a report of progress are due. Does not: deciding anything.
"""

import time
from collections.abc import Callable, Sequence

from etl_dagster.ccc.records import Checkpoint, ScrubbedBatch

_SHORTEST_WAIT = 0.001


class Desk:
    """Collects the batches of one scrub.

    Args:
        total: Phones of the scrub.
        batches: A checkpoint is due when so many are here,
        seconds: or so long after the last one.
        decided: Told of every batch.
        report: Told how many phones are decided, at most every ``report_seconds``.
        report_seconds: See ``report``.
    """

    def __init__(  # noqa: PLR0913 - each is a policy of its own, all keyword-only
        self,
        *,
        total: int,
        batches: int,
        seconds: float,
        decided: Callable[[Sequence[ScrubbedBatch]], None],
        report: Callable[[int], None],
        report_seconds: float,
    ) -> None:
        self._total = total
        self._most = batches
        self._seconds = seconds
        self._decided = decided
        self._report = report
        self._report_seconds = report_seconds
        self._here: list[ScrubbedBatch] = []
        self._done = 0
        self._flushed_at = self._reported_at = time.monotonic()

    @property
    def holds(self) -> bool:
        """Whether anything lies here."""
        return bool(self._here)

    def put(self, batches: Sequence[ScrubbedBatch]) -> None:
        """Add what is decided."""
        self._here += batches
        self._decided(batches)
        self._done += sum(batch.phones.size for batch in batches)
        self.report()

    def due(self) -> bool:
        """Tell whether a checkpoint should be taken now."""
        late = time.monotonic() - self._flushed_at >= self._seconds
        return len(self._here) >= self._most or (late and self.holds)

    def checkpoint(self) -> Checkpoint:
        """Hand out all that lies here."""
        taken, self._here = tuple(self._here), []
        self._flushed_at = time.monotonic()
        return Checkpoint(batches=taken, done=self._done, total=self._total)

    def patience(self) -> float:
        """Return how many seconds may pass until something is due."""
        now = time.monotonic()
        due = self._reported_at + self._report_seconds - now
        if self.holds:
            due = min(due, self._flushed_at + self._seconds - now)
        return max(due, _SHORTEST_WAIT)

    def report(self) -> None:
        """Report progress if that is due."""
        now = time.monotonic()
        if now - self._reported_at >= self._report_seconds:
            self._reported_at = now
            self._report(self._done)
