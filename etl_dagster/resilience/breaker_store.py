"""Where a breaker's state is kept: in a file that the processes of a host share, or in Redis.

Belongs here: the record (it is a pybreaker storage, so pybreaker works on it directly) and the
stores that hand it out, one writer at a time. Does not: any decision, which are
:mod:`~etl_dagster.resilience.breaker`'s; making a Redis client, which is the caller's.
"""

import abc
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pybreaker

from etl_dagster.resilience.shared_file import SharedFile


@dataclass(slots=True)
class BreakerRecord(pybreaker.CircuitBreakerStorage):
    """All there is to know of a circuit.

    Attributes:
        state: One of pybreaker's state names.
        counter: Failures in a row while closed.
        success_counter: Successes in a row while half-open.
        opened_at: When it opened last.
        generation: Counts state changes, so that an outcome is told from one of another era.
        probe: Token of the one call that may run while half-open; empty if none does.
        probe_until: When that call is given up for dead (its process was killed).
    """

    state: str = pybreaker.STATE_CLOSED
    counter: int = 0
    success_counter: int = 0
    opened_at: datetime | None = None
    generation: int = 0
    probe: str = ""
    probe_until: float = 0.0

    def increment_counter(self) -> None:
        """See pybreaker."""
        self.counter += 1

    def reset_counter(self) -> None:
        """See pybreaker."""
        self.counter = 0

    def increment_success_counter(self) -> None:
        """See pybreaker."""
        self.success_counter += 1

    def reset_success_counter(self) -> None:
        """See pybreaker."""
        self.success_counter = 0


class BreakerStore(abc.ABC):
    """One record that others change too; it is read again only when what is known gets old.

    Args:
        fresh_seconds: What others write is seen after so long at the latest.
    """

    def __init__(self, *, fresh_seconds: float) -> None:
        self._fresh_seconds = fresh_seconds
        self._known = (float("-inf"), BreakerRecord())

    def peek(self) -> BreakerRecord:
        """Return a copy of the record, as it is now or was a moment ago."""
        read_at, record = self._known
        if time.monotonic() - read_at >= self._fresh_seconds:
            with self._reading():
                record = self._read()
                self._remember(record)
        return replace(record)

    @contextlib.contextmanager
    def writing(self) -> Iterator[BreakerRecord]:
        """Give the record to the only writer; what it made of it is stored at the end."""
        with self._alone():
            record = self._read()
            before = replace(record)
            yield record
            if record != before:
                self._write(record)
            self._remember(record)

    def _remember(self, record: BreakerRecord) -> None:
        # Only within _reading or _alone, so that an older record never replaces a newer one.
        self._known = (time.monotonic(), replace(record))

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files or connections."""

    @abc.abstractmethod
    def _reading(self) -> contextlib.AbstractContextManager[object]:
        """Keep other threads of this process from reading meanwhile."""

    @abc.abstractmethod
    def _alone(self) -> contextlib.AbstractContextManager[object]:
        """Keep everybody from reading for change meanwhile."""

    @abc.abstractmethod
    def _read(self) -> BreakerRecord:
        """Return the record as stored."""

    @abc.abstractmethod
    def _write(self, record: BreakerRecord) -> None:
        """Store the record."""


_LOCK_SECONDS = 5.0
"""A host that dies while it writes to Redis keeps the others waiting for so long."""
_COLUMNS = tuple(field.name for field in fields(BreakerRecord))
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS breaker (name TEXT PRIMARY KEY, state TEXT NOT NULL, "
    "counter INTEGER NOT NULL, success_counter INTEGER NOT NULL, opened_at REAL, "
    "generation INTEGER NOT NULL, probe TEXT NOT NULL, probe_until REAL NOT NULL)"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM breaker WHERE name = ?"  # noqa: S608 - our columns
_UPSERT = (
    f"INSERT OR REPLACE INTO breaker (name, {', '.join(_COLUMNS)}) "  # noqa: S608 - our columns
    f"VALUES (?{', ?' * len(_COLUMNS)})"
)


class SqliteStore(BreakerStore):
    """A record for all processes of a host.

    Args:
        path: The shared file; see :class:`~etl_dagster.resilience.shared_file.SharedFile`.
        name: The circuit's; one file may keep several.
        fresh_seconds: See :class:`BreakerStore`.
    """

    def __init__(self, path: Path, *, name: str, fresh_seconds: float = 0.05) -> None:
        super().__init__(fresh_seconds=fresh_seconds)
        self._file = SharedFile(path, _SCHEMA)
        self._name = name

    def close(self) -> None:
        """See :class:`BreakerStore`."""
        self._file.close()

    def _reading(self) -> contextlib.AbstractContextManager[object]:
        return self._file.reading()

    def _alone(self) -> contextlib.AbstractContextManager[object]:
        return self._file

    def _read(self) -> BreakerRecord:
        row = self._file.connection.execute(_SELECT, [self._name]).fetchone()
        record = BreakerRecord(*(row or ()))
        if row is not None and record.opened_at is not None:
            record.opened_at = datetime.fromtimestamp(row[_COLUMNS.index("opened_at")], UTC)
        return record

    def _write(self, record: BreakerRecord) -> None:
        values = astuple(record)
        stored = [v.timestamp() if isinstance(v, datetime) else v for v in values]
        self._file.connection.execute(_UPSERT, [self._name, *stored])
        self._file.connection.commit()


class RedisStore(BreakerStore):
    """A record that several hosts share; where Redis cannot be asked, its error is raised.

    Args:
        client: A ``redis.Redis`` that returns bytes.
        name: The circuit's.
        fresh_seconds: See :class:`BreakerStore`.
    """

    def __init__(self, client: Any, *, name: str, fresh_seconds: float = 0.05) -> None:
        super().__init__(fresh_seconds=fresh_seconds)
        self._client = client
        self._key = f"breaker:{name}"
        self._mutex = threading.Lock()

    def close(self) -> None:
        """See :class:`BreakerStore`; the client is the caller's."""

    def _reading(self) -> contextlib.AbstractContextManager[object]:
        return self._mutex

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        patience = {"timeout": _LOCK_SECONDS, "blocking_timeout": _LOCK_SECONDS}
        lock = self._client.lock(f"{self._key}:lock", **patience)
        with self._mutex, lock:
            yield

    def _read(self) -> BreakerRecord:
        found = self._client.hgetall(self._key).items()
        stored = {name.decode(): value.decode() for name, value in found}
        opened_at = float(stored.get("opened_at", 0))
        return BreakerRecord(
            state=stored.get("state", pybreaker.STATE_CLOSED),
            counter=int(stored.get("counter", 0)),
            success_counter=int(stored.get("success_counter", 0)),
            opened_at=datetime.fromtimestamp(opened_at, UTC) if opened_at else None,
            generation=int(stored.get("generation", 0)),
            probe=stored.get("probe", ""),
            probe_until=float(stored.get("probe_until", 0)),
        )

    def _write(self, record: BreakerRecord) -> None:
        opened_at = record.opened_at.timestamp() if record.opened_at else 0
        self._client.hset(self._key, mapping={**asdict(record), "opened_at": opened_at})
