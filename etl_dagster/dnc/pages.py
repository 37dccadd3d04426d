"""How the numbers of one area code are laid out in bytes, and how many are asked at once.

Belongs here: pure functions between arrays and bytes. Does not: SQLite, versions, checksums.

An area code is 1,000 exchanges of 10,000 numbers. A *page* holds ten exchanges: ten counts
(`<u2`), then for each exchange that is not empty either its sorted last four digits (`<u2` each,
up to 625 of them) or, beyond that, 1,250 bytes of bits. It is the idea of Roaring bitmaps with
containers that are the numbering plan's own: an exchange that was never assigned costs nothing, and
a page is found, checked and read without the other 99.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

AREA_NUMBERS: Final = 10_000_000
"""Numbers in an area code."""
EXCHANGES: Final = 1_000
EXCHANGE_NUMBERS: Final = 10_000
EXCHANGE_BYTES: Final = EXCHANGE_NUMBERS // 8
PAGES: Final = 100
"""Pages in an area code."""
PAGE_EXCHANGES: Final = EXCHANGES // PAGES
SPARSE_MOST: Final = EXCHANGE_BYTES // 2
"""Up to so many numbers, an exchange is smaller as a list than as bits."""
_FEW: Final = 50_000
"""Below so many numbers, setting bits singly beats going through the whole area code."""
_HEADER: Final = 2 * PAGE_EXCHANGES

Bits = NDArray[np.uint8]
"""The whole area code, one bit a number, lowest bit first: 1,250,000 bytes."""


def pack(local: NDArray[np.uint32]) -> Bits:
    """Set one bit per 7-digit number; duplicates are fine."""
    if len(local) < _FEW:
        bits = np.zeros(AREA_NUMBERS // 8, dtype=np.uint8)
        flag = np.left_shift(np.uint8(1), (local & np.uint32(7)).astype(np.uint8))
        np.bitwise_or.at(bits, local >> np.uint32(3), flag)
        return bits
    flags = np.zeros(AREA_NUMBERS, dtype=np.bool_)
    flags[local] = True
    return np.packbits(flags, bitorder="little")


def unpack(bits: Bits) -> NDArray[np.uint32]:
    """List the 7-digit numbers whose bit is set, ascending."""
    words = bits.view("<u8")
    held = np.flatnonzero(words)
    at = np.flatnonzero(np.unpackbits(words[held].view(np.uint8), bitorder="little").view(np.bool_))
    numbers: NDArray[np.uint32] = (held[at >> 6] * 64 + (at & 63)).astype(np.uint32)
    return numbers


def count(bits: Bits) -> int:
    """Count the numbers."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def size(bits: Bits) -> int:
    """Tell how many bytes `encode` will make of them."""
    counts = _counts(bits)
    paged = np.count_nonzero(counts.reshape(PAGES, -1).any(axis=1))
    return int(_sizes(counts).sum()) + int(paged) * _HEADER


