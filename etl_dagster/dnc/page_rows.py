"""Pages of a base in SQLite: written with their checksums, read only if they still match.

Belongs here: rows of `page` and the directory that a base keeps of them. Does not: what is in a
page (pages.py).
"""

import sqlite3
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import pages
from etl_dagster.dnc.errors import DncCorruptError

DIRECTORY: Final = np.dtype([("page", "u1"), ("size", "<u2"), ("crc", "<u4")])
"""One row per page of a base that is not empty, ascending."""
RANGE_READ: Final = 20
"""From so many pages of an area code on, one range read is faster than single ones."""


def write_pages(connection: sqlite3.Connection, base: int, bits: pages.Bits) -> NDArray[np.void]:
    """Store an area code's pages and return their directory."""
    first, rows = base * pages.PAGES, list(pages.encode(bits))
    connection.executemany(
        "INSERT INTO page (id, bits) VALUES (?, ?)", ((first + page, blob) for page, blob in rows)
    )
    return np.array(
        [(page, len(blob), zlib.crc32(blob, first + page)) for page, blob in rows],
        dtype=DIRECTORY,
    )


def read_pages(connection: sqlite3.Connection, base: int, held: NDArray[np.void]) -> list[bytes]:
    """Read pages of a base.

    Args:
        connection: inside a transaction.
        base: the segment.
        held: the rows of its directory to read.

    Raises:
        DncCorruptError: a page is not there or does not match its checksum.
    """
    first = base * pages.PAGES
    if len(held) >= RANGE_READ:
        rows = connection.execute(
            "SELECT id, bits FROM page WHERE id BETWEEN ? AND ?",
            (first + int(held["page"][0]), first + int(held["page"][-1])),
        ).fetchall()
    else:
        rows = [
            row
            for page in held["page"].tolist()
            for row in connection.execute("SELECT id, bits FROM page WHERE id = ?", (first + page,))
        ]
    found, out = dict(rows), list[bytes]()
    for page, size, crc in held.tolist():
        blob = found.get(first + page)
        if (
            not isinstance(blob, bytes)
            or len(blob) != size
            or zlib.crc32(blob, first + page) != crc
        ):
            raise DncCorruptError(
                f"page {page} of segment {base} is damaged or missing: restore the store from "
                "a backup, or rebuild it from the list files"
            )
        out.append(blob)
    return out
