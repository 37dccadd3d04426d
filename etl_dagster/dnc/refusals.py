"""What makes a load look like a mistake: each check says so with its counts, or is empty.

Belongs here: judging a load against the list in place. Does not: stopping it (writer.py).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from etl_dagster.dnc.entries import Changed
from etl_dagster.dnc.moments import DAY, from_micros
from etl_dagster.dnc.records import ListInfo
from etl_dagster.dnc.writer import Read

SHRINK_MOST: Final = 0.10
"""A list that loses a larger share of its numbers is refused."""
SHRINK_AREA_FROM: Final = 10_000
"""One area code alone is judged, too, if it had so many numbers."""
MALFORMED_MOST: Final = 0.001
"""Input with a larger share of lines that cannot be read is refused."""
_NAMED_MOST: Final = 10


def malformed(read: Read) -> str:
    """Too many lines that cannot be read: perhaps another format, or a damaged file."""
    if read.malformed <= MALFORMED_MOST * read.lines:
        return ""
    return (
        f"{read.malformed:,} of {read.lines:,} lines cannot be read, more than "
        f"{MALFORMED_MOST:.1%}; the first: {', '.join(read.named)}"
    )


def older(info: ListInfo, areas: Sequence[int], as_of: int) -> str:
    """Older than what is in place for some of its area codes."""
    place = info.head[list(areas)]
    newer = place[place["as_of"] > as_of]
    if not len(newer):
        return ""
    return (
        f"the input is of {_day(as_of)}, but list {info.name} has {len(newer):,} of its area "
        f"codes as of {_day(int(newer['as_of'].max()))}"
    )


def fewer(info: ListInfo, areas: Sequence[int]) -> str:
    """Part of what used to come together: a national file that was cut off, say.

    Area codes that came in one load are expected to come together again; those that came in
    loads of their own are not missed. What is left out stays in place and grows old.
    """
    loaded = np.zeros(len(info.head), dtype=np.bool_)
    loaded[list(areas)] = True
    full = info.head["full"]
    missing = np.flatnonzero((full > 0) & ~loaded & np.isin(full, full[loaded]))
    if not len(missing):
        return ""
    return (
        f"the input covers {np.count_nonzero(loaded):,} area codes and lacks {len(missing):,} "
        f"that list {info.name} got together with them ({_some(missing.tolist())}), which "
        "would stay as they are"
    )


def shrunk(info: ListInfo, changes: Sequence[Changed]) -> str:
    """Far fewer numbers than before: perhaps a download that broke off."""
    before = after = 0
    areas = []
    for change in changes:
        area = int(change.entry["area"])
        held, left = int(info.head["count"][area]), int(change.entry["count"])
        before, after = before + held, after + (left if info.head["tip"][area] else 0)
        if held >= SHRINK_AREA_FROM and left < (1 - SHRINK_MOST) * held:
            areas.append(area)
    if after >= (1 - SHRINK_MOST) * before and not areas:
        return ""
    text = f"list {info.name} would shrink from {before:,} to {after:,} numbers"
    if areas:
        text += f" ({len(areas):,} area codes by more than {SHRINK_MOST:.0%}: {_some(areas)})"
    return text


def gap(info: ListInfo, areas: Sequence[int], first: int) -> str:
    """Changes that begin after the list went stale: those in between are missing."""
    if info.max_age_days is None:
        return ""
    place = info.head[list(areas)]
    ends = place["as_of"] + info.max_age_days * DAY
    stale = place[(place["as_of"] > 0) & (ends < first)]
    if not len(stale):
        return ""
    return (
        f"the changes begin {_day(first)}, when {len(stale):,} of their area codes "
        f"(as of {_day(int(stale['as_of'].min()))}) were over {info.max_age_days} days old: "
        "changes in between seem to be missing; load the full list"
    )


def uncovered(info: ListInfo, areas: Sequence[int]) -> str:
    """Changes to area codes of which no full list was ever loaded."""
    if not areas:
        return ""
    return (
        f"list {info.name} has no full list of {len(areas):,} area codes ({_some(areas)}): load "
        "it first; otherwise only what the changes add there is known and the rest is UNKNOWN"
    )


def _some(areas: Sequence[int]) -> str:
    more = len(areas) - _NAMED_MOST
    named = ", ".join(map(str, areas[:_NAMED_MOST]))
    return f"{named} and {more:,} more" if more > 0 else named


def _day(moment: int) -> str:
    return f"{from_micros(moment):%Y-%m-%d %H:%M}"
