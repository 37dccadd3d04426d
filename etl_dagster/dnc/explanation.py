"""Why a phone is answered as it is: lists, versions, files, dates, requests.

Belongs here: gathering the evidence for one phone. Does not: the verdict (lookup.py), printing.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from etl_dagster.dnc import pages, requests
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.lookup import NEVER, Lookup, Moment, fresh_until, missing
from etl_dagster.dnc.moments import from_micros
from etl_dagster.dnc.records import Version, tip
from etl_dagster.dnc.segments import Segments
from etl_dagster.leads.verdicts import Verdict


@dataclass(frozen=True)
class ListEvidence:
    """What one list says of one phone, and what that rests on.

    Attributes:
        list: its name.
        kind: its kind.
        listed: whether it has the phone.
        covered: whether it covers the area code.
        version: the version that last changed the area code; 0: none.
        since_version: the version since which the phone is listed without a break.
        since: the date of that version.
        full_version: the version of its last full list.
        files: name and SHA-256 of the files of both.
        as_of: date of what is known of the area code.
        recorded_at: when that was recorded.
        fresh_until: when it grows too old; None: never, or not covered.
        requests: of an internal list, each request about the phone: action, received, source,
            by, note.
    """

    list: str
    kind: str
    listed: bool
    covered: bool
    version: int
    since_version: int | None
    since: datetime | None
    full_version: int
    files: tuple[tuple[str, str], ...]
    as_of: datetime | None
    recorded_at: datetime | None
    fresh_until: datetime | None
    requests: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Explanation:
    """Why a phone is answered as it is.

    Attributes:
        verdict: `clear`, `listed` or `unknown`.
        reason: why it is unknown.
        valid_until: until when the verdict holds.
        list_versions: the versions asked.
        lists: what each list says.
        missing: lists that must be there and are not, or are empty, so that nobody is clear.
    """

    verdict: str
    reason: str
    valid_until: datetime | None
    list_versions: str
    lists: tuple[ListEvidence, ...]
    missing: tuple[str, ...]


def explain(  # noqa: PLR0913 - all are needed
    connection: sqlite3.Connection,
    catalog: Catalog,
    moments: Mapping[str, Moment],
    phone: int,
    answer: Lookup,
    *,
    as_of: int | None,
    max_age_days: int | None,
    must_have: Collection[str],
) -> Explanation:
    """Say what each list's answer for a phone rests on; `answer` is the look-up of that phone."""
    area, segments = phone // pages.AREA_NUMBERS, Segments(connection)
    listed = answer.names(0)
    evidence = []
    for name, moment in moments.items():
        entry = moment.state[area]
        covered, until = fresh_until(moment, max_age_days)
        versions = {version.number: version for version in catalog.versions(moment.info)}
        last = versions.get(int(entry["version"]))
        since = (
            _since(catalog, moment, segments, phone, as_of)
            if name in listed and moment.phones is None
            else None
        )
        files = [versions[n] for n in sorted({int(entry["full"]), int(entry["version"])} - {0})]
        limited = bool(covered[area]) and until[area] != NEVER
        evidence.append(
            ListEvidence(
                list=name,
                kind=moment.info.kind,
                listed=name in listed,
                covered=bool(covered[area]) or moment.info.kind in {"internal", "other"},
                version=int(entry["version"]),
                since_version=since.number if since else None,
                since=from_micros(since.as_of) if since else None,
                full_version=int(entry["full"]),
                files=tuple(
                    (file["name"], file["sha256"])
                    for version in files
                    for file in json.loads(version.files)
                ),
                as_of=from_micros(int(entry["as_of"])) if entry["tip"] else None,
                recorded_at=from_micros(last.recorded_at) if last else None,
                fresh_until=from_micros(int(until[area])) if limited else None,
                requests=tuple(_told(connection, moment, phone, as_of)),
            )
        )
    end = answer.valid_until.view(np.int64)[0]
    return Explanation(
        verdict=Verdict(int(answer.verdicts[0])).name.lower(),
        reason=answer.reason_names[answer.reasons[0]],
        valid_until=None if np.isnat(answer.valid_until[0]) else from_micros(int(end)),
        list_versions=answer.list_versions,
        lists=tuple(evidence),
        missing=missing(moments, must_have),
    )


def _since(
    catalog: Catalog, moment: Moment, segments: Segments, phone: int, as_of: int | None
) -> Version | None:
    """Find the version since which a phone is on a list without a break."""
    area = phone // pages.AREA_NUMBERS
    local = np.array([phone % pages.AREA_NUMBERS], dtype=np.uint32)
    since = None
    for version in catalog.versions(moment.info):
        if version.number > moment.version or (as_of is not None and version.as_of > as_of):
            continue
        entries = catalog.manifest(version)
        for entry in entries[entries["area"] == area]:
            if not segments.contains(tip(entry), area, local)[0]:
                since = None
            elif since is None:
                since = version
    return since


def _told(
    connection: sqlite3.Connection, moment: Moment, phone: int, as_of: int | None
) -> Iterator[Mapping[str, str]]:
    if moment.info.kind != "internal":
        return
    for row in requests.of_phone(connection, phone):
        if row.list == moment.info.id and row.version <= moment.version and (
            as_of is None or row.effective <= as_of
        ):  # fmt: skip
            yield {
                "action": row.action,
                "received": from_micros(row.effective).isoformat(),
                "source": row.source,
                "by": row.by,
                "note": row.note,
                "recorded_at": from_micros(row.recorded_at).isoformat(),
            }
