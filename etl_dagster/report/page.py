"""The day's report as a Markdown page: counts only, nobody's data.

Belongs here: what the page says and in which order. Does not: any number's origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from etl_dagster.report.advice import advice_section
from etl_dagster.report.api import Calls, api_section
from etl_dagster.report.changes import changes_section
from etl_dagster.report.chart import chart_address, chart_text
from etl_dagster.report.lists import ListInForce, lists_section
from etl_dagster.report.markdown import count, percent, share, table, text
from etl_dagster.warehouse.day_ledger import DayLedger
from etl_dagster.warehouse.funnel import Day, Funnel

_VERDICTS = ("CALLABLE", "BLOCKED", "UNKNOWN")
_CHART = "funnel"
"""Names the picture's address, which stands at the end: the page can be read as text, too."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the page is made of.

    Attributes:
        day: what became of the day.
        before: the same of the same weekday the week before.
        ledger: what is on record of the day.
        scrubbed_at: when it was held against the Do-Not-Call lists, aware.
        lists: those lists.
        calls: what the runs say of CCC.
        price_per_1000: price of CCC's answers; None: not known.
        full_price_per_1000: of those of its full scrub.
    """

    day: Day
    before: Day
    ledger: DayLedger
    scrubbed_at: datetime
    lists: Sequence[ListInForce] = ()
    calls: Calls = field(default_factory=Calls)
    price_per_1000: float | None = None
    full_price_per_1000: float | None = None


def render_report(report: Report) -> str:
    """The page for one day."""
    day = report.day
    sections = [f"# Scrub report for {day.lead_date}", headline(day)]
    if day.total.extracted:
        sections.append(f"![{text(chart_text(day))}][{_CHART}]")
    sections += ["## Leads", _leads(day)]
    sections += advice_section(day.lead_date, day.reasons, report.ledger.unjudged)
    sections += changes_section(day, report.before)
    sections += _phones(day)
    sections += lists_section(report.lists, report.scrubbed_at)
    sections += api_section(
        report.ledger, report.calls, report.price_per_1000, report.full_price_per_1000
    )
    if day.total.extracted:
        sections.append(f"[{_CHART}]: {chart_address(day)}")
    return "\n\n".join(sections) + "\n"


def headline(day: Day) -> str:
    """The day in one sentence."""
    total = day.total
    when = f"{day.lead_date:%A}, {day.lead_date}"
    if not total.extracted:
        return f"**No leads were extracted for {when}.**"

    def part(leads: int) -> str:
        return f"{count(leads)} ({percent(share(leads, total.extracted))})"

    by = [f"{count(total.litigator)} by a litigator's phone"]
    by.append(f"{count(total.dnc)} by a Do-Not-Call list")
    if total.full_scrub:
        by.append(f"{count(total.full_scrub)} by the full scrub")
    return (
        f"Of the **{count(total.extracted)} leads** of {when}, **{part(total.callable)} may be"
        f" called**; {part(total.blocked)} are blocked ({', '.join(by)}),"
        f" {part(total.unknown)} are unknown, and {part(total.no_phone + total.invalid)}"
        " have no valid phone."
    )


def _leads(day: Day) -> str:
    def row(name: str, funnel: Funnel) -> list[str]:
        return [name, *(count(getattr(funnel, column)) for column in day.classes)]

    rows = [row(text(name), funnel) for name, funnel in day.campaigns.items()]
    heads = [column.replace("_", " ") for column in day.classes]
    return table(["campaign", *heads], [*rows, row("**all**", day.total)])


def _phones(day: Day) -> list[str]:
    blocks = []
    if day.phones:
        rows = [
            [text(name), *(count(verdicts.get(verdict, 0)) for verdict in _VERDICTS)]
            for name, verdicts in day.phones.items()
        ]
        heads = ["campaign", *map(str.lower, _VERDICTS)]
        blocks += ["## Phones by verdict", table(heads, rows)]
    if day.lists:
        hits = [[text(name), count(phones)] for name, phones in sorted(day.lists.items())]
        blocks += ["## Phones on Do-Not-Call lists", table(["list", "phones"], hits)]
    return blocks
