"""Importing an existing `dnc_list` database, however large, in flat memory.

Belongs here: reading `dnc_list(area_code, phone_number, full_phone)`, where `full_phone` is TEXT or
INTEGER. Does not: everything after that, which is a full list like any other.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import loading, sources
from etl_dagster.dnc.errors import DncFormatError
from etl_dagster.dnc.formats import LOWEST, NAMED_MOST
from etl_dagster.dnc.lists import ListSpec
from etl_dagster.dnc.phones_text import NOT_A_PHONE, read_phones
from etl_dagster.dnc.sources import Progress
from etl_dagster.dnc.spool import Spool
from etl_dagster.dnc.writer import LoadResult, Read

_ROWS: Final = 50_000
_PLAIN: Final = "[0-9]" * 10


def import_legacy(  # noqa: PLR0913 - the public call's arguments, handed on
    connection: sqlite3.Connection,
    spec: ListSpec,
    path: Path,
    *,
    as_of: datetime,
    clock: Callable[[], datetime],
    folder: Path,
    covers: Collection[int] = (),
    allow: Collection[str] = (),
    progress: Progress | None = None,
) -> LoadResult:
    """Import a `dnc_list` database as a full list; see `DncStore.import_legacy`."""
    read = Read(sources.identify([path]))
    read.inputs = sources.inputs_digest(read.files, sorted(covers), "legacy")
    if known := loading.loaded_before(connection, spec.name, read, clock, allow):
        return known
    with Spool(folder) as spool, sources.unchanged([path]):
        for numbers in _rows(path, read, progress):
            spool.add(numbers)
        return loading.put_full(
            connection, spec, spool, read, as_of=as_of, clock=clock, covers=covers, allow=allow
        )


def _rows(path: Path, read: Read, progress: Progress | None) -> Iterator[NDArray[np.int64]]:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as legacy:
            columns = {row[1].lower() for row in legacy.execute("PRAGMA table_info(dnc_list)")}
            if "full_phone" not in columns and not {"area_code", "phone_number"} <= columns:
                raise DncFormatError(
                    f"{path.name} has no table dnc_list with a column full_phone, or area_code and "
                    "phone_number: it is not a Do-Not-Call database of the older form"
                )
            parts = "area_code || phone_number"
            if "full_phone" not in columns:
                value = parts
            elif {"area_code", "phone_number"} <= columns:
                value = f"coalesce(nullif(full_phone, ''), {parts})"
            else:
                value = "full_phone"
            (last,) = legacy.execute("SELECT max(rowid) FROM dnc_list").fetchone()
            cursor = legacy.execute(
                "SELECT CASE WHEN typeof(phone) = 'integer' THEN phone"  # noqa: S608  names from the list above
                f" WHEN phone GLOB '{_PLAIN}' THEN CAST(phone AS INTEGER) ELSE phone END"
                f" FROM (SELECT {value} AS phone FROM dnc_list NOT INDEXED)"
            )
            count = 0
            while rows := cursor.fetchmany(_ROWS):
                yield _numbers(rows, read, path.name)
                count += len(rows)
                if progress:
                    size = read.files[0].size
                    progress(min(size * count // max(last or 1, 1), size), size, count)
    except sqlite3.DatabaseError as error:
        raise DncFormatError(f"{path.name} is not a readable SQLite database: {error}") from error


def _numbers(rows: list[tuple[object]], read: Read, name: str) -> NDArray[np.int64]:
    try:
        numbers = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([_number(row[0]) for row in rows], dtype=np.int64)
    good = (numbers >= LOWEST) & (numbers <= 9_999_999_999)  # noqa: PLR2004 - ten digits
    bad = np.flatnonzero(~good)
    read.named += [
        f"{name}:row {read.lines + 1 + index}"
        for index in bad[: NAMED_MOST - len(read.named)].tolist()
    ]
    read.malformed += len(bad)
    read.lines += len(rows)
    return numbers[good]


def _number(value: object) -> int:
    if isinstance(value, int):
        return value if abs(value) <= 9_999_999_999 else NOT_A_PHONE  # noqa: PLR2004
    return int(read_phones([value])[0]) if isinstance(value, str) else NOT_A_PHONE
