"""Locks over several hosts: leases in Redis, which run out when their holder dies.

Belongs here: taking a lease, renewing it while it is held, confirming it. Does not: making the
client (:mod:`~etl_dagster.resilience.redis_client`), what is done under a lease.

A lease alone does not exclude a holder that was stopped for longer than its lease and goes on
(https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html). So whoever writes
calls :meth:`Lease.confirm` right before the commit: it fails if the lease was lost, and else makes
it last for its whole time again, in which the commit goes out.

::

    LeaseError
    ├── LeaseUnavailableError   Redis cannot be asked: there is no lock, so nothing is written
    └── LeaseLostError          somebody else may hold it by now: nothing is committed
"""

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from etl_dagster.resilience.redis_client import address_of

if TYPE_CHECKING:
    from redis import Redis

LEASE_SECONDS: Final = 30.0
"""A killed holder keeps the others waiting for so long; so long may Redis be away, or the holder
stand still, before a lease is lost."""
_RENEWALS: Final = 6
"""In the time of a lease, so that some may fail."""
_POLL_SECONDS: Final = 0.25
_ASK_AGAIN_SECONDS: Final = 0.5


class LeaseError(RuntimeError):
    """A lock over several hosts cannot be had, or was lost."""


class LeaseUnavailableError(LeaseError):
    """Redis cannot be asked who holds the lock."""


class LeaseLostError(LeaseError):
    """The lock ran out while it was held, and somebody else may have it."""


class Leases:
    """Hands out leases; one holder a name over all that share the Redis.

    Args:
        client: The Redis.
        seconds: How long a lease lasts that nobody renews.
    """

    def __init__(self, client: "Redis", *, seconds: float = LEASE_SECONDS) -> None:
        self._client = client
        self._seconds = seconds

    @contextmanager
    def hold(self, name: str, *, ending: Callable[[], bool] = lambda: False) -> Iterator["Lease"]:
        """Hold the lease `name` while the body runs, after who holds it now.

        Args:
            name: what is held.
            ending: whether waiting is of no use any more; asked while somebody else holds it.

        Raises:
            LeaseError: it was not had before there was no use in waiting; the body has not run.
            LeaseUnavailableError: Redis cannot be asked; the body has not run.
        """
        lock = Lock(
            self._client,
            f"lease:{name}",
            timeout=self._seconds,
            sleep=_POLL_SECONDS,
            thread_local=False,  # another thread renews it
        )
        try:
            # the value tells whoever looks into Redis who holds it
            token = f"{uuid.uuid4().hex} {socket.gethostname()} {os.getpid()}"
            while not lock.acquire(token=token, blocking_timeout=_ASK_AGAIN_SECONDS):
                if ending():
                    raise LeaseError(f"{name}: not locked, the run is ending")
        except RedisError as error:
            # not chained: what is shown of a failed run is the first cause, which says less
            raise LeaseUnavailableError(_unavailable(self._client, name, error)) from None
        lease = Lease(self._client, lock, name, seconds=self._seconds)
        try:
            with lease.renewed():
                yield lease
        finally:
            # lost or out of reach, it is not ours to give back, and runs out by itself
            if not lease.left:
                with suppress(RedisError):
                    lock.release()


class Lease:
    """A lease that is held.

    Attributes:
        left: It is not given back at the end, but runs out: what was done under it may still be
            under way.
    """

    def __init__(self, client: "Redis", lock: Lock, name: str, *, seconds: float) -> None:
        self._client = client
        self._lock = lock
        self._name = name
        self._seconds = seconds
        self.left = False

    def confirm(self) -> None:
        """See to it that the lease is held, and for its whole time from now on.

        Raises:
            LeaseLostError: it is not; what was done under it must not be committed.
            LeaseUnavailableError: Redis cannot be asked, which is no better.
        """
        try:
            self._lock.reacquire()
        except LockError:
            raise LeaseLostError(
                f"the lock of {self._name} ran out while it was held, since this process stood"
                f" still or Redis was away for more than {self._seconds:g} s, and somebody else may"
                " have it: nothing was committed; run again, what is on record stays"
            ) from None
        except RedisError as error:
            raise LeaseUnavailableError(_unavailable(self._client, self._name, error)) from None

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew it now and then while the body runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew, args=(done,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(self._seconds / _RENEWALS):
            try:
                self._lock.reacquire()
            except LockError:
                return  # lost for good; confirming it says so
            except RedisError:
                continue  # there is time left to reach Redis again


def _unavailable(client: "Redis", name: str, error: RedisError) -> str:
    return (
        f"Redis at {address_of(client)} (ETL_REDIS_URL) cannot be asked for the lock of {name}"
        f" ({type(error).__name__}), so another host might write the same: nothing is written; see"
        " to Redis, then run again"
    )
