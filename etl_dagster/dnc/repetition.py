"""Every list as a look-up sees it, or as an earlier one saw it, or why the store cannot tell.

Belongs here: finding the states that a look-up rested on, and refusing what is not surely them.
Does not: the look-up itself (lookup.py), whether its answer is the one on record.

A look-up is known by its moment and the versions that it names (`Lookup.list_versions`). Numbers of
versions alone would not do: a store that was rebuilt counts from 1 again. So each version must have
been recorded by the moment of the look-up, and no later one.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from etl_dagster.dnc import requests
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncHistoryError
from etl_dagster.dnc.lookup import Moment
from etl_dagster.dnc.moments import from_micros, micros, parse_versions
from etl_dagster.dnc.records import INTERNAL, RESTORED, ListInfo

GRACE: Final = 60_000_000
"""A look-up notes its moment, then takes the versions: one recorded so soon after it may be used;
microseconds."""
LOADING_MOST: Final = 3_600_000_000
"""A version bears the moment at which its load began, and is there for look-ups when it is done:
within so long a look-up may still have used the one before; microseconds."""


def moments_then(catalog: Catalog, versions: str, moment: int) -> dict[str, Moment]:
    """Every list that a look-up named, at the version that it named, in bit order.

    Args:
        catalog: of the store as it is.
        versions: what the look-up named.
        moment: when it was made, microseconds.

    Raises:
        DncHistoryError: a version is not in the store any more, never was, or is not of that time.
        DncUsageError: `versions` is not of that form.
    """
    named = parse_versions(versions) if versions else {}
    if strangers := sorted(named.keys() - catalog.lists.keys()):
        raise DncHistoryError(f"no list named {', '.join(strangers)} in the store")
    found = {}
    for name, info in catalog.lists.items():
        if name in named:
            _check_age(catalog, info, named[name], moment)
            found[name] = Moment(info, *catalog.state(info, None, named[name]))
    return found


def moments(
    connection: sqlite3.Connection,
    catalog: Catalog,
    as_of: int | None,
    versions: str | None,
) -> dict[str, Moment]:
    """Work out every list as the look-up shall see it; as of the past, those there were by then."""
    pinned = None if versions is None else parse_versions(versions)
    out = {}
    for name, info in catalog.lists.items():
        newest = None if pinned is None else pinned.pop(name, 0)
        if info.kind == "internal" and as_of is not None:
            number, state = catalog.state(info, None, newest)
            rows = requests.of_list(connection, catalog, info, number)
            out[name] = Moment(info, number, state, requests.in_force(rows, as_of))
            continue
        number, state = catalog.state(info, as_of, newest)
        if number or as_of is None:
            out[name] = Moment(info, number, state)
    if pinned:
        raise DncHistoryError(f"no list named {', '.join(pinned)} in the store")
    return out


def passed_over(catalog: Catalog, versions: str, moment: int) -> list[str]:
    """The lists of which a look-up at a moment should have used a newer version than it named.

    Args:
        catalog: of the store as it is.
        versions: what the look-up named.
        moment: when it was made, microseconds.

    Returns:
        Versions that were in the store an hour before that, such as `internal@4`.
    """
    named = parse_versions(versions) if versions else {}
    newest = {
        name: max(
            (
                one.number
                for one in catalog.versions(info)
                if one.recorded_at < moment - LOADING_MOST
            ),
            default=0,
        )
        for name, info in catalog.lists.items()
    }
    return [f"{name}@{number}" for name, number in newest.items() if number > named.get(name, 0)]


def refuse_lost(catalog: Catalog, asked: Mapping[str, datetime]) -> None:
    """See that the store had what look-ups on record named; after it was restored it may not.

    Look-ups of before somebody put on record that all was loaded again are passed over.

    Args:
        catalog: of the store as it is.
        asked: what look-ups named, and when that was first.

    Raises:
        DncHistoryError: it had not.
    """
    there = {name: catalog.versions(info) for name, info in catalog.lists.items()}
    mended = [one.recorded_at for one in there[INTERNAL] if one.kind == RESTORED]
    lost = dict[str, str]()
    for versions, first in asked.items():
        moment = micros(first)
        named = {} if moment <= max(mended, default=0) else parse_versions(versions)
        for name, number in named.items():
            had = there.get(name, [])
            if number and (len(had) < number or had[number - 1].recorded_at > moment + GRACE):
                lost[name] = f"{name}@{number} of {first:%Y-%m-%d %H:%M} UTC"
    if lost:
        raise DncHistoryError(
            f"the store did not have {', '.join(lost.values())}, by which verdicts on record were"
            " given: it was restored from a backup, or made anew. Load again what came since,"
            " opt-outs by hand, too; then put that on record with `etl-dagster dnc restored`"
        )


def _check_age(catalog: Catalog, info: ListInfo, number: int, moment: int) -> None:
    """Refuse a version that cannot have been there at the moment."""
    versions = catalog.versions(info)
    if number > len(versions):
        return  # `Catalog.state` says so
    recorded = versions[number - 1].recorded_at if number else info.created_at
    if recorded > moment + GRACE:
        raise DncHistoryError(
            f"list {info.name}: version {number} of this store was recorded at"
            f" {from_micros(recorded):%Y-%m-%d %H:%M:%S} UTC, after the look-up: the store was"
            " rebuilt or restored since"
        )
