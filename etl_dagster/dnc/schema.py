"""The file itself: creating it, telling whether it is one of ours, connections, migrations.

Belongs here: everything about SQLite as a container. Does not: what the tables mean.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from etl_dagster.dnc import header, replica
from etl_dagster.dnc.errors import (
    DncBusyError,
    DncCorruptError,
    DncError,
    DncSchemaError,
    DncUsageError,
)

MIGRATIONS: Final[tuple[str, ...]] = ()
"""The script at index i takes a store from schema version i + 1 to i + 2."""
SCHEMA_VERSION: Final = len(MIGRATIONS) + 1
BUSY_SECONDS: Final = 60.0
"""How long a writer waits for another one."""
_CACHE_KIB: Final = 8_192
_LOG_BYTES: Final = 16 * 1024**2
"""What SQLite's log keeps of the disk once a large load is over."""


def create(path: Path, fill: Callable[[sqlite3.Connection], object]) -> None:
    """Create a store; it appears at its path whole or not at all.

    SQLite would take what an older store left beside it for the new one's own last writes.

    Args:
        path: where.
        fill: writes the first rows.

    Raises:
        DncUsageError: something is there already, or a store was whose log is left.
    """
    header.check_nothing_left(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    try:
        own_file(draft)
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {header.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            script = resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
            connection.executescript(script)
            with writing(connection):
                fill(connection)
        os.link(draft, path)
    except FileExistsError:
        raise DncUsageError(f"{path} exists already: open it, or choose another path") from None
    finally:
        for leftover in draft.parent.glob(draft.name + "*"):
            leftover.unlink(missing_ok=True)


def own_file(path: Path) -> None:
    """Make an empty file that only its owner may read, for SQLite to write into.

    What SQLite puts beside a database (`-wal`, `-shm`) gets the same mode.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    path.chmod(0o600)


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into this package's errors."""
    try:
        yield
    except DncError:
        raise
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise DncBusyError(
                f"{path}: another process has been writing for more than {BUSY_SECONDS:.0f} s; "
                "try again when it is done"
            ) from error
        if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL}:
            raise DncError(
                f"{path}: {error}: the file and its folder must be accessible (readers, too, "
                "need to write the -wal and -shm files beside it), with space left on the disk"
            ) from error
        raise DncCorruptError(f"{path} is damaged ({error}): restore it from a backup") from error
    except OSError as error:
        raise DncError(f"{error.filename or path}: {error.strerror or error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DncCorruptError(f"{path} is damaged ({error}): restore it from a backup") from error


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a connection to a store of this schema version.

    A read-only connection cannot change the store whatever is sent to it; one for writing first
    brings an older store forward. A replica has no log, and none is looked for: what another store
    left beside its path never counts as its last writes.

    Raises:
        DncSchemaError: an older store opened read-only, or a newer one.
        DncCorruptError: the file was cut off.
        DncUsageError: a replica is not written.
    """
    mode = "ro" if read_only else "rw"
    if header.is_replica(path):
        if not read_only:
            raise DncUsageError(replica.refusal(path))
        mode = "ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA query_only = " + ("ON" if read_only else "OFF"))
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        if not read_only:
            migrate(connection)
        with reading(connection):
            _check_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """See one version of the store throughout the block."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Change the store in one transaction, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another schema version, and a file shorter than SQLite knows it to be."""
    version = pragma(connection, "user_version")
    if version != SCHEMA_VERSION:
        hint = (
            "open it once for writing to migrate it"
            if 0 < version < SCHEMA_VERSION
            else "use the release of etl-dagster that wrote it, or a newer one"
        )
        raise DncSchemaError(
            f"{path} has schema version {version}, this release reads {SCHEMA_VERSION}: {hint}"
        )
    wal = path.with_name(path.name + "-wal")
    logged = not header.is_replica(path) and wal.exists() and wal.stat().st_size
    if not logged and path.stat().st_size < size(connection):
        raise DncCorruptError(
            f"{path} was cut off: {path.stat().st_size:,} of {size(connection):,} bytes; restore "
            "it from a backup"
        )


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Bring an older store forward, one transaction per step; return its schema version."""
    version = pragma(connection, "user_version")
    for step in migrations[max(version - 1, 0) :] if version else ():
        version += 1
        connection.executescript(
            f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {version}; COMMIT"
        )
    return version


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """What SQLite says of the file: a number in its header, such as `user_version`."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def size(connection: sqlite3.Connection) -> int:
    """How many bytes the store has, as SQLite knows it."""
    return pragma(connection, "page_count") * pragma(connection, "page_size")
