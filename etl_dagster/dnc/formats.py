"""List files as text: telling formats apart, and reading full lists.

Belongs here: text to numbers. Does not: opening files (sources.py), CSV (csv_lists.py), XML
(xml_lists.py), changes (change_lists.py), what is done with the numbers. A line that cannot be read
is counted and named by its number, never quoted.

Source of the formats: the registry's flat text is `407,5551234`, or ten digits, a line; its change
lists are `4075551234,2026-08-29T08:00:00,A`.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.errors import DncFormatError
from etl_dagster.dnc.phones_text import NOT_A_PHONE, digits, read_phones
from etl_dagster.dnc.sources import Member

CHUNK: Final = 1024**2
"""Bytes of text read at once."""
BATCH: Final = 100_000
"""Rows gathered where they come one by one."""
NAMED_MOST: Final = 10
"""Malformed lines that are named; the others are only counted."""
LOWEST: Final = 2_000_000_000
"""Ten digits whose area code starts with 0 or 1 are not a phone."""
_SNIFF: Final = 64 * 1024
CHANGE = re.compile(
    r'"?\s*([0-9(+][0-9() .+-]*)"?\s*,\s*"?([0-9]{4}-[0-9]{2}-[0-9]{2}[^,"]*)"?\s*,\s*"?([ADad])"?'
)
_COMMA, _RETURN, _NEWLINE = 44, 13, 10


class Format(enum.Enum):
    """What a stream of list data can be."""

    FLAT = "flat text"
    CSV = "CSV with a header"
    XML = "XML"
    CHANGES = "change list"


@dataclass
class Batch:
    """Numbers read from some lines.

    Attributes:
        numbers: int64, 10 digits each.
        lines: how many lines or elements were read, blank ones left out.
        malformed: how many of them were not understood.
        named: line numbers of the first of those.
        times: of a change list: microseconds, one per number.
        adds: of a change list: True adds the number, False deletes it.
        bad_end: the last of the lines was not understood.
    """

    numbers: NDArray[np.int64]
    lines: int
    malformed: int = 0
    named: list[int] = field(default_factory=list)
    times: NDArray[np.int64] | None = None
    adds: NDArray[np.bool_] | None = None
    bad_end: bool = False


def sniff(member: Member) -> Format:
    """Tell the format from the first bytes, which stay unread.

    Raises:
        DncFormatError: it is none that can be loaded.
    """
    head = member.stream.peek(_SNIFF)[:_SNIFF]
    name = member.name
    if head.startswith(b"SQLite format 3\0"):
        raise DncFormatError(
            f"{name} is an SQLite database: import it with `etl-dagster dnc import-legacy`"
        )
    if head.startswith(b"PK\3\4"):
        raise DncFormatError(f"{name} is a zip archive inside a zip archive: unpack it first")
    if b"\0" in head:
        raise DncFormatError(f"{name} is not text (or UTF-16): expected ASCII or UTF-8")
    text = head.decode("utf-8-sig", "replace").lstrip()
    if not text:
        raise DncFormatError(f"{name} is empty: an empty list would clear everybody")
    if text.startswith("<"):
        return Format.XML
    first, *others = [line for line in text.splitlines() if line.strip()][:2]
    header = first.lower().replace(" ", "_")
    if "violation_date" in header or "company_phone_number" in header or "robocall" in header:
        raise DncFormatError(
            f"{name} is the regulator's daily complaint file (reported calls), not the registry: "
            "its numbers are callers that people complained about; download the registry's list"
        )
    if CHANGE.fullmatch(first.strip()) or any(CHANGE.fullmatch(o.strip()) for o in others):
        return Format.CHANGES
    if any(character.isalpha() for character in first):
        return Format.CSV
    if not len(_lines("\n".join([first, *others, ""]).encode(), 1)[0].numbers):
        raise DncFormatError(
            f"{name} is in no known format: expected lines such as `407,5550123` or ten digits, "
            "XML, or CSV with a header"
        )
    return Format.FLAT


def read_flat(member: Member) -> Iterator[Batch]:
    """Read `407,5551234` and 10-digit lines, in any mixture."""
    rest, line = b"", 1
    while data := member.stream.read(CHUNK):
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            rest += data
            if len(rest) > CHUNK:
                raise DncFormatError(f"{member.name} is not text: line {line} has no end")
            continue
        text, rest = rest + head + newline, tail
        batch, count = _lines(text, line)
        line += count
        yield batch
    if rest:
        yield _lines(rest + b"\n", line)[0]


def _lines(text: bytes, first: int) -> tuple[Batch, int]:
    """Read lines, each ended by a newline, all at once; odd ones singly."""
    buffer = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(buffer == _NEWLINE)
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    lengths = ends - starts
    lengths -= buffer[ends - 1] == _RETURN
    numbers = np.full(len(ends), NOT_A_PHONE, dtype=np.int64)
    plain = np.flatnonzero(lengths == 10)  # noqa: PLR2004 - ten digits
    numbers[plain] = digits(buffer[starts[plain, None] + np.arange(10)])
    comma = np.flatnonzero(lengths == 11)  # noqa: PLR2004 - three digits, comma, seven digits
    comma = comma[buffer[starts[comma] + 3] == _COMMA]
    numbers[comma] = digits(buffer[starts[comma, None] + np.array([0, 1, 2, 4, 5, 6, 7, 8, 9, 10])])
    odd = np.flatnonzero(numbers < LOWEST)
    blank = np.zeros(len(ends), dtype=np.bool_)
    if len(odd):
        bare = [
            text[starts[i] : ends[i]].decode("utf-8", "replace").strip("\ufeff \t\r")
            for i in odd.tolist()
        ]
        numbers[odd] = read_phones(bare)
        blank[odd] = [not line for line in bare]
    keep = np.flatnonzero(~blank)
    return checked(numbers[keep], (keep + first).tolist() if len(odd) else []), len(ends)


def checked(numbers: NDArray[np.int64], lines: list[int]) -> Batch:
    """Set aside what is not a phone; `lines` gives the line of each number, if one is not."""
    good = numbers >= LOWEST
    if good.all():
        return Batch(numbers, len(numbers))
    bad = np.flatnonzero(~good).tolist()
    named = [lines[index] for index in bad[:NAMED_MOST]]
    return Batch(numbers[good], len(numbers), len(bad), named, bad_end=not good[-1])
