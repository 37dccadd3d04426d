"""The commands `etl-dagster retention`: what may go because its time is up, and letting it go.

Belongs here: options, exit status, what is shown. Does not: which rows may go
(`warehouse/retention.py`), removing them (`warehouse/removal.py`), files (`scrub/old_files.py`).
Nothing of Dagster is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from etl_dagster.cli.options import FILE, read_settings, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from etl_dagster.scrub.old_files import OldFiles
    from etl_dagster.settings import Settings
    from etl_dagster.warehouse.retention import Plan
    from etl_dagster.warehouse.session import Session

SHOWN: Final = 60
"""So many lines of a plan are shown; `--json` has all of them."""


@click.group()
def retention() -> None:
    """What is kept for how long: look what may go, and let it go."""


@retention.command()
@click.option("--json", "json_file", type=FILE, help="Write all of it.")
def plan(json_file: Path | None) -> None:
    """Show what `apply` would remove, by table and day; write nothing."""
    settings = read_settings()
    from etl_dagster.cli import show
    from etl_dagster.connect import connect
    from etl_dagster.warehouse.retention import RULES

    with connect(settings, reads=RULES).session() as session:
        planned, files = _plan(session, settings)
    _show(show.make_console(), planned, files)
    write_json(_record(planned, files), json_file)


@retention.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(*, yes: bool) -> None:
    """Remove what `plan` shows, day by day, and put it on record (RETENTIONS).

    The ledger of the days that go is verified before and after. What was interrupted goes on where
    it stopped. Exit status 1 if something stays that should have gone.
    """
    settings = read_settings()
    from filelock import FileLock, Timeout

    from etl_dagster.cli import show
    from etl_dagster.connect import connect

    console = show.make_console()
    show.announce(console, settings)
    locks = settings.home / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(locks / "retention.lock", timeout=0), connect(settings).session() as session:
            planned, files = _plan(session, settings)
            _show(console, planned, files)
            if not yes:
                question = "Remove this, and what the Do-Not-Call store needs no more, for good?"
                click.confirm(question, abort=True)
            staying = _apply(console, session, settings, planned)
    except Timeout:
        raise click.ClickException(
            "another `retention apply` is under way on this home; nothing was removed"
        ) from None
    if staying:
        raise click.ClickException(
            f"the ledger of {', '.join(staying)} is not as it was written, so it stays: removing it"
            " would destroy the evidence of who changed it. See etl-dagster ledger verify"
        )
    console.print("[bold green]WHOLE[/]: what is left of the ledger was verified")


def _plan(session: "Session", settings: "Settings") -> "tuple[Plan, Sequence[OldFiles]]":
    from etl_dagster.scrub.old_files import needed_since, old_files
    from etl_dagster.warehouse import retention as keeping

    planned = keeping.plan(
        session,
        leads_days=settings.leads_retention_days,
        ledger_days=settings.ledger_retention_days,
        moment=datetime.now(UTC),
    )
    going = {one.day for one in planned.removable if one.kind == keeping.LEDGER}
    since = needed_since(session, settings, planned.moment, going=going)
    return planned, old_files(settings, since)


def _apply(
    console: "Console", session: "Session", settings: "Settings", planned: "Plan"
) -> list[str]:
    """Remove rows, then lists and files on which nothing rests; return the days that stay."""
    from etl_dagster.identity.who import operator
    from etl_dagster.scrub.old_files import needed_since, old_files, remove_files
    from etl_dagster.warehouse import removal

    staying = removal.apply(
        session,
        planned,
        by=operator(),
        done=lambda one: console.print(f"removed {one.rows:,} rows of {one.table}, {one.day}"),
    )
    # asked again, since a day that was to go may have stayed
    since = needed_since(session, settings, planned.moment)
    for old in old_files(settings, since):
        remove_files(session, old, planned)
        console.print(f"removed {len(old.files):,} files of {old.folder}")
    _compact(console, settings, since)
    return [str(day) for day in staying]


def _compact(console: "Console", settings: "Settings", since: datetime) -> None:
    """Drop what the Do-Not-Call store no longer needs; requests are never dropped."""
    from etl_dagster.dnc import DncStore

    days = (datetime.now(UTC) - since).days + 1
    if settings.dnc_snapshot_url:
        console.print("Do-Not-Call store: a replica; what it need not keep is dropped on its host")
    elif settings.dnc_store.exists():
        with DncStore.open(settings.dnc_store, read_only=False) as store:
            done = store.compact(retention_days=days)
        console.print(
            f"Do-Not-Call store: {done.segments:,} old states of lists dropped; what verdicts since"
            f" {since:%Y-%m-%d} rest on is kept"
        )


def _show(console: "Console", planned: "Plan", files: "Sequence[OldFiles]") -> None:
    from etl_dagster.cli import show
    from etl_dagster.warehouse.retention import LEADS, LEDGER

    kept = planned.kept_days
    console.print(
        f"leads are kept {kept[LEADS]:,} days, evidence {kept[LEDGER]:,} days (at least five"
        " years); opt-outs for ever"
    )
    lines = [
        (one.table, str(one.day), f"{one.rows:,}", _text(one.oldest), _text(one.newest))
        for one in planned.removable
    ]
    lines += [
        (old.folder, "", f"{len(old.files):,} files", _text(old.days[0]), _text(old.days[-1]))
        for old in files
    ]
    if not lines:
        console.print("nothing has to go")
    else:
        head = ["table", "day", "rows", "oldest written", "newest written"]
        console.print(show.rows_table(head, lines[:SHOWN]))
        if len(lines) > SHOWN:
            console.print(f"and {len(lines) - SHOWN:,} more: plan --json FILE has all of them")
        rows = sum(one.rows for one in planned.removable)
        days = len({one.day for one in planned.removable})
        console.print(f"{rows:,} rows of {days:,} days")
    if planned.callable_days:
        days_text = ", ".join(map(str, planned.callable_days))
        console.print(f"these days stay, since they have leads that may be called: {days_text}")


def _text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _record(planned: "Plan", files: "Sequence[OldFiles]") -> Mapping[str, object]:
    return {
        "moment": planned.moment,
        "kept_days": planned.kept_days,
        "rows": [asdict(one) for one in planned.removable],
        "files": [
            {
                "folder": old.folder,
                "files": len(old.files),
                "oldest": old.days[0],
                "newest": old.days[-1],
            }
            for old in files
        ],
        "callable_days_that_stay": planned.callable_days,
    }
