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
    rows = [_row(text(name), day.campaigns.get(name), before.campaigns.get(name)) for name in names]
    return [
        title,
        "Rates are shares of the extracted leads; differences of rates are percentage points.",
        table(
            ["campaign", "extracted", *(f"{name} rate" for name in RATES)],
            [*rows, _row("**all**", day.total, before.total)],
        ),
    ]


def _row(name: str, now: Funnel | None, before: Funnel | None) -> list[str]:
    if now is None or not now.extracted:
        return [f"{name} (none now)", _extracted(Funnel(), before), *[NONE] * len(RATES)]
    if before is None or not before.extracted:
        return [f"{name} (none then)", _extracted(now, before), *_shares(now)]
    cells = [
        f"{percent(share(getattr(now, rate), now.extracted))}"
        f" ({signed(_points(now, rate) - _points(before, rate), 1)})"
        for rate in RATES
    ]
    return [name, _extracted(now, before), *cells]


def _extracted(now: Funnel, before: Funnel | None) -> str:
    difference = now.extracted - (before.extracted if before else 0)
    return f"{count(now.extracted)} ({signed(difference)})"


def _shares(funnel: Funnel) -> list[str]:
    return [percent(share(getattr(funnel, rate), funnel.extracted)) for rate in RATES]


def _points(funnel: Funnel, rate: str) -> float:
    return share(getattr(funnel, rate), funnel.extracted) or 0.0
