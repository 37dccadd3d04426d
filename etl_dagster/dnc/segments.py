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
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import deltas, pages
from etl_dagster.dnc.errors import DncCorruptError
from etl_dagster.dnc.page_rows import DIRECTORY, read_pages, write_pages

RADIX: Final = 8
"""Links a chain grows by before they are merged into one."""
REBASE_SHARE: Final = 4
"""A change larger than a quarter of its base becomes a base."""
BATCH_BYTES: Final = 8 * 1024**2
"""Pages held in memory at once."""
BATCH_PHONES: Final = 65_536
"""Phones looked up at once: as many as keep numpy's temporary arrays in the processor's cache."""
MERGE_FROM: Final = 200
"""From so many phones of an area code on, its changes are merged before they are searched."""

_KEY: Final = struct.Struct("<qqqqI")


class Ref(NamedTuple):
    """Where a segment is, and the checksum that it must have."""

    id: int
    crc: int


@dataclass(frozen=True)
class Chain:
    """A segment resolved to its base: which pages to read, and what changed since, newest first."""

    base: int
    directory: NDArray[np.void]
    changes: list[deltas.Marks]


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
        directory = write_pages(self._connection, segment, bits)
        return self._insert(segment, area, 0, Ref(0, 0), directory.tobytes())

    def append(self, tip: Ref, area: int, change: deltas.Marks) -> Ref:
        """Store what changed since `tip` and return where it is.

        Args:
            tip: the segment that the change applies to.
            area: its area code.
            change: what came that was not there, and what went that was.
        """
        row = self._read(tip, area)
        link = row.link + 1
        span = 1
        while link % (span * RADIX) == 0:
            span *= RADIX
        changes = [change]
        while row.link > link - span:
            changes.append(_marks(row.body))
            row = self._read(row.parent, area)
        change = deltas.merge(changes)
        base = self.resolve(row.ref, area)
        if change.nbytes * REBASE_SHARE > int(base.directory["size"].sum(dtype=np.int64)):
            bits = self.bits(row.ref, area)
            deltas.apply(bits, change)
            return self.write_base(area, bits)
        return self._insert(self._next_id(), area, link, row.ref, change.tobytes())

    def resolve(self, tip: Ref, area: int) -> Chain:
        """Follow a segment back to its base, checking each link."""
        changes = []
        row = self._read(tip, area)
        while row.link:
            changes.append(_marks(row.body))
            row = self._read(row.parent, area)
        return Chain(row.ref.id, np.frombuffer(row.body, dtype=DIRECTORY), changes)

    def bits(self, tip: Ref, area: int) -> pages.Bits:
        """Read an area code whole, as bits; the array is the caller's own."""
        chain = self.resolve(tip, area)
        blobs = read_pages(self._connection, chain.base, chain.directory)
        bits = pages.decode(list(zip(chain.directory["page"].tolist(), blobs, strict=True)))
        if chain.changes:
            deltas.apply(bits, deltas.merge(chain.changes))
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
        batch, size, phones = list[_Part](), 0, 0
        for tip, area, local in parts:
            part = self._part(tip, area, local)
            batch.append(part)
            size += int(part.held["size"].sum(dtype=np.int64))
            phones += len(local)
            if size > BATCH_BYTES or phones > BATCH_PHONES:
                yield from self._contains(batch)
                batch, size, phones = [], 0, 0
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
        blobs, index = list[bytes](), list[NDArray[np.int32]]()
        for part in batch:
            blob_of = np.full(pages.PAGES, -1, dtype=np.int32)
            blob_of[part.held["page"]] = len(blobs) + np.arange(len(part.held))
            index.append(blob_of[part.page])
            blobs += read_pages(self._connection, part.chain.base, part.held)
        hits = pages.contains(
            blobs, np.concatenate(index), np.concatenate([part.local for part in batch])
        )
        start = 0
        for part in batch:
            hit = hits[start : start + len(part.local)]
            start += len(part.local)
            changes = part.chain.changes
            if len(changes) > 1 and len(part.local) > MERGE_FROM:
                changes = [deltas.merge(changes)]
            for change in reversed(changes):
                deltas.overlay(hit, change, part.local)
            yield hit

    def lineage(self, tip: Ref, area: int) -> Iterator[Ref]:
        """Yield a segment and all that it stands on, down to its base."""
        row = self._read(tip, area)
        yield row.ref
        while row.link:
            row = self._read(row.parent, area)
            yield row.ref

    def _read(self, ref: Ref, area: int) -> _Row:
        row = self._connection.execute(
            "SELECT area, link, parent, parent_crc, body FROM segment WHERE id = ?", (ref.id,)
        ).fetchone()
        if row is None or row[0] != area or _segment_crc(ref.id, row) != ref.crc:
            raise DncCorruptError(
                f"segment {ref.id} of area code {area} is damaged or missing: restore the store "
                "from a backup, or rebuild it from the list files"
            )
        return _Row(ref, row[1], Ref(row[2], row[3]), row[4])

    def _insert(self, segment: int, area: int, link: int, parent: Ref, body: bytes) -> Ref:
        crc = zlib.crc32(body, zlib.crc32(_KEY.pack(segment, area, link, parent.id, parent.crc)))
        self._connection.execute(
            "INSERT INTO segment (id, area, link, parent, parent_crc, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (segment, area, link, parent.id, parent.crc, body),
        )
        return Ref(segment, crc)

    def _next_id(self) -> int:
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM segment").fetchone()
        return int(last) + 1


def _marks(body: bytes) -> deltas.Marks:
    return np.frombuffer(body, dtype="<u4")


def _segment_crc(segment: int, columns: tuple[Any, ...]) -> int | None:
    """Compute the checksum of a row, or None where damage left a column that it never has."""
    *numbers, body = columns
    try:
        return zlib.crc32(body, zlib.crc32(_KEY.pack(segment, *numbers)))
    except (TypeError, struct.error):
        return None
