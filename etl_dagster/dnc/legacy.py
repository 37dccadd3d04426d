"""Importing an existing `dnc_list` database, however large, in flat memory.

Belongs here: reading `dnc_list(area_code, phone_number, full_phone)`, where `full_phone` is TEXT or
INTEGER. Does not: everything after that, which is a full list like any other.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.errors import DncFormatError
from etl_dagster.dnc.formats import LOWEST, NAMED_MOST
from etl_dagster.dnc.phones_text import NOT_A_PHONE, read_phones
from etl_dagster.dnc.sources import Progress
from etl_dagster.dnc.writer import Read

_ROWS: Final = 50_000
_PLAIN: Final = "[0-9]" * 10


def all_in(path: Path) -> Path:
    """The file of a database, if all of it is in there: by its digest it is known again.

    Raises:
        DncFormatError: its log has what it lacks.
    """
    log = path.resolve().with_name(f"{path.resolve().name}-wal")
    if log.exists() and log.stat().st_size:
        raise DncFormatError(
            f"{path.name} is in use, and part of it is in {log.name}: close what writes to it, or"
            " have SQLite do `PRAGMA wal_checkpoint(TRUNCATE)`, and import it then"
        )
    return path


def numbers(
    paths: Sequence[Path], read: Read, progress: Progress | None
) -> Iterator[NDArray[np.int64]]:
    """Read the numbers of one database; see `loading.add_list`."""
    (path,) = paths
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
        return value
    return int(read_phones([value])[0]) if isinstance(value, str) else NOT_A_PHONE
