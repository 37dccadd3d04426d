"""What a file is, told before anything reads on in it: a store, a replica, or something else.

Belongs here: the header of the file, and what SQLite left beside it. Does not: connections, the
schema (schema.py).
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from etl_dagster.dnc.errors import DncError, DncForeignError, DncMissingError, DncUsageError

APPLICATION_ID: Final = 0x444E4331
"""`DNC1`, in the header of every store: SQLite's own place for telling files apart."""
REPLICA_ID: Final = 0x444E4352
"""`DNCR`, in the header of every snapshot: nothing ever writes to such a file."""


def check_nothing_left(path: Path, error: type[DncError] = DncUsageError) -> None:
    """See that no store was at a path of which SQLite left something, such as its log.

    Raises:
        DncError: there was; of the type that is asked for.
    """
    beside = [path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm", "-journal")]
    left = ", ".join(one.name for one in beside if one.exists())
    if left and not path.exists():
        raise error(
            f"{path} is gone, but {left} of it is there, with its last writes: restore the store"
            " from a backup, or, to begin without its lists and opt-outs, remove what is left of it"
        )


def is_replica(path: Path) -> bool:
    """Tell whether a file says in its header that it is a snapshot, which nothing writes to."""
    return _application(path) == REPLICA_ID


def _application(path: Path) -> int:
    """What the header says the file is; raises what SQLite raises.

    Asked of SQLite, as of a file that nobody changes: it then takes no lock and reads no log. Were
    the file opened and closed here, this process would lose every lock that its connections hold
    on it (POSIX), and another process's last one would take the log away under them.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        # While a checkpoint is under way, or if it was cut off, the header names more pages than
        # the file has yet. The log that completes it is not read here; this spares that check.
        connection.execute("PRAGMA writable_schema = ON")
        (found,) = connection.execute("PRAGMA application_id").fetchone()
    return int(found)


def check_file(path: Path) -> None:
    """Tell a store from everything else by its header, before anything reads on in it.

    Raises:
        DncMissingError: there is nothing, or no regular file, or none that can be read.
        DncForeignError: it is empty or something else.
    """
    check_nothing_left(path, DncMissingError)
    if not path.exists():
        raise DncMissingError(
            f"no Do-Not-Call store at {path}: create it with `etl-dagster dnc load`, or correct "
            "the path (DNC_DB_PATH)"
        )
    if not path.is_file():
        raise DncMissingError(f"{path} is not a file but a folder or device: correct the path")
    if not path.stat().st_size:
        raise DncForeignError(f"{path} is empty: restore it, or delete it and load the lists again")
    try:
        application = _application(path)
    except sqlite3.OperationalError as error:  # it was not even opened
        raise DncMissingError(
            f"{path} cannot be read ({error}): see to its owner and rights"
        ) from error
    except sqlite3.DatabaseError as error:
        raise DncForeignError(
            f"{path} is not a Do-Not-Call store (not an SQLite database)"
        ) from error
    if application not in {APPLICATION_ID, REPLICA_ID}:
        raise DncForeignError(
            f"{path} is an SQLite database, but not a Do-Not-Call store; an existing `dnc_list` "
            "database is imported with `etl-dagster dnc import-legacy`"
        )
