"""The numbers of one area code in SQLite: a base and what changed since, each with its checksum.

Belongs here: writing, reading and checking rows of `segment` and `page`, and the shape of the
chain from a segment back to its base. Does not: lists, versions, who may be called.

Segments are never altered. The k-th change since a base stores what changed since change
`k - RADIX**j`, where `RADIX**j` is the largest power that divides k: so a chain over n changes has
fewer than `RADIX * log(n)` links, every moment keeps its own segment, and no history is rewritten.
A change that grows beyond a share of its base becomes a base itself.
"""

import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from etl_dagster.dnc import pages
from etl_dagster.dnc.errors import DncCorruptError

RADIX: Final = 8
"""Links a chain grows by before they are merged into one."""
REBASE_SHARE: Final = 4
"""A change larger than a quarter of its base becomes a base."""
RANGE_READ: Final = 20
"""From so many pages of an area code on, one range read is faster than single ones."""
BATCH_BYTES: Final = 8 * 1024**2
"""Pages held in memory at once."""

_KEY: Final = struct.Struct("<qqqqI")
_PAGE: Final = np.dtype([("page", "u1"), ("size", "<u2"), ("crc", "<u4")])
_LENGTH: Final = struct.Struct("<I")


class Ref(NamedTuple):
    """Where a segment is, and the checksum that it must have."""

    id: int
    crc: int


@dataclass(frozen=True)
class Chain:
    """A segment resolved to its base: which pages to read, and what changed since."""

    base: int
    directory: NDArray[np.void]
    adds: BitMap
    deletes: BitMap


class _Part(NamedTuple):
    """Some numbers of one area code, and what is needed to look them up."""

    chain: Chain
    local: NDArray[np.uint32]
    page: NDArray[np.uint32]
    held: NDArray[np.void]


class _Row(NamedTuple):
    ref: Ref
    link: int
    parent: Ref
    body: bytes


