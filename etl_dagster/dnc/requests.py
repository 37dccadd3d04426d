"""Requests to be left alone, one dated row each: the internal list's own record.

Belongs here: rows of `request`, and what they alone tell: who is opted out, since when. Does not:
bitmaps of the same numbers, which answer quickly for today (opt_outs.py keeps both in one
transaction). Rows answer for any moment: a request counts from when it was received, whenever it
was written down.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncCorruptError
from etl_dagster.dnc.moments import micros
from etl_dagster.dnc.records import ListInfo

Moments = NDArray[np.datetime64]
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


def insert(connection: sqlite3.Connection, rows: Iterable[Request]) -> None:
    """Write requests."""
    connection.executemany(
        f"INSERT INTO request ({_COLUMNS}, crc) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  our columns
        ((*row, checksum(row)) for row in rows),
    )


def of_list(
    connection: sqlite3.Connection, catalog: Catalog, info: ListInfo, version: int
) -> Iterator[Request]:
    """Yield a list's requests up to a version, in the order written.

    Raises:
        DncCorruptError: a row is damaged, or their number is not that of the version.
    """
    expected = catalog.versions(info)[version - 1].requests if version else 0
    count = 0
    for row in _checked(
        connection.execute(
            f"SELECT {_COLUMNS}, crc FROM request NOT INDEXED"  # noqa: S608  our columns
            " WHERE list = ? AND version <= ? ORDER BY id",
            (info.id, version),
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


def standing(requests: Iterable[Request]) -> tuple[NDArray[np.int64], Moments]:
    """Whose requests stand, and since when.

    Args:
        requests: those of one list in the order written.

    Returns:
        Phones, ascending, int64; and per phone when it first asked, since it was opted in last if
        it ever was: datetime64[us] in UTC.
    """
    since: dict[int, int] = {}
    for row in requests:
        if row.action == OPT_OUT:
            since[row.phone] = min(row.effective, since.get(row.phone, row.effective))
        else:
            since.pop(row.phone, None)
    phones = np.array(sorted(since), np.int64)
    return phones, _as_times([since[phone] for phone in phones.tolist()])


def recorded(requests: Iterable[Request], *, since: datetime) -> tuple[Moments, Moments]:
    """When each opt-out that was recorded since a moment was asked for, and when recorded."""
    earliest = micros(since)
    rows = [row for row in requests if row.action == OPT_OUT and row.recorded_at >= earliest]
    return _as_times([row.effective for row in rows]), _as_times([row.recorded_at for row in rows])


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


def _as_times(values: list[int]) -> Moments:
    return np.array(values, np.int64).view("datetime64[us]")
