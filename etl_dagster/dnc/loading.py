"""Loading lists: full lists and change lists.

Belongs here: reading input into numbers, and the order of the work. Does not: formats, what looks
like a mistake (refusals.py), transactions (writer.py), storage (entries.py).

Input is read before the write lock is taken; one transaction then puts the version in place whole.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import entries, formats, refusals, schema, sources
from etl_dagster.dnc.change_lists import last_word, read_changes
from etl_dagster.dnc.csv_lists import read_csv
from etl_dagster.dnc.errors import DncFormatError, DncRefusedError, DncUsageError
from etl_dagster.dnc.formats import Batch, Format
from etl_dagster.dnc.lists import About, find_or_add
from etl_dagster.dnc.moments import from_micros, micros
from etl_dagster.dnc.sources import Member, Progress
from etl_dagster.dnc.spool import Spool, by_area
from etl_dagster.dnc.writer import LoadResult, Read, Write, write
from etl_dagster.dnc.xml_lists import read_xml

Numbers = Callable[[Sequence[Path], Read, Progress | None], Iterator[NDArray[np.int64]]]
"""Reads files, noting of them in `Read` what is not a number."""


class ChangesOptions(TypedDict, total=False):
    """How changes are loaded; see `DncStore.add_list`."""

    covers: Collection[int]
    allow: Collection[str]
    progress: Progress | None


class ListOptions(ChangesOptions, About, total=False):
    """How a full list is loaded, and what is said of it."""


def add_list(  # noqa: PLR0913 - the public call's arguments, handed on
    connection: sqlite3.Connection,
    name: str,
    paths: Sequence[Path],
    *,
    numbers: Numbers,
    reading: object,
    as_of: datetime,
    clock: Callable[[], datetime],
    folder: Path,
    covers: Collection[int] = (),
    allow: Collection[str] = (),
    progress: Progress | None = None,
    **about: Unpack[About],
) -> LoadResult:
    """Load a full list; see `DncStore.add_list`.

    `numbers` reads the files (`text_numbers` or `legacy.numbers`); what else than they and `covers`
    decides what is read, `reading` says.
    """
    moment = micros(as_of)  # a date without a time zone is refused before anything is read
    with Spool(folder) as spool:
        with sources.unchanged(paths):
            read = Read(sources.identify(paths))
            read.inputs = sources.inputs_digest(read.files, sorted(covers), reading)
            with schema.reading(connection):  # without waiting for other writers
                if known := Write(connection, micros(clock()), allow).known(name, read, moment):
                    return known
            for some in numbers(paths, read, progress):
                spool.add(some)
        if not spool.areas():
            raise DncFormatError(f"no phone in {read.names}: an empty list would clear everybody")
        spool.cover(set(covers))
        with write(connection, clock, allow) as work:
            return work.known(name, read, moment) or _put(work, name, about, spool, read, as_of)


def _put(  # noqa: PLR0913, PLR0917 - what was read, of which list
    work: Write, name: str, about: About, spool: Spool, read: Read, as_of: datetime
) -> LoadResult:
    """Put what was read as a full list in place, or refuse it."""
    info = find_or_add(work, name, about)
    if info.kind == "internal":
        raise DncUsageError(
            f"list {info.name} is internal: opt-outs are added to it (`dnc opt-out`), a full "
            "list never replaces it"
        )
    date, areas = work.dated(as_of), spool.areas()
    work.refuse(
        {
            "malformed": refusals.malformed(read),
            "older": refusals.older(info, areas, date),
            "fewer-areas": refusals.fewer(info, areas),
        }
    )
    changes = [
        entries.replaced(
            work.segments,
            info.head[area],
            spool.bits(area),
            version=info.version + 1,
            as_of=date,
        )
        for area in areas
    ]
    work.refuse({"shrink": refusals.shrunk(info, changes)})
    read.files = [replace(file, source=about.get("source") or "") for file in read.files]
    return work.commit_version(info, "full", date, read, changes)


def apply_changes(  # noqa: PLR0913 - the public call's arguments, handed on
    connection: sqlite3.Connection,
    name: str,
    paths: Sequence[Path],
    *,
    as_of: datetime | None,
    clock: Callable[[], datetime],
    covers: Collection[int] = (),
    allow: Collection[str] = (),
    progress: Progress | None = None,
) -> LoadResult:
    """Apply change list files; see `DncStore.apply_changes`."""
    with sources.unchanged(paths):
        read = Read(sources.identify(paths))
        read.inputs = sources.inputs_digest(read.files, "changes")
        batches = list(_batches(paths, _read_changes, read, progress))
    phones = np.concatenate([batch.numbers for batch in batches])
    times = np.concatenate([batch.times for batch in batches if batch.times is not None])
    adds = np.concatenate([batch.adds for batch in batches if batch.adds is not None])
    if not len(phones):
        raise DncFormatError(f"no change in {read.names}")
    with write(connection, clock, allow) as work:
        date = work.dated(as_of or from_micros(int(times.max())))
        if known := work.known(name, read, date):
            return known
        info = work.catalog.get(name)
        if info.kind == "internal":
            raise DncUsageError(f"list {name} is internal: use `dnc opt-out`")
        phones, adds = last_word(phones, times, adds)
        to_add, to_delete = dict(by_area(phones[adds])), dict(by_area(phones[~adds]))
        areas = sorted(to_add.keys() | to_delete.keys() | set(covers))
        everywhere = info.kind == "other" and info.head["full"].any()
        uncovered = [area for area in areas if not everywhere and not info.head["full"][area]]
        if late := refusals.older(info, areas, date):
            raise DncRefusedError(
                f"refused, nothing was changed: {late}; late changes could undo newer ones: load"
                " the full list",
                [],
            )
        dates = [0, *(version.as_of for version in work.catalog.versions(info))]
        fulls = np.array(dates, dtype=np.int64)[info.head["full"]]
        work.refuse(
            {
                "malformed": refusals.malformed(read),
                "gap": refusals.gap(info, areas, fulls, times, date),
                "uncovered": refusals.uncovered(info, uncovered),
            }
        )
        nothing = np.empty(0, dtype=np.uint32)
        changes = [
            entries.changed(
                work.segments,
                info.head[area],
                to_add.get(area, nothing),
                to_delete.get(area, nothing),
                version=info.version + 1,
                as_of=0 if area in uncovered else date,
            )
            for area in areas
        ]
        work.refuse({"shrink": refusals.shrunk(info, changes)})
        return work.commit_version(info, "changes", date, read, changes)


def _batches(
    paths: Sequence[Path],
    reader: Callable[[Member], Iterator[Batch]],
    read: Read,
    progress: Progress | None,
) -> Iterator[Batch]:
    """Yield what the files hold, counting lines and naming those that cannot be read."""
    total, done, numbers = sum(file.size for file in read.files), 0, 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count

    for path in paths:
        for member in sources.members(path, on_bytes):
            bad_end = False
            for batch in reader(member):
                bad_end = batch.bad_end if batch.lines else bad_end
                read.lines += batch.lines
                read.malformed += batch.malformed
                room = formats.NAMED_MOST - len(read.named)
                read.named += [f"{member.name}:{line}" for line in batch.named[:room]]
                numbers += len(batch.numbers)
                yield batch
                if progress:
                    progress(min(done, total), total, numbers)
            if bad_end and member.open_end:
                raise DncFormatError(
                    f"{member.name} ends in the middle of a line: fetch it again, or take the line"
                    " out if that is all of it"
                )


def text_numbers(column: str | None) -> Numbers:
    """Read flat text, CSV with the phones in that column, or XML."""

    def member_batches(member: Member) -> Iterator[Batch]:
        kind = formats.sniff(member)
        if kind is Format.CHANGES:
            raise DncFormatError(
                f"{member.name} is a change list, not a full list: apply it with "
                "`etl-dagster dnc changes`"
            )
        if kind is Format.XML:
            return read_xml(member)
        if kind is Format.CSV:
            return read_csv(member, column)
        return formats.read_flat(member)

    def numbers(
        paths: Sequence[Path], read: Read, progress: Progress | None
    ) -> Iterator[NDArray[np.int64]]:
        return (batch.numbers for batch in _batches(paths, member_batches, read, progress))

    return numbers


def _read_changes(member: Member) -> Iterator[Batch]:
    kind = formats.sniff(member)
    if kind is not Format.CHANGES:
        raise DncFormatError(
            f"{member.name} is {kind.value}, not a change list (`phone,timestamp,A|D` lines): "
            "load a full list with `etl-dagster dnc load`"
        )
    return read_changes(member)
