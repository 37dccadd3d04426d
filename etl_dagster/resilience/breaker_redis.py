"""A breaker's state in Redis, for all processes of all hosts.

Belongs here: what Redis takes beyond :mod:`~etl_dagster.resilience.breaker_store`. Does not:
making the client, which is the caller's, so that nothing here imports Redis. State and counters
are kept by pybreaker's own Redis storage; the rest in a hash beside it.
"""

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

import pybreaker

from etl_dagster.resilience.breaker_store import BreakerRecord, SharedStore


class RedisStore(SharedStore):
    """A record that several hosts share.

    If Redis cannot be reached, the circuit counts as open: nothing is asked.

    Args:
        client: A ``redis.Redis`` that returns bytes.
        name: The circuit's.
        lock_seconds: A host that dies while it writes keeps the others waiting for so long.
        fresh_seconds: See :class:`~etl_dagster.resilience.breaker_store.SharedStore`.
    """

    def __init__(
        self, client: Any, *, name: str, lock_seconds: float = 5.0, fresh_seconds: float = 0.05
    ) -> None:
        super().__init__(fresh_seconds=fresh_seconds)
        self._client = client
        self._key = f"breaker:{name}"
        self._lock_seconds = lock_seconds
        self._mutex = threading.Lock()
        self._storage = pybreaker.CircuitRedisStorage(
            pybreaker.STATE_CLOSED,
            client,
            namespace=self._key,
            fallback_circuit_state=pybreaker.STATE_OPEN,
        )

    def close(self) -> None:
        """See :class:`~etl_dagster.resilience.breaker_store.BreakerStore`."""

    def _reading(self) -> contextlib.AbstractContextManager[object]:
        return self._mutex

    @contextlib.contextmanager
    def _alone(self) -> Any:
        seconds = self._lock_seconds
        lock = self._client.lock(f"{self._key}:lock", timeout=seconds, blocking_timeout=seconds)
        with self._mutex, lock:
            yield

    def _read(self) -> BreakerRecord:
        more = {key.decode(): value.decode() for key, value in self._more().items()}
        opened_at = float(more.get("opened_at", 0))
        return BreakerRecord(
            state=self._storage.state,
            counter=self._storage.counter,
            success_counter=self._storage.success_counter,
            opened_at=datetime.fromtimestamp(opened_at, UTC) if opened_at else None,
            generation=int(more.get("generation", 0)),
            probe=more.get("probe", ""),
            probe_until=float(more.get("probe_until", 0)),
        )

    def _write(self, before: BreakerRecord, record: BreakerRecord) -> None:
        storage, opened_at = self._storage, record.opened_at
        self._client.hset(
            self._key,
            mapping={
                "opened_at": opened_at.timestamp() if opened_at else 0,
                "generation": record.generation,
                "probe": record.probe,
                "probe_until": record.probe_until,
            },
        )
        if opened_at is not None and opened_at != before.opened_at:
            storage.opened_at = opened_at
        if record.counter < before.counter:
            storage.reset_counter()
        elif record.counter > before.counter:
            storage.increment_counter()
        if record.success_counter < before.success_counter:
            storage.reset_success_counter()
        elif record.success_counter > before.success_counter:
            storage.increment_success_counter()
        storage.state = record.state

    def _more(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self._client.hgetall(self._key)
        return found
