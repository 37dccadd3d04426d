"""The Do-Not-Call lists that a day was scrubbed with, as they stood then.

Belongs here: which versions, how old, whether they have been renewed since. Does not: reading the
ledger, which names the versions, or what the lists hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl_dagster.dnc import DncError, DncStore, ListStats
from etl_dagster.dnc.moments import parse_versions
from etl_dagster.dnc.records import INTERNAL
from etl_dagster.report.markdown import NONE, count, table, text


@dataclass(frozen=True, kw_only=True)
class ListInForce:
    """One version of one list, at the time of the scrub.

    Attributes:
        list: its name.
        version: the version that was asked; 0: nothing had been loaded.
        phones: phones of the day that were decided by this version.
        stats: the list as it stood; None where the store cannot tell any more.
        newest: the version in place now; None where the store cannot tell.
    """

    list: str
    version: int
    phones: int
    stats: ListStats | None = None
    newest: int | None = None


def lists_in_force(
    versions: Mapping[str, int], store: DncStore | None, *, moment: datetime
) -> list[ListInForce]:
    """Look up what the ledger names.

    Args:
        versions: `Lookup.list_versions` to the day's phones that were decided by them.
        store: where the lists are; None where it cannot be opened.
        moment: when the day was scrubbed: ages are those of then.
    """
    found: dict[tuple[str, int], ListInForce] = {}
    newest = {one.list: one.version for one in store.stats()} if store else {}
    for names, phones in versions.items():
        stats = _stats(store, names, moment)
        for name, version in parse_versions(names).items():
            known = found.get((name, version))
            found[name, version] = ListInForce(
                list=name,
                version=version,
                phones=phones + (known.phones if known else 0),
                stats=stats.get(name) or (known.stats if known else None),
                newest=newest.get(name),
            )
    return [found[key] for key in sorted(found)]


def lists_section(lists: Sequence[ListInForce], moment: datetime) -> list[str]:
    """The section: a row a list and version."""
    if not lists:
        return []
    blocks = [
        "## Do-Not-Call lists in force",
        f"As they stood when the day was scrubbed, {moment:%Y-%m-%d %H:%M} UTC.",
        table(
            ["list", "version", "as of", "age, days", "days left", "numbers", "area codes",
             "phones asked", "since then"],
            [_row(one, moment) for one in lists],
            align="lrrrrrrrl",
        ),
    ]  # fmt: skip
    if any(one.stats is None for one in lists):
        blocks.append(
            "The Do-Not-Call store cannot tell how some of these versions stood: it could not be"
            " read, or it is another store than the day was scrubbed with."
        )
    return blocks


def _row(one: ListInForce, moment: datetime) -> list[str]:
    stats = one.stats
    renewed = one.newest is not None and one.newest > one.version
    return [
        text(one.list),
        str(one.version),
        f"{stats.as_of:%Y-%m-%d}" if stats and stats.as_of else NONE,
        _days(moment - stats.as_of) if stats and stats.as_of else NONE,
        _days_left(stats, moment) if stats else NONE,
        count(stats.numbers) if stats else NONE,
        _areas(stats) if stats else NONE,
        count(one.phones),
        f"**renewed**, now version {one.newest}" if renewed else "",
    ]


def _areas(stats: ListStats) -> str:
    old = f" ({stats.stale_area_codes} too old)" if stats.stale_area_codes else ""
    return f"{stats.area_codes}{old}"


def _days_left(stats: ListStats, moment: datetime) -> str:
    """How long it could clear phones; our own opt-outs never grow too old."""
    if stats.kind == INTERNAL or stats.fresh_until is None:
        return NONE
    return _days(stats.fresh_until - moment)


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f}"


def _stats(store: DncStore | None, versions: str, moment: datetime) -> dict[str, ListStats]:
    """The lists at these versions; none where the store does not have that history."""
    try:
        found = store.stats(moment, versions=versions) if store else []
    except DncError:
        return {}
    return {one.list: one for one in found}
