"""Where decided batches lie until the next checkpoint is due.

Belongs here: when a checkpoint and a report of progress are due. Does not: deciding anything.
"""

import time
from collections.abc import Callable, Sequence

from etl_dagster.ccc.line import Line
from etl_dagster.ccc.records import Checkpoint, ScrubbedBatch, ScrubProgress

_SHORTEST_WAIT = 0.001


class Desk:
    """Collects the batches of one scrub.

    Args:
        total: Phones of the scrub.
        line: Its settings say when something is due; its meter is told of every batch.
        progress: Told how far the scrub is, if anybody wants to know.
    """

    def __init__(
        self, total: int, line: Line, progress: Callable[[ScrubProgress], None] | None
    ) -> None:
        self._total = total
        self._line = line
        self._config = line.config
        self._progress = progress
        self._here: Checkpoint = []
        self._done = 0
        self._flushed_at = self._reported_at = time.monotonic()

    @property
    def holds(self) -> bool:
        """Whether anything lies here."""
        return bool(self._here)

    def put(self, batches: Sequence[ScrubbedBatch]) -> None:
        """Add what is decided."""
        self._here += batches
        self._line.meter.decided(batches)
        self._done += sum(batch.phones.size for batch in batches)
        self.report()

    def due(self) -> bool:
        """Tell whether a checkpoint should be taken now."""
        late = time.monotonic() - self._flushed_at >= self._config.checkpoint_seconds
        return len(self._here) >= self._config.checkpoint_batches or (late and self.holds)

    def checkpoint(self) -> Checkpoint:
        """Hand out all that lies here."""
        taken, self._here = self._here, []
        self._flushed_at = time.monotonic()
        return taken

    def patience(self) -> float:
        """Return how many seconds may pass until something is due."""
        now = time.monotonic()
        due = self._reported_at + self._config.progress_seconds - now
        if self.holds:
            due = min(due, self._flushed_at + self._config.checkpoint_seconds - now)
        return max(due, _SHORTEST_WAIT)

    def report(self) -> None:
        """Report progress if that is due."""
        now = time.monotonic()
        if now - self._reported_at >= self._config.progress_seconds:
            self._reported_at = now
            if self._progress is not None:
                self._progress(ScrubProgress(self._done, self._total, self._line.summary()))
