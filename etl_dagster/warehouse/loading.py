"""Append an Arrow table to a Snowflake table by way of a Parquet file and the table's stage.

Belongs here: PUT, COPY INTO, and leaving nothing behind. Does not: the transaction around it. The
table's own stage is used because it needs no CREATE STAGE, which would commit that transaction.
"""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from etl_dagster.warehouse.errors import LoadMismatchError, WarehouseMisuseError
from etl_dagster.warehouse.statements import Statement

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_dagster.warehouse.execution import Session

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_$]*"
_TABLE = re.compile(rf"(?P<prefix>(?:{_IDENTIFIER}\.){{0,2}})(?P<name>{_IDENTIFIER})")
_PREFIX = "etl_load_"
_OURS = uuid.uuid4().hex[:12]
"""Tells this process from others of its id: in containers ids come again."""
_ROWS_LOADED = 3  # position in COPY's result: file, status, rows_parsed, rows_loaded, ...


def load(session: "Session", table: str, data: "pa.Table") -> int:
    """Append ``data``; the caller's transaction makes it all or nothing.

    Raises:
        LoadMismatchError: Snowflake reports another number of rows than were sent.
        WarehouseMisuseError: ``table`` is not a table's name, or lacks a column of ``data``.
    """
    named = _TABLE.fullmatch(table)
    if named is None:
        raise WarehouseMisuseError(f"not the plain name of a table: {table!r}")
    known = session.columns_of(table)
    unknown = [name for name in data.column_names if name.upper() not in known]
    if unknown:  # COPY would leave them out without a word
        raise WarehouseMisuseError(f"{table} has no column {', '.join(unknown)}; nothing is loaded")
    if not data.num_rows:
        return 0
    stage = f"@{named['prefix']}%{named['name']}/etl_{uuid.uuid4().hex}"
    session.remove_afterwards(stage)
    with parquet_file(data) as file:
        session.rows(
            Statement(
                f"PUT 'file://{file}' {stage} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE",
                f"PUT for {table}",
            )
        )
    copied = session.rows(
        Statement(
            f"COPY INTO {table} FROM {stage} "
            "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE",
            f"COPY INTO {table}",
        )
    )
    loaded = sum(int(row[_ROWS_LOADED]) for row in copied if len(row) > _ROWS_LOADED)
    if loaded != data.num_rows:
        raise LoadMismatchError(
            f"COPY INTO {table}: {data.num_rows:,} rows sent, {loaded:,} stored; nothing is kept"
        )
    return loaded


@contextmanager
def parquet_file(data: "pa.Table") -> Iterator[Path]:
    """Write a file that only this user may read, and that is gone afterwards."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only who loads needs it

    prefix = f"{_PREFIX}{os.getpid()}_{_OURS}_"
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=".parquet")
    try:
        with os.fdopen(handle, "wb") as file:
            pq.write_table(data, file)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def sweep() -> None:
    """Remove the files that killed processes of this user left behind: they hold phones."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.parquet"):
        owner = path.name.removeprefix(_PREFIX).partition("_")[0]
        if owner == str(os.getpid()):
            gone = _OURS not in path.name
        else:
            gone = owner.isdigit() and not psutil.pid_exists(int(owner))
        if not gone:
            continue
        with suppress(FileNotFoundError):  # another process sweeps, too
            if path.stat().st_uid == os.getuid():
                path.unlink()
