"""The resource of locks: one writer at a time, on this host or over all hosts.

Belongs here: which kind of lock a name takes. Does not: leases themselves
(`resilience/leases.py`), locks in the warehouse (`warehouse/locks.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from filelock import FileLock, Timeout
from pydantic import Field, PrivateAttr

from etl_dagster.resilience.redis_client import connect
from etl_dagster.warehouse.errors import WarehouseStoppedError
from etl_dagster.warehouse.locks import guarded
from etl_dagster.warehouse.session import Session

if TYPE_CHECKING:
    from etl_dagster.resilience.leases import Leases


ASK_AGAIN_SECONDS: Final = 0.5
"""How often who waits for a lock looks whether the run is ending."""


class WriterLocks(dg.ConfigurableResource[Any]):
    """One writer at a time; a killed one's lock is free at once, over hosts after a lease's time.

    What only this host has (an inbox, its Do-Not-Call store) is locked by a file. What all hosts
    write (a chunk in the warehouse) is locked in Redis as well where there is one; without it, one
    host at a time may run.
    """

    folder: str = Field(description="Folder of the lock files")
    scope: str = Field(description="Whose locks they are in Redis: account, database, schema")
    redis_url: str = Field("", description="Redis that keeps the locks of several hosts")
    _leases: "Leases | None" = PrivateAttr(None)

    @contextmanager
    def hold(self, what: object, *, ending: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold what this host alone writes while the body runs, after who holds it now.

        Args:
            what: such as an inbox.
            ending: whether waiting is of no use any more.

        Raises:
            WarehouseStoppedError: it is not; the body has not run.
        """
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{str(what).replace(' ', '-')}.lock")
        while True:
            try:
                lock.acquire(timeout=ASK_AGAIN_SECONDS)
                break
            except Timeout:
                if ending():
                    raise WarehouseStoppedError(f"{what}: not locked, the run is ending") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def hold_everywhere(self, what: object, session: Session) -> Iterator[None]:
        """Hold what all hosts write while the body runs, after whoever holds it now.

        Args:
            what: such as a chunk.
            session: what writes it; it commits nothing once the lock is lost.

        Raises:
            WarehouseStoppedError: the session was told to stop before the lock was had.
            LeaseError: Redis cannot be asked, or the lock was lost; nothing more is committed.
            RedisUnusableError: ETL_REDIS_URL is set and cannot be used.
        """
        # processes of one host queue up at the file, so that only one of them asks Redis
        with self.hold(what, ending=lambda: session.stopped):
            if not self.redis_url:
                yield
                return
            with (
                self._shared().hold(
                    f"{self.scope}:{what}", ending=lambda: session.stopped
                ) as lease,
                guarded(session, lease.confirm),
            ):
                try:
                    yield
                finally:
                    # if the connection was lost, its last COMMIT may be on its way yet
                    lease.left = session.broken

    def _shared(self) -> "Leases":
        if self._leases is None:
            client = connect(self.redis_url)
            from etl_dagster.resilience.leases import Leases  # noqa: PLC0415  it needs Redis

            self._leases = Leases(client)
        return self._leases
