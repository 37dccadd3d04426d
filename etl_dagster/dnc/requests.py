"""Requests to be left alone, one dated row each: the internal list's own record.

Belongs here: rows of `request`. Does not: bitmaps of the same numbers, which answer quickly for
today (opt_outs.py keeps both in one transaction). Rows answer for any moment: a request counts from
when it was received, whenever it was written down.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.errors import DncCorruptError

OPT_OUT: Final = "opt-out"
REMOVAL: Final = "removal"
_COLUMNS: Final = "list, version, phone, action, effective, source, by, note, recorded_at"


class Request(NamedTuple):
    """One row: who asked for what, when, how, and who wrote it down."""

    list: int
    version: int
    phone: int
    action: str
    effective: int
    source: str
    by: str
    note: str
    recorded_at: int


def insert(connection: sqlite3.Connection, rows: Iterable[Request]) -> int:
    """Write requests and return how many."""
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO request ({_COLUMNS}, crc) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  our columns
        ((*row, checksum(row)) for row in rows),
    )
    return connection.total_changes - before


def of_list(
    connection: sqlite3.Connection, list_id: int, version: int, expected: int
) -> Iterator[Request]:
    """Yield a list's requests up to a version, in the order written.

    Raises:
        DncCorruptError: a row is damaged, or their number is not the expected one.
    """
    count = 0
    for row in _checked(
        connection.execute(
            f"SELECT {_COLUMNS}, crc FROM request NOT INDEXED"  # noqa: S608  our columns
            " WHERE list = ? AND version <= ? ORDER BY id",
            (list_id, version),
        )
    ):
        count += 1
        yield row
    if count != expected:
        raise DncCorruptError(
            f"{count:,} of {expected:,} opt-out requests found: the store is damaged; restore it "
            "from a backup"
        )


def of_phone(connection: sqlite3.Connection, phone: int) -> list[Request]:
    """Return all requests about a phone, in the order written."""
    return list(
        _checked(
            connection.execute(
                f"SELECT {_COLUMNS}, crc FROM request WHERE phone = ? ORDER BY id",  # noqa: S608  our columns
                (phone,),
            )
        )
    )


def in_force(rows: Iterable[Request], as_of: int) -> NDArray[np.int64]:
    """Return the phones opted out at a moment, ascending.

    A removal lifts the requests written down before it, from the moment it took effect.
    """
    phones: set[int] = set()
    for row in rows:
        if row.effective > as_of:
            continue
        if row.action == OPT_OUT:
            phones.add(row.phone)
        else:
            phones.discard(row.phone)
    return np.array(sorted(phones), dtype=np.int64)


def _checked(rows: Iterable[tuple[Any, ...]]) -> Iterator[Request]:
    for row in rows:
        if checksum(row[:-1]) != row[-1]:
            raise DncCorruptError(
                "an opt-out request does not match its checksum: the store is damaged; restore "
                "it from a backup"
            )
        yield Request._make(row[:-1])


def checksum(row: tuple[Any, ...]) -> int:
    """Checksum of the row as JSON, which put together by hand takes a third of the time."""
    number, version, phone, action, effective, source, by, note, recorded_at = row
    try:
        text = (
            f"[{number:d}, {version:d}, {phone:d}, {_quoted(action)}, {effective:d},"
            f" {_quoted(source)}, {_quoted(by)}, {_quoted(note)}, {recorded_at:d}]"
        )
    except (TypeError, ValueError):  # of another type than the schema's: damaged, if it was read
        text = json.dumps(row, default=repr)
    return zlib.crc32(text.encode())
