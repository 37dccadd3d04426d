"""What the command line shows: progress, results, tables.

Belongs here: text for people and JSON for scripts. Does not: deciding anything.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from etl_dagster.dnc.explanation import Explanation
from etl_dagster.dnc.reports import ListStats, VersionRecord
from etl_dagster.dnc.sources import Progress as Told
from etl_dagster.dnc.writer import LoadResult
from etl_dagster.leads.policy import Policy


@contextmanager
def progress(verb: str) -> Iterator[Told | None]:
    """Show a bar with rate and time left on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = Progress(
        TextColumn(verb),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[numbers]:,} numbers, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(verb, total=None, numbers=0, rate=0.0)

        def told(done: int, total: int, numbers: int) -> None:
            seconds = bar.tasks[0].elapsed or 0.001
            bar.update(task, completed=done, total=total, numbers=numbers, rate=numbers / seconds)

        yield told


def print_result(result: LoadResult, *, as_json: bool) -> None:
    """Say what a load did."""
    if as_json:
        click.echo(json.dumps(asdict(result), default=str))
        return
    if not result.changed:
        click.echo(
            f"{result.list}: the same input is in already as version {result.version} of "
            f"{result.as_of:%Y-%m-%d}; nothing was done (--allow-same loads it once more)"
        )
        return
    malformed = f", {result.malformed:,} lines left out" if result.malformed else ""
    click.echo(
        f"{result.list}: version {result.version} as of {result.as_of:%Y-%m-%d}: "
        f"{result.numbers:,} numbers in {result.area_codes:,} area codes "
        f"(+{result.added:,} -{result.removed:,}), {result.lines:,} lines read{malformed}, "
        f"{result.seconds:.1f} s"
    )


def print_stats(stats: Sequence[ListStats], *, as_json: bool) -> None:
    """Show the lists as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps([asdict(one) for one in stats], default=_iso, indent=2))
        return
    names = ("area codes", "stale", "numbers", "oldest", "age", "fresh for", "size", "versions")
    numbers = (Column(name, justify="right") for name in names)
    table = Table("list", "kind", *numbers, title="Do-Not-Call lists")
    now = datetime.now(UTC)
    for one in stats:
        table.add_row(
            one.list,
            one.kind + ("" if one.required else " (optional)"),
            f"{one.area_codes:,}",
            f"{one.stale_area_codes:,}",
            f"{one.numbers:,}",
            f"{one.as_of:%Y-%m-%d}" if one.as_of else "never loaded",
            f"{(now - one.as_of).days:,} d" if one.as_of else "",
            _left(one, now),
            f"{one.bytes / 1e6:,.1f} MB",
            f"{one.versions:,}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def print_history(history: Sequence[VersionRecord], *, as_json: bool) -> None:
    """Show the versions of a list as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps([asdict(one) for one in history], default=_iso, indent=2))
        return
    changed = (Column(name, justify="right") for name in ("added", "removed"))
    table = Table("version", "kind", "as of", "recorded", *changed, "numbers", "files")
    for one in history:
        table.add_row(
            f"{one.number}",
            one.kind + "".join(f", {flag} allowed" for flag in one.allowed),
            f"{one.as_of:%Y-%m-%d}",
            f"{one.recorded_at:%Y-%m-%d %H:%M}",
            f"{one.added:,}",
            f"{one.removed:,}",
            f"{one.numbers:,}",
            ", ".join(str(file["name"]) for file in one.files),
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def print_explanation(
    explanation: Explanation, *, file: str, policy: Policy, as_json: bool
) -> None:
    """Say what a verdict rests on: the policy of this file, then list by list."""
    if as_json:
        rules = {"file": file, "max_age_days": policy.dnc_max_age_days, "lists": policy.dnc_lists}
        click.echo(json.dumps({**asdict(explanation), "policy": rules}, default=_iso, indent=2))
        return
    reason = f": {explanation.reason}" if explanation.reason else ""
    click.echo(f"verdict: {explanation.verdict}{reason}")
    if explanation.valid_until:
        click.echo(f"valid until: {explanation.valid_until:%Y-%m-%d %H:%M} UTC")
    click.echo(f"versions: {explanation.list_versions}")
    click.echo(f"policy: {file}, lists at most {policy.dnc_max_age_days} days old")
    for name in explanation.missing:
        click.echo(f"- {name}: not loaded, and the policy lets nobody be clear without it")
    for one in explanation.lists:
        click.echo(
            f"- {one.list} ({one.kind}): "
            + ("listed" if one.listed else "not listed" if one.covered else "not covered")
        )
        if one.since:
            click.echo(f"    since version {one.since_version} of {one.since:%Y-%m-%d}")
        if one.as_of:
            click.echo(
                f"    as of {one.as_of:%Y-%m-%d %H:%M}, version {one.version}"
                + (f", fresh until {one.fresh_until:%Y-%m-%d %H:%M}" if one.fresh_until else "")
            )
        for name, digest in one.files:
            click.echo(f"    file {name} sha256 {digest}")
        for request in one.requests:
            click.echo(
                "    " + " ".join(f"{key}={value}" for key, value in request.items() if value)
            )


def lines(numbers: NDArray[np.int64], *, comma: bool) -> bytes:
    """Write numbers as text, one a line."""
    width = 12 if comma else 11
    text = np.full((len(numbers), width), ord(","), dtype=np.uint8)
    columns = [*range(3), *range(width - 8, width - 1)]
    for place, column in enumerate(columns):
        text[:, column] = numbers // 10 ** (9 - place) % 10 + ord("0")
    text[:, -1] = ord("\n")
    return text.tobytes()


def _left(one: ListStats, now: datetime) -> str:
    if one.fresh_until is None:
        return "always" if one.versions or one.kind == "internal" else ""
    return "stale" if one.fresh_until < now else f"{(one.fresh_until - now).days:,} d"


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
