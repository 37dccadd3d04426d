"""What the command line shows: where it runs, and tables when it is done.

Belongs here: layout. Does not: progress while a run goes (`display.py`), any number's origin.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from etl_dagster.settings import Settings
from etl_dagster.warehouse.funnel import FUNNEL_COLUMNS, Day

if TYPE_CHECKING:
    from etl_dagster.defs.launch import DayResult
    from etl_dagster.report.preview import Preview

WIDTH_WITHOUT_TERMINAL: Final = 120


def make_console() -> Console:
    """A console that does not wrap tables when its output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)


def announce(console: Console, settings: Settings) -> None:
    """Say where this is going to happen, loudly where it is not for real."""
    if settings.is_local:
        console.print(
            "[bold yellow]LOCAL deployment[/]: embedded Snowflake, CCC sandbox, sample leads and"
            " lists. Nothing here may be dialled."
        )
    console.print(f"home: {settings.home}")


def print_days(
    console: Console,
    settings: Settings,
    days: "Sequence[tuple[DayResult, Day]]",
    failures: Mapping[str, str],
) -> None:
    """Print what became of each day, what failed, and where to look further.

    Args:
        console: where to.
        settings: the configuration.
        days: each day's run and what became of its leads and phones.
        failures: what failed besides the days' own steps, by step.
    """
    for result, day in days:
        console.print(funnel_table(day))
        if day.lists:
            console.print(counts_table("Phones on Do-Not-Call lists", "list", day.lists))
        if day.reasons:
            console.print(counts_table("Why phones are unknown", "reason", day.reasons))
        if result.seconds:
            console.print(seconds_table(result.seconds))
        failures = {**failures, **result.failures}
    for step, message in failures.items():
        console.print(f"[bold red]FAILED {step}[/]: {escape(message)}")
    tables = f"{settings.snowflake_database}.{settings.snowflake_schema}"
    console.print(f"tables:  {tables}  (etl-dagster sql 'SELECT * FROM CALLABLE_NOW')")  # noqa: S608
    console.print(f"reports: {settings.home / 'reports'}")
    console.print("UI:      make ui (etl-dagster ui), then http://127.0.0.1:3000")


def day_records(days: "Sequence[tuple[DayResult, Day]]") -> list[dict[str, object]]:
    """What became of each day and campaign, for machines."""
    return [
        {
            "date": result.lead_date.isoformat(),
            "campaign": name,
            "success": result.success,
            "run_id": result.run_id,
            **vars(funnel),
            "phones": {
                verdict.lower(): day.phones.get(name, {}).get(verdict, 0)
                for verdict in ("CALLABLE", "BLOCKED", "UNKNOWN")
            },
            "seconds": dict(result.seconds),
        }
        for result, day in days
        for name, funnel in day.campaigns.items()
    ]


def funnel_table(day: Day) -> Table:
    """A day's leads by class, a row a campaign."""
    table = Table(title=f"Leads of {day.lead_date}", title_justify="left")
    table.add_column("campaign")
    for name in FUNNEL_COLUMNS:
        table.add_column(name.replace("_", " "), justify="right")
    for name, funnel in day.campaigns.items():
        table.add_row(name, *(f"{getattr(funnel, column):,}" for column in FUNNEL_COLUMNS))
    table.add_section()
    table.add_row("all", *(f"{getattr(day.total, column):,}" for column in FUNNEL_COLUMNS))
    return table


def print_preview(console: Console, preview: "Preview") -> None:
    """Print what a run would do, and what would make it fail."""
    from etl_dagster.report.preview import LABELS

    title = f"What a run of {preview.lead_date} would do{' with --force' if preview.force else ''}"
    table = Table(title=title, title_justify="left")
    table.add_column("campaign")
    for name in preview.total.numbers:
        table.add_column(LABELS[name], justify="right")
    for campaign in preview.campaigns:
        table.add_row(campaign.campaign, *(f"{count:,}" for count in campaign.numbers.values()))
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in preview.total.numbers.values()))
    console.print(table)
    asking = Table(title="Phones and CCC", title_justify="left", show_header=False)
    asking.add_column("what")
    asking.add_column("number", justify="right")
    for name, number in preview.asking.items():
        asking.add_row(LABELS[name], f"{number:,}")
    cost = "set CCC_PRICE_PER_1000" if preview.cost is None else f"{preview.cost:,.2f}"
    asking.add_row(LABELS["cost"], cost)
    console.print(asking)
    console.print("Nothing was written, and CCC was not asked.")
    for problem in preview.problems:
        console.print(f"[bold red]THE RUN WOULD FAIL[/]: {escape(problem)}")


def preview_record(preview: "Preview") -> dict[str, object]:
    """What a run would do, for machines; the cost is null where no price is known."""
    return {
        "date": preview.lead_date.isoformat(),
        "force": preview.force,
        "campaigns": [{"campaign": one.campaign, **one.numbers} for one in preview.campaigns],
        **preview.total.numbers,
        **preview.asking,
        "cost": preview.cost,
        "would_fail": list(preview.problems),
    }


def counts_table(title: str, name: str, counts: Mapping[str, int]) -> Table:
    """Names and numbers."""
    table = Table(title=title, title_justify="left", min_width=len(title))
    table.add_column(name)
    table.add_column("phones", justify="right")
    for key, count in sorted(counts.items()):
        table.add_row(key, f"{count:,}")
    return table


def seconds_table(seconds: Mapping[str, float]) -> Table:
    """How long each stage took."""
    table = Table(title="Seconds by stage", title_justify="left")
    for name in seconds:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.1f}" for value in seconds.values()))
    return table


def rows_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """The result of a query."""
    table = Table()
    for name in names:
        table.add_column(escape(name))
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    return table
