"""What makes a load look like a mistake: each check says so with its counts, or is empty.

Belongs here: judging a load against the list in place. Does not: stopping it (writer.py).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
GAP_DAYS: Final = 1
"""So many days after what a list has come to, changes may begin: its date may stand for all of a
day, and changes may come once a day. One more, and a day's changes are missing."""
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


def gap(
    info: ListInfo,
    areas: Sequence[int],
    fulls: NDArray[np.int64],
    times: NDArray[np.int64],
    as_of: int,
) -> str:
    """Changes that do not follow on what is in place: those in between are missing.

    Not every area code changes every day: one has come as far as any whose full list has the same
    date. Changes dated after their last one are taken to follow on others that were dated so.

    Args:
        info: the list.
        areas: the area codes that change.
        fulls: of each area code there is, the date of its last full list; 0 if it has none.
        times: of the changes.
        as_of: their date.
    """
    place = info.head["as_of"]
    known = [area for area in areas if place[area] > 0]
    if info.max_age_days is None or not known:
        return ""
    first, last = int(times.min()), int(times.max())
    stale = place[known][place[known] + info.max_age_days * DAY < first]
    if len(stale):
        return (
            f"the changes begin {_day(first)}, when {len(stale):,} of their area codes "
            f"(as of {_day(int(stale.min()))}) were over {info.max_age_days} days old: "
            "changes in between seem to be missing; load the full list"
        )
    come = min(int(place[(fulls == fulls[area]) | (fulls[area] == 0)].max()) for area in known)
    if first // DAY + max(as_of // DAY - last // DAY, 0) - come // DAY <= GAP_DAYS:
        return ""
    return (
        f"the changes of {_day(first)} to {_day(last)}, dated {_day(as_of)}, do not follow on list "
        f"{info.name}, which has come to {_day(come)}: those in between seem to be missing; apply "
        "them first, or load the full list"
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
