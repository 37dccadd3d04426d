"""What people ask about the store: its lists, why a phone is answered as it is, its numbers.

Belongs here: reading for people and exports. Does not: verdicts (lookup.py), printing (cli.py).
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import pages
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.lookup import NEVER, Moment, fresh_until
from etl_dagster.dnc.moments import from_micros
from etl_dagster.dnc.records import tip
from etl_dagster.dnc.segments import Segments

SAMPLE_MARK: Final = ".sample"
"""Stands in the names of sample list files (`sandbox/lists.py`), and so in the source of what is
loaded from them."""


@dataclass(frozen=True)
class ListStats:
    """One list as it stands.

    Attributes:
        list: its name.
        kind: `national`, `state`, `internal` or `other`.
        source: where it comes from.
        states: which states it speaks for.
        required: whether phones are UNKNOWN when it is too old.
        version: the version in place; 0: never loaded.
        versions: how many there are.
        area_codes: how many it covers.
        stale_area_codes: how many of those are too old.
        numbers: numbers on it.
        as_of: date of its oldest area code; None before the first load.
        newest_as_of: date of its newest one.
        recorded_at: when the version in place was recorded.
        max_age_days: its limit.
        fresh_until: when its first area code grows too old; None: never.
        bytes: what its versions take in the store.
        requests: opt-out requests and removals recorded.
        is_sample: whether it, or what it has of any area code, was loaded from the sample.
    """

    list: str
    kind: str
    source: str
    states: str
    required: bool
    version: int
    versions: int
    area_codes: int
    stale_area_codes: int
    numbers: int
    as_of: datetime | None
    newest_as_of: datetime | None
    recorded_at: datetime | None
    max_age_days: int | None
    fresh_until: datetime | None
    bytes: int
    requests: int
    is_sample: bool


@dataclass(frozen=True)
class VersionRecord:
    """One version of a list, for the record: what was loaded, when, from what.

    Attributes:
        number: counts from 1.
        kind: `full`, `changes`, `opt-out` or `removal`.
        as_of: the date of what was loaded.
        recorded_at: when it was loaded.
        files: name, sha256, size and source (as said of the list) of each file.
        lines: lines or rows read.
        malformed: how many of them were left out.
        added: numbers that came.
        removed: numbers that went.
        numbers: numbers on the list afterwards.
        allowed: refusals that were overridden.
    """

    number: int
    kind: str
    as_of: datetime
    recorded_at: datetime
    files: tuple[Mapping[str, str | int], ...]
    lines: int
    malformed: int
    added: int
    removed: int
    numbers: int
    allowed: tuple[str, ...]


def history(catalog: Catalog, name: str) -> list[VersionRecord]:
    """Tell every version of a list, oldest first."""
    return [
        VersionRecord(
            number=version.number,
            kind=version.kind,
            as_of=from_micros(version.as_of),
            recorded_at=from_micros(version.recorded_at),
            files=tuple(json.loads(version.files)),
            lines=version.lines,
            malformed=version.malformed,
            added=version.added,
            removed=version.removed,
            numbers=version.numbers,
            allowed=tuple(filter(None, version.allowed.split(","))),
        )
        for version in catalog.versions(catalog.get(name))
    ]


def stats(
    catalog: Catalog, moments: Mapping[str, Moment], now: int, max_age_days: int | None
) -> list[ListStats]:
    """Describe every list as a look-up would see it, in bit order."""
    out = []
    for moment in moments.values():
        info, state = moment.info, moment.state
        versions = [one for one in catalog.versions(info) if one.number <= moment.version]
        held = state["tip"] > 0
        _, until = fresh_until(moment, max_age_days)
        dates = state["as_of"][held]
        sample = [one.number for one in versions if SAMPLE_MARK in one.files]
        first = int(until[held].min()) if held.any() else NEVER
        out.append(
            ListStats(
                list=info.name,
                kind=info.kind,
                source=info.source,
                states=info.states,
                required=info.required,
                version=moment.version,
                versions=len(versions),
                area_codes=int(held.sum()),
                stale_area_codes=int(np.count_nonzero(until[held] < now)),
                numbers=int(state["count"].sum(dtype=np.int64)),
                as_of=from_micros(int(dates.min())) if len(dates) else None,
                newest_as_of=from_micros(int(dates.max())) if len(dates) else None,
                recorded_at=from_micros(versions[-1].recorded_at) if versions else None,
                max_age_days=info.max_age_days,
                fresh_until=None if first == NEVER else from_micros(first),
                bytes=sum(version.bytes for version in versions),
                requests=versions[-1].requests if versions else 0,
                is_sample=SAMPLE_MARK in info.source or bool(np.isin(state["full"], sample).any()),
            )
        )
    return out


def export(connection: sqlite3.Connection, moment: Moment) -> Iterator[NDArray[np.int64]]:
    """Yield a list's numbers, ascending, in a few arrays."""
    if moment.phones is not None:
        yield moment.phones
        return
    segments = Segments(connection)
    for area in np.flatnonzero(moment.state["tip"] > 0).tolist():
        local = pages.unpack(segments.bits(tip(moment.state[area]), area))
        yield local.astype(np.int64) + area * pages.AREA_NUMBERS
