"""Forgetting what the retention no longer asks for, and nothing else.

Belongs here: dropping old states and what only they needed. Does not: requests, which are never
dropped, nor numbers in place, however old.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from etl_dagster.dnc import schema
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.moments import micros
from etl_dagster.dnc.pages import PAGES
from etl_dagster.dnc.records import ListInfo, State, tip
from etl_dagster.dnc.segments import Segments

DAYS: Final = 5 * 366
"""Records of calls and lists are kept for five years."""


@dataclass(frozen=True)
class Compaction:
    """What a compaction did.

    Attributes:
        segments: area code states dropped.
        bytes: given back to the disk.
    """

    segments: int
    bytes: int


def run(connection: sqlite3.Connection, now: datetime, retention_days: int) -> Compaction:
    """Compact a store in one transaction, then give the space back."""
    if retention_days < 1:
        raise DncUsageError("the retention is at least one day")
    horizon = micros(now - timedelta(days=retention_days))
    before = schema.size(connection)
    with schema.writing(connection):
        dropped = _drop(connection, horizon)
    if dropped:
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return Compaction(dropped, max(before - schema.size(connection), 0))


def _drop(connection: sqlite3.Connection, horizon: int) -> int:
    """Drop every state that no look-up from the horizon on can need; tell how many segments.

    A state is dropped if another of the same area code was both dated and recorded by then
    (microseconds). Versions keep their rows: what was loaded when, from which file, stays known.
    """
    catalog = Catalog(connection)
    for info in list(catalog.lists.values()):
        _drop_states(catalog, info, horizon)
    segments, kept = Segments(connection), set[int]()
    for info in catalog.lists.values():
        states = [catalog.manifest(version) for version in catalog.versions(info)]
        for entry in np.concatenate([*states, info.head[info.head["tip"] > 0]]):
            if int(entry["tip"]) not in kept:
                kept.update(ref.id for ref in segments.lineage(tip(entry), int(entry["area"])))
    dropped = [
        (segment,)
        for (segment,) in connection.execute("SELECT id FROM segment").fetchall()
        if segment not in kept
    ]
    connection.executemany(
        "DELETE FROM page WHERE id BETWEEN ? AND ?",
        ((segment * PAGES, segment * PAGES + PAGES - 1) for (segment,) in dropped),
    )
    connection.executemany("DELETE FROM segment WHERE id = ?", dropped)
    return len(dropped)


def _drop_states(catalog: Catalog, info: ListInfo, horizon: int) -> None:
    settled = np.zeros(len(info.head), dtype=np.bool_)
    manifests: dict[int, State] = {}
    floor = info.floor
    for version in reversed(catalog.versions(info)):
        entries = catalog.manifest(version)
        past = version.as_of <= horizon and version.recorded_at <= horizon
        if past:
            floor = max(floor, version.number)
        if settled[entries["area"]].any():
            manifests[version.number] = entries[~settled[entries["area"]]]
        if past:
            settled[entries["area"]] = True
    if manifests:
        catalog.replace_manifests(info, manifests, floor=floor, horizon=max(info.horizon, horizon))
