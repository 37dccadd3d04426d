"""Change lists as text: `4075551234,2026-08-29T08:00:00,A` lines.

Belongs here: reading them, and which of several changes of a phone counts. Does not: telling them
apart from other files (formats.py).
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.formats import BATCH, CHANGE, LOWEST, NAMED_MOST, Batch
from etl_dagster.dnc.moments import micros
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.sources import Member


def read_changes(member: Member) -> Iterator[Batch]:
    """Read `phone,timestamp,A|D` lines; times without a zone are UTC."""
    text = io.TextIOWrapper(member.stream, "utf-8-sig", "replace")
    batch: list[tuple[str, int, bool]] = []
    bad: list[int] = []
    for number, raw in enumerate(text, 1):
        line = raw.strip()
        match = CHANGE.fullmatch(line)
        time = _time(match[2]) if match else None
        if match and time is not None:
            batch.append((match[1].strip(), time, match[3] in "Aa"))
        elif line and not (number == 1 and _is_header(line)):
            bad.append(number)
        if len(batch) + len(bad) == BATCH:
            yield _changes(batch, bad, number)
            batch, bad = [], []
    yield _changes(batch, bad, number)


def _changes(rows: list[tuple[str, int, bool]], bad: list[int], last: int) -> Batch:
    numbers = read_phones([row[0] for row in rows])
    good = numbers >= LOWEST
    malformed = len(bad) + int(np.count_nonzero(~good))
    return Batch(
        numbers[good],
        len(rows) + len(bad),
        malformed,
        bad[:NAMED_MOST],
        np.array([row[1] for row in rows], dtype=np.int64)[good],
        np.array([row[2] for row in rows], dtype=np.bool_)[good],
        bad_end=last in bad[-1:],
    )


def _is_header(line: str) -> bool:
    return any(map(str.isalpha, line)) and not any(map(str.isdigit, line))


def _time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def last_word(
    phones: NDArray[np.int64], times: NDArray[np.int64], adds: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Keep the last change of each phone; at the same moment, listed wins."""
    order = np.lexsort((adds, times, phones))
    phones, adds = phones[order], adds[order]
    last = np.append(phones[1:] != phones[:-1], True)
    return phones[last], adds[last]
