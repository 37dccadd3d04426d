"""Recording requests to be left alone, and lifting them.

Belongs here: keeping the dated rows (requests.py) and the bitmaps of the same list in step, in one
transaction. Does not: look-ups. A request acts on the next look-up after it is recorded.
"""

import io
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import numpy as np

from etl_dagster.dnc import entries, requests, sources
from etl_dagster.dnc.csv_lists import csv_rows, phone_columns
from etl_dagster.dnc.errors import DncFormatError, DncUsageError
from etl_dagster.dnc.formats import LOWEST, NAMED_MOST
from etl_dagster.dnc.lists import find_or_add
from etl_dagster.dnc.moments import DAY, from_micros, micros, parse_moment
from etl_dagster.dnc.pages import AREA_NUMBERS
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.records import ListInfo, tip
from etl_dagster.dnc.requests import OPT_OUT, REMOVAL, Request
from etl_dagster.dnc.spool import by_area
from etl_dagster.dnc.writer import FUTURE_MOST, LoadResult, Read, Write, write

_NOTHING = np.empty(0, dtype=np.uint32)


class Record(TypedDict, total=False):
    """What is known of a request besides the phone."""

    received: datetime | None
    source: str
    by: str
    note: str


@dataclass(frozen=True)
class Asked:
    """One request as it comes in: the phone, and when, by which way and to whom it came."""

    phone: int
    received: datetime | None = None
    source: str = ""
    by: str = ""
    note: str = ""


def record(  # noqa: PLR0913 - what a request is, and the store's own
    connection: sqlite3.Connection,
    name: str,
    asked: Sequence[Asked],
    *,
    action: str,
    clock: Callable[[], datetime],
    read: Read | None = None,
    allow: Collection[str] = (),
) -> LoadResult:
    """Record opt-outs, or their removal, as one new version of an internal list.

    Args:
        connection: for writing.
        name: the list.
        asked: the requests; a phone may come more than once.
        action: `requests.OPT_OUT` or `requests.REMOVAL`.
        clock: tells the time.
        read: what file they come from, if any.
        allow: see `writer.ALLOWANCES`.

    Raises:
        DncUsageError: nothing asked, a date in the future, the removal of what is not there.
    """
    read = read or Read(lines=len(asked))
    with write(connection, clock, allow) as work:
        info = find_or_add(work, name, {"kind": "internal"})
        if known := work.known(name, read):
            asked = _perhaps_anew(work, info, asked)
            if not asked:
                return known
        if not asked:
            raise DncUsageError("no phone given: nothing was recorded")
        number = info.version + 1
        rows = [_row(work, info.id, number, action, one) for one in asked]
        phones = by_area(np.unique(np.array([one.phone for one in asked], dtype=np.int64)))
        changes = []
        for area, local in phones:
            adds, deletes = (local, _NOTHING) if action == OPT_OUT else (_NOTHING, local)
            entry = info.head[area]
            if action == REMOVAL and not (
                entry["tip"] and work.segments.contains(tip(entry), area, local).all()
            ):
                raise DncUsageError(f"not every phone given is on list {name}: nothing was removed")
            changes.append(
                entries.changed(work.segments, entry, adds, deletes, version=number, as_of=work.now)
            )
        requests.insert(connection, rows)
        dated = max(row.effective for row in rows)
        return work.commit_version(info, action, dated, read, changes, requests=len(rows))


def _perhaps_anew(work: Write, info: ListInfo, asked: Sequence[Asked]) -> list[Asked]:
    """Of a file that was loaded before: who is not on the list, and may ask anew after an opt-in.

    A request that is dated before the day of the opt-in is the one on record; any other may be new.
    """
    gone: dict[int, int] = {}
    for area, local in by_area(np.unique(np.array([one.phone for one in asked], np.int64))):
        there = work.segments.contains(tip(info.head[area]), area, local)
        for phone in (area * AREA_NUMBERS + local[~there].astype(np.int64)).tolist():
            lifted = [
                row.effective
                for row in requests.of_phone(work.connection, phone)
                if row.list == info.id and row.action == REMOVAL
            ]
            gone[phone] = max(lifted, default=0) // DAY * DAY
    return [
        one
        for one in asked
        if one.phone in gone and (one.received is None or micros(one.received) >= gone[one.phone])
    ]


def read_file(path: Path, column: str | None, record: Record) -> tuple[Read, list[Asked]]:
    """Read opt-outs from a file: one phone a line, or CSV with a header.

    Of a CSV file every column counts that is called as if it held phones, unless one is named: a
    row has a phone in one of them at least, and whatever has digits there is one. There may be
    columns `received`, `source`, `by` and `note`; `record` fills in where a column or a value is
    missing.

    Raises:
        DncFormatError: not such a file; a line that cannot be read is counted and named.
    """
    files = sources.identify([path])
    read = Read(files, sources.inputs_digest(files, "opt-out", column))
    text = io.StringIO(path.read_text("utf-8-sig", errors="replace"))
    first = text.readline()
    text.seek(0)
    rows = csv_rows(path.name, text)
    names, columns = dict[str, int](), [0]
    if any(character.isalpha() for character in first):
        _, header = next(rows)
        names = {cell.strip().lower(): at for at, cell in enumerate(header)}
        columns = phone_columns(path.name, header, column)
    asked: list[Asked] = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        read.lines += 1
        values = {name: row[at].strip() for name, at in names.items() if at < len(row)}
        texts = [row[at] for at in columns if any(map(str.isdigit, "".join(row[at : at + 1])))]
        phones = [one for one in read_phones(texts).tolist() if one >= LOWEST]
        unreadable = not phones or len(phones) < len(texts)
        try:
            told: Record = {**record, **_told(values)}
        except DncUsageError:  # whoever it is has asked, whenever that was
            told = {**record, **_told({**values, "received": ""}), "received": None}
            unreadable = True
        if unreadable:
            read.malformed += 1
            if len(read.named) < NAMED_MOST:
                read.named.append(f"{path.name}:{line}")
        asked += [Asked(phone, **told) for phone in dict.fromkeys(phones)]
    if not read.lines:
        raise DncFormatError(f"no phone in {path.name}")
    return read, asked


def ask(phones: Iterable[str | int], record: Record) -> list[Asked]:
    """Make requests of phones as people write them.

    Raises:
        DncUsageError: one is not a phone; which one is told by its place, not by its digits.
    """
    numbers = read_phones([str(phone) for phone in phones])
    for place, number in enumerate(numbers.tolist(), 1):
        if number < LOWEST:
            raise DncUsageError(f"number {place} of {len(numbers)} is not a phone: none recorded")
    return [Asked(number, **record) for number in numbers.tolist()]


def _told(values: dict[str, str]) -> Record:
    """Read what a row says itself."""
    told: Record = {}
    if values.get("received"):
        told["received"] = parse_moment(values["received"])
    for key in ("source", "by", "note"):
        if values.get(key):
            told[key] = values[key]
    return told


def _row(work: Write, list_id: int, version: int, action: str, one: Asked) -> Request:
    effective = work.now if one.received is None else micros(one.received)
    if effective > work.now + FUTURE_MOST:
        raise DncUsageError(
            f"received {from_micros(effective):%Y-%m-%d} lies in the future: correct the date"
        )
    return Request(
        list=list_id,
        version=version,
        phone=one.phone,
        action=action,
        effective=min(effective, work.now),
        source=one.source,
        by=one.by,
        note=one.note,
        recorded_at=work.now,
    )
