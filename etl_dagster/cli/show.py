"""What the command line shows: progress while a run goes, tables when it is done.

Belongs here: layout. Does not: any number's origin.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from etl_dagster.cli.options import called
from etl_dagster.progress import ProgressEvent
from etl_dagster.settings import Settings
from etl_dagster.warehouse.funnel import Day

if TYPE_CHECKING:
    from etl_dagster.defs.runner import DayResult
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


class RunDisplay:
    """Shows progress events: a bar a step on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        """Show on this console."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.fields[step]:<14}"),
            BarColumn(24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began = time.monotonic()

    def day(self, lead_date: date, *, done: int, days: int) -> None:
        """Show which day of a range begins now, and how long the rest should take.

        Args:
            lead_date: the day.
            done: days that ran before it.
            days: days to run, all together.
        """
        elapsed = time.monotonic() - self._began
        left = elapsed / done * (days - done) if done else 0.0
        note = f", about {timedelta(seconds=round(left))} to go" if done else ""
        self._tasks.clear()
        self._console.print(f"[bold]{lead_date}[/]: day {done + 1:,} of {days:,}{note}")

    def __enter__(self) -> Self:
        """Start the bars."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the bars."""
        self._bars.stop()

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        if event.kind == "error":
            self._console.print(f"[red]{event.step}: {escape(event.message)}[/red]")
        elif event.percent is None:
            self._console.print(f"  [dim]{event.step}: {escape(event.message)}[/dim]")
        elif self._console.is_terminal:
            self._bar(event)
        else:
            self._console.print(f"  {event.step}: {event.percent:3.0f}% {escape(_line(event))}")

    def _bar(self, event: ProgressEvent) -> None:
        task = self._tasks.get(event.step)
        if task is None or self._bars.tasks[task].finished:
            task = self._bars.add_task("", total=100, step=event.step)
            self._tasks[event.step] = task
        self._bars.update(task, completed=event.percent, description=escape(_line(event)))


def _line(event: ProgressEvent) -> str:
    fields = " ".join(f"{name}={value}" for name, value in event.fields.items())
    return f"{event.message} {fields}".rstrip()


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
            columns = (Column(name, justify="right") for name in result.seconds)
            table = Table(*columns, title="Seconds by stage", title_justify="left")
            table.add_row(*(f"{value:.1f}" for value in result.seconds.values()))
            console.print(table)
        failures = {**failures, **result.failures}
    for step, message in failures.items():
        console.print(f"[bold red]FAILED {step}[/]: {escape(message)}", soft_wrap=True)
    tables = f"{settings.snowflake_database}.{settings.snowflake_schema}"
    console.print(f"tables:  {tables}  ({called()} sql 'SELECT * FROM CALLABLE_NOW')")  # noqa: S608  text to read
    console.print(f"reports: {settings.home / 'reports'}")
    console.print(f"UI:      {called()} ui, then http://127.0.0.1:3000")


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
    names = (column.replace("_", " ") for column in day.classes)
    table = _numbers_table("campaign", *names, title=f"Leads of {day.lead_date}")
    for name, funnel in day.campaigns.items():
        table.add_row(name, *(f"{getattr(funnel, column):,}" for column in day.classes))
    table.add_section()
    table.add_row("all", *(f"{getattr(day.total, column):,}" for column in day.classes))
    return table


def print_preview(console: Console, preview: "Preview") -> None:
    """Print what a run would do, and what would make it fail."""
    from etl_dagster.report.preview import LABELS

    title = f"What a run of {preview.lead_date} would do{' with --force' if preview.force else ''}"
    table = _numbers_table(
        "campaign", *(LABELS[name] for name in preview.total.numbers), title=title
    )
    for campaign in preview.campaigns:
        table.add_row(campaign.campaign, *(f"{count:,}" for count in campaign.numbers.values()))
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in preview.total.numbers.values()))
    console.print(table)
    asking = _numbers_table("what", "number", title="Phones and CCC", show_header=False)
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
    table = _numbers_table(name, "phones", title=title, min_width=len(title))
    for key, count in sorted(counts.items()):
        table.add_row(key, f"{count:,}")
    return table


def _numbers_table(first: str, *names: str, **options: Any) -> Table:
    """A table without rows, for numbers by what the first column says."""
    columns = (Column(name, justify="right") for name in names)
    return Table(first, *columns, title_justify="left", **options)


def records_table(records: Sequence[Mapping[str, object]]) -> Table:
    """Records with the same fields, a row each."""
    return rows_table(list(records[0]), [list(record.values()) for record in records])


def rows_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """The result of a query; a list as what is in it."""
    table = Table(*map(_text, names))
    for row in rows:
        table.add_row(*map(_cell, row))
    return table


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else _text(str(value))


def _text(value: str) -> str:
    """A value that a stranger may have written, without what a terminal would obey."""
    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in value))
