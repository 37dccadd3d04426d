"""One area code's entry in a list: made from a full list, or from what changed.

Belongs here: turning numbers into a segment and the entry that points to it, with its count and
its canaries. Does not: whether the change is acceptable (loading.py), how segments are stored.

Canaries come from the numbers that were read, not from what was stored: a store that mixes up
types or loses bits cannot confirm itself.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import deltas, pages
from etl_dagster.dnc.records import NOBODY, tip
from etl_dagster.dnc.segments import REBASE_SHARE, Segments

_BYTES_A_CHANGE = 4
"""What a change takes for each number (deltas.py)."""


class Changed(NamedTuple):
    """An entry, and how many numbers came and went."""

    entry: np.void
    added: int
    removed: int


def replaced(
    segments: Segments, old: np.void, bits: pages.Bits, *, version: int, as_of: int
) -> Changed:
    """Put a full list of an area code in place, storing what changed if that is little.

    Args:
        segments: where to store it.
        old: the entry in place; its `tip` is 0 if there is none.
        bits: all numbers of the area code.
        version: the version that is being written.
        as_of: the date of the list, microseconds.
    """
    area, total = int(old["area"]), pages.count(bits)
    entry = old.copy()
    entry["version"], entry["full"], entry["as_of"], entry["count"] = version, version, as_of, total
    entry["listed"], entry["absent"] = _first(bits), _first(~bits)
    if not old["tip"]:
        entry["tip"], entry["crc"] = segments.write_base(area, bits)
        return Changed(entry, total, 0)
    before = segments.bits(tip(old), area)
    new, gone = bits & ~before, before & ~bits
    added, removed = pages.count(new), pages.count(gone)
    if added + removed == 0:
        return Changed(entry, 0, 0)
    if (added + removed) * _BYTES_A_CHANGE * REBASE_SHARE > pages.size(bits):
        ref = segments.write_base(area, bits)
    else:
        ref = segments.append(tip(old), area, deltas.mark(pages.unpack(new), pages.unpack(gone)))
    entry["tip"], entry["crc"] = ref
    return Changed(entry, added, removed)


def changed(  # noqa: PLR0913 - all are needed
    segments: Segments,
    old: np.void,
    adds: NDArray[np.uint32],
    deletes: NDArray[np.uint32],
    *,
    version: int,
    as_of: int,
) -> Changed:
    """Put what changed in an area code in place.

    Args:
        segments: where to store it.
        old: the entry in place; its `tip` is 0 if there is none.
        adds: numbers to have, already there or not.
        deletes: numbers not to have, there or not; none of them in `adds`.
        version: the version that is being written.
        as_of: the date of the change, microseconds.
    """
    area = int(old["area"])
    if not old["tip"]:
        made = replaced(segments, old, pages.pack(adds), version=version, as_of=as_of)
        made.entry["full"] = 0
        return made
    entry, before = old.copy(), tip(old)
    adds = np.unique(adds)
    adds = adds[~segments.contains(before, area, adds)]
    deletes = np.unique(deletes)
    deletes = deletes[segments.contains(before, area, deletes)]
    entry["version"], entry["as_of"] = version, as_of
    if not len(adds) and not len(deletes):
        return Changed(entry, 0, 0)
    entry["count"] = int(old["count"]) + len(adds) - len(deletes)
    entry["tip"], entry["crc"] = segments.append(before, area, deltas.mark(adds, deletes))
    if old["listed"] in deletes or old["listed"] == NOBODY:
        entry["listed"] = adds[0] if len(adds) else _first(segments.bits(tip(entry), area))
    if old["absent"] in adds:
        entry["absent"] = deletes[0] if len(deletes) else _first(~segments.bits(tip(entry), area))
    return Changed(entry, len(adds), len(deletes))


def _first(bits: pages.Bits) -> int:
    """Return a number whose bit is set, from the middle of them, or `NOBODY`."""
    words = bits.view("<u8")
    held = np.flatnonzero(words)
    if not len(held):
        return NOBODY
    word = int(held[len(held) // 2])
    return word * 64 + int(words[word]).bit_length() - 1
