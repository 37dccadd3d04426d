"""The command `etl-dagster rescrub`: a day's Do-Not-Call verdicts decided again.

Belongs here: options, exit status, what is shown. Does not: deciding
(`scrub/rescrub.py`). Nothing of Dagster is imported.
"""

import json
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from etl_dagster.cli.ledger import phone_text
from etl_dagster.cli.options import DAY, EXISTING, FILE, limited, read_settings, write_json

if TYPE_CHECKING:
    from etl_dagster.dnc import DncStore
    from etl_dagster.scrub.rescrub_found import Difference, Lost, Rescrub
    from etl_dagster.settings import Settings
    from etl_dagster.warehouse.policies import KeptPolicy

TABLES: Final = ("phone_verdicts", "policies", "leads", "dnc_filtered")
"""What is read."""
SHOWN: Final = 50
"""So many differences are shown; `--json` has more."""


@click.command()
@click.option("--on", "day", type=DAY, required=True, help="The day of the leads.")
@click.option("--chunk", "chunks", type=int, multiple=True, help="Only this chunk; repeatable.")
@click.option(
    "--policy",
    "policies",
    type=EXISTING,
    multiple=True,
    help="A policy that was in force, if the warehouse has no text of it; repeatable.",
)
@click.option("--show-phones", is_flag=True, help="Do not mask phones.")
@click.option("--json", "json_file", type=FILE, help="Write what was found.")
def rescrub(
    day: datetime,
    chunks: tuple[int, ...],
    policies: tuple[Path, ...],
    *,
    show_phones: bool,
    json_file: Path | None,
) -> None:
    """Decide a day's Do-Not-Call verdicts again, by the lists as they were, and name differences.

    Each verdict of the ledger is decided as it was then: by the list versions and opt-outs that it
    names, their age at that moment, and its policy. So are the verdicts of other days on which this
    one rests. Nothing is written. Exit status 0 only if every verdict was decided the same again.
    """
    settings = read_settings()
    if strangers := [number for number in chunks if not 0 <= number < settings.chunks]:
        raise click.UsageError(
            f"there are chunks 0 to {settings.chunks - 1} (ETL_CHUNKS), not {strangers[0]}"
        )
    from etl_dagster.connect import connect
    from etl_dagster.scrub import rescrub as deciding
    from etl_dagster.warehouse.policies import read_policies

    started = time.perf_counter()
    with ExitStack() as stack:
        session = stack.enter_context(connect(settings, reads=TABLES).session())
        stores = _stores(settings, policies, read_policies(session), stack)
        found = deciding.rescrub(session, stores, day.date(), chunks=chunks)
    write_json(_record(found, show_phones=show_phones), json_file)
    _show(found, show_phones=show_phones, seconds=time.perf_counter() - started)
    if not found.whole:
        raise SystemExit(1)


def _stores(
    settings: "Settings",
    policies: tuple[Path, ...],
    kept: "list[KeptPolicy]",
    stack: ExitStack,
) -> "dict[str, DncStore]":
    """The store under each policy, by its hash.

    Policies on record are as they were applied; those in files count with the limits of the
    settings and without.
    """
    from etl_dagster.dnc import DncStore
    from etl_dagster.leads.policy import Policy

    stores: dict[str, DncStore] = {}

    def add(policy_hash: str, max_age_days: int, must_have: tuple[str, ...]) -> None:
        if policy_hash not in stores:
            opened = DncStore.open(
                settings.dnc_store, max_age_days=max_age_days, must_have=must_have
            )
            stores[policy_hash] = stack.enter_context(opened)

    for path in (settings.policy_file, *policies):
        policy = Policy.load(path)
        for one in (policy, limited(policy, settings)):
            add(one.hash, one.dnc_max_age_days, one.dnc_lists)
    for found in kept:
        if found.whole:
            said = json.loads(found.text)
            add(found.policy_hash, said["dnc_max_age_days"], tuple(said["dnc_lists"]))
    return stores


def _show(found: "Rescrub", *, show_phones: bool, seconds: float) -> None:
    from etl_dagster.cli import show

    console = show.make_console()
    record = _record(found, show_phones=show_phones, most=SHOWN)
    for name in ("differences", "cannot_be_reproduced"):
        rows = record[name]
        if isinstance(rows, list) and rows:
            console.print(name.replace("_", " "))
            console.print(show.records_table(rows))
    if found.different > SHOWN:
        console.print(f"and {found.different - SHOWN:,} more differences: --json FILE has them")
    console.print(
        f"{found.rows:,} Do-Not-Call verdicts of {found.lead_date}: {found.reproduced:,}"
        f" reproduced, {found.different:,} different, {found.lost_rows:,} cannot be reproduced"
        f" ({seconds:.1f} s)"
    )
    if found.resting:
        days = ", ".join(
            f"{'other chunks' if day == found.lead_date else day} ({rows:,})"
            for day, rows in sorted(found.resting.items())
        )
        console.print(f"{found.resting.total():,} of these were on record from elsewhere: {days}")
    if not found.scrubbed:
        console.print(
            "[yellow]NOT COVERED[/]: on which verdicts of other days it rests, which its leads"
            " alone tell; there are none, or retention removed them"
        )
    if found.whole and found.rows == found.resting.total():
        console.print(
            "[bold green]REPRODUCED[/]: no verdict is of its own; each that it rests on was decided"
            " the same again"
        )
    elif found.whole:
        console.print("[bold green]REPRODUCED[/]: each was decided the same again")
    elif not found.rows:
        console.print("[bold red]NOTHING TO REPRODUCE[/]: the ledger has none for that")
    else:
        console.print("[bold red]NOT REPRODUCED[/]: what differs or is lost stands above")


def _record(found: "Rescrub", *, show_phones: bool, most: int | None = None) -> dict[str, object]:
    return {
        "date": found.lead_date.isoformat(),
        "whole": found.whole,
        "rows": found.rows,
        "on_record_from_elsewhere": {
            day.isoformat(): rows for day, rows in sorted(found.resting.items())
        },
        "leads_are_there": found.scrubbed,
        "reproduced": found.reproduced,
        "different": found.different,
        "lost": found.lost_rows,
        "differences": [
            _told(one, phone=phone_text(one.phone, masked=not show_phones))
            for one in found.differences[:most]
        ],
        "cannot_be_reproduced": [_told(one) for one in found.lost[:most]],
    }


def _told(one: "Difference | Lost", **fields: str) -> dict[str, object]:
    """A record with its chunk's day and number, and some of its fields told otherwise."""
    return {
        "date": one.chunk.lead_date.isoformat(),
        **vars(one),
        "chunk": one.chunk.number,
        "checked_at": f"{one.checked_at:%Y-%m-%d %H:%M:%S}",
        **fields,
    }
