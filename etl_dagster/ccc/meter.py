"""Counts what a scrubber does; threads may tell it things at once.

Belongs here: counters and their snapshot. Does not: any policy.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np

from etl_dagster.ccc.records import ScrubbedBatch, ScrubSummary
from etl_dagster.leads.verdicts import Verdict

Count = Literal["requests", "retries", "rate_limited", "bisects", "breaker_openings"]
"""What is counted, by its name in the summary."""
_LATENCIES_KEPT = 10_000


class Meter:
    """The counters of one scrubber."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._counts: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter({verdict.name: 0 for verdict in Verdict})
        self._seconds = 0.0
        self._since: float | None = None
        self._degraded = False

    def count(self, what: Count) -> None:
        """It has happened once more."""
        with self._lock:
            self._counts[what] += 1

    def answered(self, latency: float) -> None:
        """An intact answer took so many seconds."""
        with self._lock:
            self._latencies.append(latency)

    def degrade(self) -> None:
        """The service is away: phones stay undecided that a later run can decide."""
        self._degraded = True

    def decided(self, batches: Sequence[ScrubbedBatch]) -> None:
        """Phones have their verdicts."""
        with self._lock:
            for batch in batches:
                counts = np.bincount(batch.verdicts, minlength=len(Verdict)).tolist()
                for verdict in Verdict:
                    self._verdicts[verdict.name] += counts[verdict]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure the time of the body as time spent scrubbing."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - self._since
            self._since = None

    def summary(self, *, breaker_state: str, workers: int) -> ScrubSummary:
        """Return a snapshot."""
        with self._lock:
            latencies = list(self._latencies) or [0.0]
            since = self._since
            seconds = self._seconds + (0 if since is None else time.perf_counter() - since)
            p50, p95, p99 = np.percentile(latencies, [50, 95, 99]).tolist()
            return ScrubSummary(
                **self._counts,
                breaker_state=breaker_state,
                verdicts=dict(self._verdicts),
                phones_per_second=sum(self._verdicts.values()) / seconds if seconds else 0.0,
                latency_ms_p50=p50 * 1000,
                latency_ms_p95=p95 * 1000,
                latency_ms_p99=p99 * 1000,
                workers=workers,
                degraded=self._degraded,
            )
