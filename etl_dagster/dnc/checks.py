"""Is the store what it says it is? A quick answer at every open, a full one on request.

Belongs here: the self-test and `verify`. Does not: repair: a damaged store is restored or rebuilt.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

import numpy as np

from etl_dagster.dnc import pages, requests
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncCorruptError
from etl_dagster.dnc.records import NOBODY, ListInfo, State, tip
from etl_dagster.dnc.segments import Segments

SAMPLE: Final = 4
"""Area codes of each list whose canaries are asked at every open."""


@dataclass(frozen=True)
class Verification:
    """What a full verification read, all of it sound.

    Attributes:
        lists: lists.
        versions: versions of them.
        segments: area codes read whole, at every version.
        numbers: numbers in place.
        requests: opt-out requests.
    """

    lists: int
    versions: int
    segments: int
    numbers: int
    requests: int


def self_test(catalog: Catalog, segments: Segments, rng: np.random.Generator) -> None:
    """Ask each list for numbers that it must have and must not have.

    Raises:
        DncCorruptError: an answer is wrong, or what it rests on is damaged.
    """
    for info in catalog.lists.values():
        covered = np.flatnonzero(info.head["tip"] > 0)
        for area in rng.permutation(covered)[:SAMPLE].tolist():
            _canaries(info, info.head[area], segments)


def verify(connection: sqlite3.Connection) -> Verification:
    """Read everything that any look-up, now or as of the past, could rest on.

    Raises:
        DncCorruptError: anything at all does not match.
    """
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    if problems != ["ok"]:
        raise DncCorruptError(f"SQLite finds the store damaged: {'; '.join(problems)}")
    catalog, segments = Catalog(connection), Segments(connection)
    seen: set[int] = set()
    versions = rows = 0
    for info in catalog.lists.values():
        history = catalog.versions(info)
        versions += len(history)
        for version in history:
            _segments(info, catalog.manifest(version), segments, seen)
        _segments(info, info.head[info.head["tip"] > 0], segments, seen)
        _, state = catalog.state(info, None, info.version) if history else (0, info.head)
        if state.tobytes() != info.head.tobytes():
            raise DncCorruptError(
                f"list {info.name}: its history does not lead to what is in place"
            )
        rows += _requests(connection, info, catalog, segments)
    return Verification(
        lists=len(catalog.lists),
        versions=versions,
        segments=len(seen),
        numbers=sum(int(info.head["count"].sum(dtype=np.int64)) for info in catalog.lists.values()),
        requests=rows,
    )


def _segments(info: ListInfo, entries: State, segments: Segments, seen: set[int]) -> None:
    for entry in entries:
        if int(entry["tip"]) in seen:
            continue
        seen.add(int(entry["tip"]))
        held = pages.count(segments.bits(tip(entry), int(entry["area"])))
        if held != entry["count"]:
            raise DncCorruptError(
                f"list {info.name}, area code {entry['area']}: {held:,} numbers, "
                f"{entry['count']:,} expected"
            )
        _canaries(info, entry, segments)


def _requests(
    connection: sqlite3.Connection, info: ListInfo, catalog: Catalog, segments: Segments
) -> int:
    """An internal list's rows and bitmaps must name the same phones."""
    if info.kind != "internal" or not info.version:
        return 0
    rows = requests.of_list(connection, catalog, info, info.version)
    phones = requests.in_force(rows, np.iinfo(np.int64).max)
    held = [
        area * pages.AREA_NUMBERS + local
        for area in np.flatnonzero(info.head["tip"] > 0).tolist()
        for local in pages.unpack(segments.bits(tip(info.head[area]), area)).tolist()
    ]
    if phones.tolist() != held:
        raise DncCorruptError(f"list {info.name}: its requests and its numbers differ")
    return catalog.versions(info)[-1].requests


def _canaries(info: ListInfo, entry: np.void, segments: Segments) -> None:
    area = int(entry["area"])
    for name, expected in (("listed", True), ("absent", False)):
        if entry[name] == NOBODY:
            continue
        canary = np.array([entry[name]], dtype=np.uint32)
        if bool(segments.contains(tip(entry), area, canary)[0]) is not expected:
            raise DncCorruptError(
                f"list {info.name}, area code {area}: a number known to be {name} is answered "
                "otherwise; restore the store from a backup, or rebuild it from the list files"
            )
