"""Requests a minute, counted over all threads and processes of a host.

Belongs here: waiting for room. Does not: how many at a time
(:mod:`~etl_dagster.resilience.throttle`). pyrate-limiter keeps the log of requests; its blocking
mode sleeps where nothing can cancel it, so the waiting is done here.

Over several hosts, give a bucket that they share; :func:`redis_bucket` makes one.
A permit is spent when it is given: a caller that is cancelled while it waits has taken nothing.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from pyrate_limiter import (
    AbstractBucket,
    Rate,
    RateItem,
    RedisBucket,
    SQLiteBucket,
    SQLiteQueries,
)

from etl_dagster.resilience.retry import OutOfTimeError
from etl_dagster.resilience.shared_file import SharedFile

MINUTE_SECONDS: Final = 60.0
ARRIVAL_SPREAD_SECONDS: Final = 0.5
"""A request arrives up to this much later than it was permitted. The window is longer by it, so
that the service does not see more in its minute than we counted in ours."""

STOCK_SECONDS: Final = 0.02
"""Where many requests are allowed, permits for so long are taken from the bucket at a time: one
transaction for all of them. They lapse before the arrival spread is used up."""

_LEAK_EVERY: Final = 200
_LONGEST_NAP: Final = 1.0
_SHORTEST_NAP: Final = 0.001


def host_bucket(
    path: Path,
    *,
    name: str,
    per_minute: int,
    minute_seconds: float = MINUTE_SECONDS + ARRIVAL_SPREAD_SECONDS,
) -> SQLiteBucket:
    """Return the log of requests that all processes of this host share.

    Args:
        path: The shared file; see :class:`~etl_dagster.resilience.shared_file.SharedFile`.
        name: What is limited; one file may keep several.
        per_minute: At most so many in any window.
        minute_seconds: Length of the window.
    """
    table = "requests_" + hashlib.sha256(name.encode()).hexdigest()[:16]
    create = SQLiteQueries.CREATE_BUCKET_TABLE.format(table=table)
    index = SQLiteQueries.CREATE_INDEX_ON_TIMESTAMP.format(
        index_name=f"{table}_time", table_name=table
    )
    file = SharedFile(path, f"{create};{index}")
    rate = Rate(per_minute, round(minute_seconds * 1000))
    # The file as the lock makes "count, then add" one transaction over all processes.
    return SQLiteBucket([rate], file.connection, table, lock=file)


def redis_bucket(client: Any, *, name: str, per_minute: int) -> RedisBucket:
    """Return the log of requests that all hosts share, whose clocks must agree.

    Args:
        client: A ``redis.Redis``.
        name: What is limited.
        per_minute: At most so many in any window.
    """
    rate = Rate(per_minute, round((MINUTE_SECONDS + ARRIVAL_SPREAD_SECONDS) * 1000))
    return cast("RedisBucket", RedisBucket.init([rate], client, f"requests:{name}"))


class RequestLimiter:
    """Lets a request pass when there is room for it in the window.

    Args:
        bucket: The log of requests; :func:`host_bucket` makes one for this host.
        clock: Seconds since the epoch, shared by all that share the bucket.
    """

    def __init__(self, bucket: AbstractBucket, *, clock: Callable[[], float] = time.time) -> None:
        self._bucket = bucket
        self._clock = clock
        self._mutex = threading.Lock()
        self._taken = 0
        self._stock, self._stocked_at = 0, 0.0
        rate = min(bucket.rates, key=lambda rate: rate.limit / rate.interval)
        self._longest_wait = max(rate.interval for rate in bucket.rates) / 1000 + 1
        self._weight = max(1, int(rate.limit / rate.interval * 1000 * STOCK_SECONDS))

    def acquire(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        deadline: float = float("inf"),
    ) -> None:
        """Wait until one more request may be made.

        Args:
            sleep: Waits; may raise to cancel, which takes no room.
            deadline: Seconds on the limiter's clock.

        Raises:
            OutOfTimeError: There will be no room before ``deadline``.
        """
        while (wait := self._try()) > 0:
            if self._clock() + wait > deadline:
                raise OutOfTimeError(
                    f"no room for another request in the next {wait:.0f} s, which is after the "
                    "deadline; allow more requests a minute or more time"
                )
            sleep(min(wait, _LONGEST_NAP))

    def _try(self) -> float:
        """Take a permit if there is one: return 0, else the seconds until there is."""
        with self._mutex:
            now = self._clock()
            if self._stock and 0 <= now - self._stocked_at < ARRIVAL_SPREAD_SECONDS / 2:
                self._stock -= 1
                return 0.0
            item = RateItem("requests", round(now * 1000), weight=self._weight)
            if not self._bucket.put(item):
                wait = float(self._bucket.waiting(item)) / 1000  # type: ignore[arg-type]
                if wait > self._longest_wait:  # the clock was set back: the log is of no use
                    self._bucket.flush()
                    wait = 0.0
                return max(wait, _SHORTEST_NAP)
            self._stock, self._stocked_at = self._weight - 1, now
            self._taken += 1
            if self._taken % _LEAK_EVERY == 0:
                self._bucket.leak(item.timestamp)
            return 0.0

    def close(self) -> None:
        """Let go of the bucket's file or connection."""
        with self._mutex:
            self._bucket.close()