def encode(bits: Bits) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each page that is not empty."""
    rows, counts = bits.reshape(EXCHANGES, EXCHANGE_BYTES), _counts(bits)
    sparse = (counts > 0) & (counts <= SPARSE_MOST)
    last_four = (unpack(bits) % EXCHANGE_NUMBERS).astype("<u2") if sparse.any() else None
    ends = np.cumsum(counts)
    for page in np.flatnonzero(counts.reshape(PAGES, -1).any(axis=1)).tolist():
        first = page * PAGE_EXCHANGES
        parts = [counts[first : first + PAGE_EXCHANGES].astype("<u2").tobytes()]
        for exchange in range(first, first + PAGE_EXCHANGES):
            if counts[exchange] > SPARSE_MOST:
                parts.append(rows[exchange].tobytes())
            elif last_four is not None:
                end = ends[exchange]
                parts.append(last_four[end - counts[exchange] : end].tobytes())
        yield page, b"".join(parts)


def decode(pages: Sequence[tuple[int, bytes]]) -> Bits:
    """Build the whole area code from its pages."""
    rows = np.zeros((PAGES, PAGE_EXCHANGES, EXCHANGE_BYTES), dtype=np.uint8)
    if not pages:
        return rows.reshape(-1)
    buffer, held, starts = _directory([blob for _, blob in pages])
    number = np.fromiter((page for page, _ in pages), dtype=np.int64, count=len(pages))
    at, exchange = np.nonzero(held > SPARSE_MOST)
    rows[number[at], exchange] = buffer[starts[at, exchange][:, None] + np.arange(EXCHANGE_BYTES)]
    bits = rows.reshape(-1)
    at, exchange = np.nonzero((held > 0) & (held <= SPARSE_MOST))
    if len(at):
        counts = held[at, exchange]
        where = np.repeat(starts[at, exchange] // 2 - (np.cumsum(counts) - counts), counts)
        last_four = buffer.view("<u2")[where + np.arange(len(where))]
        first = (number[at] * PAGE_EXCHANGES + exchange) * EXCHANGE_NUMBERS
        bits |= pack((np.repeat(first, counts) + last_four).astype(np.uint32))
    return bits


def contains(
    blobs: Sequence[bytes], blob_of: NDArray[np.int32], local: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Tell which 7-digit numbers are set, in pages of any number of area codes at once.

    Args:
        blobs: the pages.
        blob_of: per number, the index of its page in `blobs`; -1 if it has none.
        local: the numbers.
    """
    hit = np.zeros(len(local), dtype=np.bool_)
    if not blobs:
        return hit
    # An empty page in front stands for those that are not there.
    buffer, counts, starts = _directory([bytes(_HEADER), *blobs])
    exchange = local // np.uint32(EXCHANGE_NUMBERS)
    last_four = local - exchange * np.uint32(EXCHANGE_NUMBERS)
    place = (blob_of + 1) * PAGE_EXCHANGES + (exchange % np.uint32(PAGE_EXCHANGES)).view(np.int32)
    held = counts.astype(np.int32).reshape(-1)[place]
    start = starts.astype(np.int32).reshape(-1)[place]
    dense = np.flatnonzero(held > SPARSE_MOST)
    number = last_four[dense]
    byte = buffer[start[dense] + (number >> np.uint32(3)).view(np.int32)]
    hit[dense] = (byte >> (number & np.uint32(7)).astype(np.uint8)) & np.uint8(1)
    sparse = np.flatnonzero((held > 0) & (held <= SPARSE_MOST))
    if len(sparse):
        first = start[sparse] >> 1
        hit[sparse] = _search(buffer.view("<u2"), first, held[sparse], last_four[sparse])
    return hit


def _search(
    words: NDArray[np.uint16],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    wanted: NDArray[np.uint32],
) -> NDArray[np.bool_]:
    """Search the `count` words from `first` on for each wanted number, all at once, by halving.

    Invariant: if the number is there, it is among the `left` words from `low` on.
    """
    low, left = first.copy(), count.copy()
    for _ in range(int(count.max()).bit_length()):
        half = left >> 1
        low += half * (words[low + half] <= wanted)
        left -= half
    found: NDArray[np.bool_] = words[low] == wanted
    return found


def _directory(blobs: Sequence[bytes]) -> tuple[Bits, NDArray[np.int64], NDArray[np.int64]]:
    """Join pages and tell per page and exchange how many numbers there are and where they start.

    The buffer is two bytes longer than the pages, so that a search may read at its end.
    """
    buffer = np.frombuffer(b"".join([*blobs, b"\0\0"]), dtype=np.uint8)
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs))
    starts = (np.cumsum(lengths) - lengths)[:, None]
    held = buffer[starts + np.arange(_HEADER)].view("<u2").astype(np.int64)
    sizes = _sizes(held)
    return buffer, held, starts + _HEADER + np.cumsum(sizes, axis=1) - sizes


def _counts(bits: Bits) -> NDArray[np.int64]:
    rows = np.bitwise_count(bits.reshape(EXCHANGES, EXCHANGE_BYTES))
    counts: NDArray[np.int64] = rows.sum(axis=1, dtype=np.int64)
    return counts


def _sizes(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(counts > SPARSE_MOST, EXCHANGE_BYTES, 2 * counts)
