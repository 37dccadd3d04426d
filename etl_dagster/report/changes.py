"""The day beside the same weekday the week before.

Belongs here: rates and their differences. Does not: the numbers, which `read_day` counts.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from etl_dagster.report.markdown import NONE, count, percent, share, signed, table, text
from etl_dagster.warehouse.funnel import Day, Funnel

WEEK: Final = timedelta(days=7)
RATES: Final = ("callable", "litigator", "dnc", "unknown")
"""Classes of leads whose share of the extracted is watched."""


def rates(funnel: Funnel) -> Mapping[str, float]:
    """Each watched class as a share of the extracted leads, 0 to 1; none where there are none."""
    if not funnel.extracted:
        return {}
    return {f"{name}_rate": getattr(funnel, name) / funnel.extracted for name in RATES}


def changes_section(day: Day, before: Day) -> list[str]:
    """The section: a row a campaign and one for all, each number with its difference."""
    title = f"## Compared with {before.lead_date:%A, %Y-%m-%d}"
    if not before.total.extracted:
        return [title, f"There are no leads of {before.lead_date}, so nothing to compare with."]
    names = sorted({*day.campaigns, *before.campaigns})
    none = Funnel()
    rows = [
        _row(text(name), day.campaigns.get(name, none), before.campaigns.get(name, none))
        for name in names
    ]
    return [
        title,
        "Rates are shares of the extracted leads; differences of rates are percentage points.",
        table(
            ["campaign", "extracted", *(f"{name} rate" for name in RATES)],
            [*rows, _row("**all**", day.total, before.total)],
        ),
    ]


def _row(name: str, now: Funnel, before: Funnel) -> list[str]:
    extracted = f"{count(now.extracted)} ({signed(now.extracted - before.extracted)})"
    if not now.extracted:
        return [f"{name} (none now)", extracted, *[NONE] * len(RATES)]
    shares = _shares(now)
    if not before.extracted:
        return [f"{name} (none then)", extracted, *map(percent, shares)]
    points = zip(shares, _shares(before), strict=True)
    return [name, extracted, *(f"{percent(one)} ({signed(one - was, 1)})" for one, was in points)]


def _shares(funnel: Funnel) -> list[float]:
    return [share(getattr(funnel, rate), funnel.extracted) or 0.0 for rate in RATES]
