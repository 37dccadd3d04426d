"""What changed in an area code: numbers that came and numbers that went, as one sorted array.

Belongs here: pure functions on such changes. Does not: where they are stored (segments.py).

A change is a `<u4` array of *marks*, at least one, ascending: twice the 7-digit number, plus one if
it came. A day's changes are so scattered that this is smaller than a Roaring bitmap, and it is read
as is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import pages

Marks = NDArray[np.uint32]


def mark(adds: NDArray[np.uint32], deletes: NDArray[np.uint32]) -> Marks:
    """Make a change of numbers that come and numbers that go; none of them in both."""
    one = np.uint32(1)
    return np.sort(np.concatenate([adds << one | one, deletes << one])).astype("<u4")


def merge(newest_first: Sequence[Marks]) -> Marks:
    """Make one change of several: of each number the newest mark counts."""
    marks = np.concatenate(newest_first)
    _, first = np.unique(marks >> np.uint32(1), return_index=True)
    merged: Marks = marks[first]
    return merged


def apply(bits: pages.Bits, marks: Marks) -> None:
    """Make a change to the bits of an area code, in place."""
    came = (marks & np.uint32(1)).astype(np.bool_)
    numbers = marks >> np.uint32(1)
    bits &= ~pages.pack(numbers[~came])
    bits |= pages.pack(numbers[came])


def overlay(hit: NDArray[np.bool_], marks: Marks, local: NDArray[np.uint32]) -> None:
    """Correct, in place, which of some numbers are held before the change to which are after."""
    at = np.searchsorted(marks >> np.uint32(1), local)
    at[at == len(marks)] = 0
    found = np.flatnonzero(marks[at] >> np.uint32(1) == local)
    hit[found] = marks[at[found]] & np.uint32(1)
