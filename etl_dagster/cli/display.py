"""Progress on the command line while a run goes.

Belongs here: bars and lines. Does not: what is shown when it is done (`show.py`).
"""

import time
from datetime import date, timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from etl_dagster.progress import ProgressEvent


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
