"""A small SQLite file that all processes of a host share, safe against any of them dying.

Belongs here: opening it, and one kind of transaction. Does not: what is kept in it (breaker
state, the limiter's log). SQLite takes kernel locks, so a killed process leaves none behind; WAL
without a sync per commit keeps a transaction at tens of microseconds. The file must be on a local
disk.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

_BUSY_SECONDS = 10.0


class SharedFileError(RuntimeError):
    """The file cannot be opened or read."""


class SharedFile:
    """One connection to the file for this process, used by one thread at a time.

    As a context it is one write transaction: nobody else, in any process, writes in between. It
    commits what the body committed, and rolls back the rest.

    Args:
        path: The file; its folder is made if missing.
        schema: Statements that create what is missing.

    Raises:
        SharedFileError: The folder cannot be written, or the file is no database.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._mutex = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Switching a new file to WAL does not wait for others that do the same.
            with FileLock(f"{path}.lock", timeout=_BUSY_SECONDS):
                self.connection = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS
                )
                self.connection.execute("PRAGMA journal_mode=WAL")
                self.connection.execute("PRAGMA synchronous=NORMAL")
                self.connection.executescript(schema)
        except (OSError, sqlite3.Error) as error:
            raise SharedFileError(
                f"cannot open the shared state file {path}: {error}; expected a writable folder on "
                "a local disk; a damaged file can be deleted while nothing runs"
            ) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one statement, without keeping others from writing."""
        with self._mutex:
            yield self.connection

    def __enter__(self) -> sqlite3.Connection:
        self._mutex.acquire()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._mutex.release()
            raise
        return self.connection

    def __exit__(self, *_: object) -> None:
        try:
            with contextlib.suppress(sqlite3.ProgrammingError):  # the body closed it
                if self.connection.in_transaction:
                    self.connection.rollback()
        finally:
            self._mutex.release()

    def close(self) -> None:
        """Close the connection."""
        with self._mutex:
            self.connection.close()