class Segments:
    """Reads and writes the segments of a store over one connection.

    Args:
        connection: inside a transaction, so that every read sees the same store.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write_base(self, area: int, bits: pages.Bits) -> Ref:
        """Store an area code whole and return where it is."""
        segment = self._next_id()
        rows = list(pages.encode(bits))
        self._connection.executemany(
            "INSERT INTO page (id, bits) VALUES (?, ?)",
            ((segment * pages.PAGES + page, blob) for page, blob in rows),
        )
        directory = np.array(
            [
                (page, len(blob), zlib.crc32(blob, segment * pages.PAGES + page))
                for page, blob in rows
            ],
            dtype=_PAGE,
        )
        return self._insert(segment, area, 0, Ref(0, 0), directory.tobytes())

    def append(self, tip: Ref, area: int, adds: BitMap, deletes: BitMap) -> Ref:
        """Store what changed since `tip` and return where it is.

        Args:
            tip: the segment that the change applies to.
            area: its area code.
            adds: numbers that are not yet in it.
            deletes: numbers that are in it, none of them in `adds`.
        """
        row = self._read(tip, area)
        link = row.link + 1
        span = 1
        while link % (span * RADIX) == 0:
            span *= RADIX
        while row.link > link - span:
            adds, deletes = _merge(*_unpack_change(row.body), adds, deletes)
            row = self._read(row.parent, area)
        body = _pack_change(adds, deletes)
        base = self.resolve(row.ref, area)
        if len(body) * REBASE_SHARE > int(base.directory["size"].sum(dtype=np.int64)):
            bits = self.bits(row.ref, area)
            _apply(bits, adds, deletes)
            return self.write_base(area, bits)
        return self._insert(self._next_id(), area, link, row.ref, body)

    def resolve(self, tip: Ref, area: int) -> Chain:
        """Follow a segment back to its base, checking each link."""
        adds, deletes = BitMap(), BitMap()
        row = self._read(tip, area)
        while row.link:
            adds, deletes = _merge(*_unpack_change(row.body), adds, deletes)
            row = self._read(row.parent, area)
        return Chain(row.ref.id, np.frombuffer(row.body, dtype=_PAGE), adds, deletes)

    def bits(self, tip: Ref, area: int) -> pages.Bits:
        """Read an area code whole, as bits; the array is the caller's own."""
        chain = self.resolve(tip, area)
        blobs = self._pages(chain.base, chain.directory)
        bits = pages.decode(list(zip(chain.directory["page"].tolist(), blobs, strict=True)))
        _apply(bits, chain.adds, chain.deletes)
        return bits

    def contains(self, tip: Ref, area: int, local: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Tell which 7-digit numbers are in a segment."""
        return next(self.contains_each([(tip, area, local)]))

    def contains_each(
        self, parts: Iterable[tuple[Ref, int, NDArray[np.uint32]]]
    ) -> Iterator[NDArray[np.bool_]]:
        """Tell for each segment, its area code and some 7-digit numbers which it has.

        Only the pages that are needed are read; numpy then works on many area codes at once.
        """
        batch, size = list[_Part](), 0
        for tip, area, local in parts:
            part = self._part(tip, area, local)
            batch.append(part)
            size += int(part.held["size"].sum(dtype=np.int64))
            if size > BATCH_BYTES:
                yield from self._contains(batch)
                batch, size = [], 0
        yield from self._contains(batch)

    def _part(self, tip: Ref, area: int, local: NDArray[np.uint32]) -> "_Part":
        chain = self.resolve(tip, area)
        page = local // np.uint32(pages.AREA_NUMBERS // pages.PAGES)
        wanted = np.zeros(pages.PAGES, dtype=np.bool_)
        wanted[page] = True
        return _Part(chain, local, page, chain.directory[wanted[chain.directory["page"]]])

    def _contains(self, batch: Sequence["_Part"]) -> Iterator[NDArray[np.bool_]]:
        if not batch:
            return
        blobs, index = list[bytes](), list[NDArray[np.int64]]()
        for part in batch:
            blob_of = np.full(pages.PAGES, -1, dtype=np.int64)
            blob_of[part.held["page"]] = len(blobs) + np.arange(len(part.held))
            index.append(blob_of[part.page])
            blobs += self._pages(part.chain.base, part.held)
        hits = pages.contains(
            blobs, np.concatenate(index), np.concatenate([part.local for part in batch])
        )
        start = 0
        for part in batch:
            hit = hits[start : start + len(part.local)]
            start += len(part.local)
            if part.chain.deletes:
                hit &= ~_in_bitmap(part.chain.deletes, part.local)
            if part.chain.adds:
                hit |= _in_bitmap(part.chain.adds, part.local)
            yield hit

    def lineage(self, tip: Ref, area: int) -> Iterator[Ref]:
        """Yield a segment and all that it stands on, down to its base."""
        row = self._read(tip, area)
        yield row.ref
        while row.link:
            row = self._read(row.parent, area)
            yield row.ref

    def _pages(self, base: int, held: NDArray[np.void]) -> list[bytes]:
        """Read pages of a base; each must be there and match its checksum."""
        first = base * pages.PAGES
        if len(held) >= RANGE_READ:
            rows = self._connection.execute(
                "SELECT id, bits FROM page WHERE id BETWEEN ? AND ?",
                (first + int(held["page"][0]), first + int(held["page"][-1])),
            ).fetchall()
        else:
            rows = [
                row
                for page in held["page"].tolist()
                for row in self._connection.execute(
                    "SELECT id, bits FROM page WHERE id = ?", (first + page,)
                )
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

    def _read(self, ref: Ref, area: int) -> _Row:
        row = self._connection.execute(
            "SELECT area, link, parent, parent_crc, body FROM segment WHERE id = ?", (ref.id,)
        ).fetchone()
        if row is None or row[0] != area or _segment_crc(ref.id, *row[:5]) != ref.crc:
            raise DncCorruptError(
                f"segment {ref.id} of area code {area} is damaged or missing: restore the store "
                "from a backup, or rebuild it from the list files"
            )
        return _Row(ref, row[1], Ref(row[2], row[3]), row[4])

    def _insert(self, segment: int, area: int, link: int, parent: Ref, body: bytes) -> Ref:
        crc = zlib.crc32(body, zlib.crc32(_KEY.pack(segment, area, link, parent.id, parent.crc)))
        self._connection.execute(
            "INSERT INTO segment (id, area, link, parent, parent_crc, body) VALUES (?, ?, ?, ?, ?, ?)",
            (segment, area, link, parent.id, parent.crc, body),
        )
        return Ref(segment, crc)

    def _next_id(self) -> int:
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM segment").fetchone()
        return int(last) + 1


def _merge(
    old_adds: BitMap, old_deletes: BitMap, adds: BitMap, deletes: BitMap
) -> tuple[BitMap, BitMap]:
    """Make one change of two, the older one first: the newer one has the last word."""
    return adds | (old_adds - deletes), deletes | (old_deletes - adds)


def _apply(bits: pages.Bits, adds: BitMap, deletes: BitMap) -> None:
    if deletes:
        bits &= ~pages.pack(to_array(deletes))
    if adds:
        bits |= pages.pack(to_array(adds))


def to_array(bitmap: BitMap) -> NDArray[np.uint32]:
    """List the numbers of a Roaring bitmap, ascending."""
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32)


def _in_bitmap(bitmap: BitMap, local: NDArray[np.uint32]) -> NDArray[np.bool_]:
    held = to_array(bitmap)
    at = np.searchsorted(held, local)
    at[at == len(held)] = 0
    found: NDArray[np.bool_] = held[at] == local
    return found


def _pack_change(adds: BitMap, deletes: BitMap) -> bytes:
    first = bytes(adds.serialize())
    return _LENGTH.pack(len(first)) + first + bytes(deletes.serialize())


def _unpack_change(body: bytes) -> tuple[BitMap, BitMap]:
    end = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    return BitMap.deserialize(body[_LENGTH.size : end]), BitMap.deserialize(body[end:])


def _segment_crc(  # noqa: PLR0913 - the columns of the row
    segment: int, area: int, link: int, parent: int, parent_crc: int, body: bytes
) -> int | None:
    """Compute the checksum of a row, or None where damage changed the type of a column."""
    if not isinstance(body, bytes) or not all(
        isinstance(part, int) for part in (area, link, parent, parent_crc)
    ):
        return None
    return zlib.crc32(body, zlib.crc32(_KEY.pack(segment, area, link, parent, parent_crc)))
