"""Dagster's SQLite files, kept open while this process runs jobs.

Belongs here: which files, and why. Does not: reading or writing them, which is Dagster's.

Dagster opens and closes a file's only connection for every event. SQLite then empties the log of
changes into the file and deletes it each time, with several waits for the disk; while anybody else
has the file open, it does so once in a while. Nothing about when an event is safe changes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage


@contextmanager
def kept_open(instance: dg.DagsterInstance) -> Iterator[list[Path]]:
    """Keep the files that all runs share open; do nothing where Dagster's storage is another.

    The file of a single run is left alone: the UI follows a run that is going by changes of that
    file itself, which are rare while it is kept open.

    Yields:
        The files that are kept open.
    """
    with ExitStack() as stack:
        files = [file for file in _shared_files(instance) if file.exists()]
        for file in files:
            connection = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
            # a connection has a file open only from its first question
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        yield files


def _shared_files(instance: dg.DagsterInstance) -> list[Path]:
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return []
    index = Path(storage.path_for_shard("index"))
    return [index, index.parent.with_suffix(".db")]
