"""Connections for look-ups, shared by the threads of a process.

Belongs here: lending a connection inside a read transaction, with the catalog that belongs to it.
Does not: writing; what is read.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl_dagster.dnc import schema
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncUsageError


class Readers:
    """A pool that grows to as many connections as there are threads reading at once.

    Args:
        path: the store.
        replica: whether another file may take its place: who asks then sees that one.
    """

    def __init__(self, path: Path, *, replica: bool = False) -> None:
        self._path = path
        self._replica = replica
        self._file = self._identity()
        self._lock = threading.Lock()
        self._idle: list[tuple[sqlite3.Connection, Catalog | None]] = []
        self._inherited: list[tuple[sqlite3.Connection, Catalog | None]] = []
        self._process = os.getpid()
        self._closed = False

    @contextmanager
    def take(self) -> Iterator[tuple[sqlite3.Connection, Catalog]]:
        """Lend a connection that sees one version of the store throughout."""
        with schema.translated(self._path):
            connection, catalog, file = self._next()
            try:
                with schema.reading(connection):
                    if catalog is None or not catalog.is_current():
                        catalog = Catalog(connection, known=catalog)
                    yield connection, catalog
            finally:
                self._give_back(connection, catalog, file)

    def close(self) -> None:
        """Close what is idle now, and the rest when it is given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _next(self) -> tuple[sqlite3.Connection, Catalog | None, tuple[int, int] | None]:
        file = self._identity()
        with self._lock:
            if self._closed:
                raise DncUsageError(f"{self._path} was closed: open it again")
            if self._process != os.getpid():
                # A connection must not cross a fork, not even to be closed there.
                self._inherited, self._idle = self._idle, []
                self._process = os.getpid()
            gone = self._idle if file != self._file else []
            if gone:
                self._idle = []
            self._file = file
            found = self._idle.pop() if self._idle else None
        for connection, _ in gone:
            connection.close()
        if found:
            return *found, file
        return schema.connect(self._path, read_only=True), None, file

    def _identity(self) -> tuple[int, int] | None:
        """Which file is there; it stays the same as long as a connection has it open."""
        if not self._replica:
            return None
        found = self._path.stat()
        return found.st_dev, found.st_ino

    def _give_back(
        self, connection: sqlite3.Connection, catalog: Catalog | None, file: tuple[int, int] | None
    ) -> None:
        with self._lock:
            if not self._closed and file == self._file:
                self._idle.append((connection, catalog))
                return
        connection.close()
