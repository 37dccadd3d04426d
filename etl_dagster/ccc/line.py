"""The line to CCC: one client with all of its policies, put together from the settings.

Belongs here: construction, and what needs several of the parts. Does not: any policy, any request.
"""

from collections.abc import Callable
from typing import Final

from pyrate_limiter import AbstractBucket

from etl_dagster.ccc.client import CccClient
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.errors import breaker_outcome
from etl_dagster.ccc.meter import Meter
from etl_dagster.ccc.records import ScrubSummary
from etl_dagster.resilience import (
    Breaker,
    BreakerStore,
    RequestLimiter,
    SqliteStore,
    Throttle,
    host_bucket,
)

STATE_FILE: Final = "ccc.sqlite"


class Line:
    """What a scrubber keeps from chunk to chunk.

    Args:
        config: The settings.
        clock: Seconds since the epoch.
        on_breaker: Told old and new state of the circuit.
        store: Where the circuit's state is; by default in the host's state folder.
        bucket: Where requests are counted; by default in the same file.

    Raises:
        SharedFileError: The state folder cannot be used.
    """

    def __init__(
        self,
        config: CccConfig,
        *,
        clock: Callable[[], float],
        on_breaker: Callable[[str, str], None] | None,
        store: BreakerStore | None,
        bucket: AbstractBucket | None,
    ) -> None:
        state, name = config.state_dir / STATE_FILE, config.endpoint
        per_minute = config.requests_per_minute
        self.config = config
        self.clock = clock
        self.meter = Meter()
        self.client = CccClient(config, clock=clock)
        self.breaker = Breaker(
            name=name,
            failures=config.breaker_failures,
            reset_seconds=config.breaker_reset_seconds,
            successes=config.breaker_successes,
            probe_seconds=config.answer_timeout + config.connect_timeout,
            store=store or SqliteStore(state, name=name),
            judge=breaker_outcome,
            on_change=self._breaker_changed,
            clock=clock,
        )
        self.limiter = RequestLimiter(
            bucket or host_bucket(state, name=name, per_minute=per_minute), clock=clock
        )
        self.throttle = Throttle(
            highest=config.max_workers,
            base_pause=config.retry_base_delay,
            max_pause=config.retry_max_delay,
            clock=clock,
        )
        self._on_breaker = on_breaker
        self._last_summary: ScrubSummary | None = None

    def summary(self) -> ScrubSummary:
        """Return the counts so far; after :meth:`close`, the last ones."""
        return self._last_summary or self.meter.summary(
            breaker_state=self.breaker.seen, workers=self.throttle.limit
        )

    def close(self) -> None:
        """Close connections and files; a probe that is still held is freed."""
        self._last_summary = self.summary()
        self.client.close()
        self.limiter.close()
        self.breaker.close()  # may have to ask a store that is away

    def _breaker_changed(self, old: str, new: str) -> None:
        if new == "open":
            self.meter.count("breaker_openings")
        if self._on_breaker is not None:
            self._on_breaker(old, new)
