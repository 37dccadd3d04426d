"""Commands of `etl-dagster dnc` that change the store.

Belongs here: load, changes, import-legacy, opt-out, opt-in, restored, compact. Does not:
questions, printing.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from etl_dagster.dnc import terminal
from etl_dagster.dnc.cli_options import (
    allow_options,
    as_of_option,
    covers_option,
    dnc,
    files_argument,
    json_option,
    kind_option,
    list_option,
    moment,
    store_option,
    writable,
)
from etl_dagster.dnc.records import INTERNAL
from etl_dagster.dnc.retention import DAYS
from etl_dagster.dnc.store import DncStore
from etl_dagster.dnc.writer import LoadResult


def _reported(command: Callable[..., LoadResult]) -> Callable[..., None]:
    """Give a command the options of all loads, and print what it did."""

    @json_option
    @store_option
    @wraps(command)
    def report(*, as_json: bool, **options: Any) -> None:
        terminal.print_result(command(**options), as_json=as_json)

    return report


@dnc.command()
@files_argument
@list_option
@click.option("--as-of", metavar="DATE", callback=moment, required=True, help="Date of the list.")
@kind_option
@covers_option
@click.option("--column", help="The column with the phones, for CSV.")
@click.option("--max-age-days", type=click.IntRange(min=1), help="The list's own limit.")
@click.option("--source", help="Where the list comes from, for the record.")
@click.option("--states", help="Which states it speaks for, for the record.")
@click.option("--optional", is_flag=True, help="Its age makes no phone unknown.")
@allow_options("fewer-areas", "malformed", "older", "same", "shrink")
@_reported
def load(
    store: Path, files: tuple[Path, ...], name: str, *, optional: bool, **options: Any
) -> LoadResult:
    """Load a full list from FILES (text, CSV, XML; plain or zipped)."""
    required = False if optional else None
    with writable(store) as dnc_store, terminal.progress("Loading") as progress:
        return dnc_store.add_list(name, files, required=required, progress=progress, **options)


@dnc.command()
@files_argument
@list_option
@as_of_option
@covers_option
@allow_options("gap", "malformed", "same", "shrink", "uncovered")
@_reported
def changes(store: Path, files: tuple[Path, ...], name: str, **options: Any) -> LoadResult:
    """Apply change lists (phone,timestamp,A|D) from FILES."""
    with (
        DncStore.open(store, read_only=False) as dnc_store,
        terminal.progress("Applying") as progress,
    ):
        return dnc_store.apply_changes(name, files, progress=progress, **options)


@dnc.command("import-legacy")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--list", "name", default="national", show_default=True)
@click.option("--as-of", metavar="DATE", callback=moment, required=True, help="Date of the data.")
@kind_option
@covers_option
@allow_options("fewer-areas", "malformed", "older", "same", "shrink")
@_reported
def import_legacy(store: Path, file: Path, name: str, **options: Any) -> LoadResult:
    """Import an existing SQLite database with a table dnc_list."""
    with writable(store) as dnc_store, terminal.progress("Importing") as progress:
        return dnc_store.import_legacy(name, file, progress=progress, **options)


@dnc.command("opt-out")
@click.argument("phones", nargs=-1)
@click.option("--file", type=click.Path(exists=True, path_type=Path), help="Phones or CSV.")
@click.option("--column", help="The column with the phones, for CSV.")
@click.option("--list", "name", default=INTERNAL, show_default=True)
@click.option(
    "--received", metavar="DATE", callback=moment, help="When the request came in [default: now]."
)
@click.option("--source", default="", help="By which way: letter, call, form.")
@click.option("--by", default="", help="Who records it.")
@click.option("--note", default="", help="Anything else; for a removal, the reason.")
@click.option("--remove", is_flag=True, help="Lift the opt-out; needs --note and --by.")
@allow_options("malformed", "same")
@_reported
def opt_out(  # noqa: PLR0913  one option each
    store: Path,
    phones: tuple[str, ...],
    name: str,
    *,
    file: Path | None,
    column: str | None,
    remove: bool,
    allow: list[str],
    **record: Any,
) -> LoadResult:
    """Record that PHONES asked to be left alone (or, with --remove, no longer do)."""
    if bool(phones) == bool(file):
        raise click.UsageError("give phones, or --file")
    if remove and file:
        raise click.UsageError("--remove takes phones, not a file")
    with writable(store, make=False) as dnc_store:
        if remove:
            return dnc_store.remove_opt_out(
                phones, reason=record["note"], by=record["by"], name=name
            )
        if file:
            return dnc_store.opt_out_file(file, column=column, name=name, allow=allow, **record)
        return dnc_store.opt_out(phones, name=name, **record)


@dnc.command("opt-in")
@click.argument("phones", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why they may be called again.")
@click.option("--by", required=True, help="Who decided it.")
@click.option("--list", "name", default=INTERNAL, show_default=True)
@_reported
def opt_in(store: Path, phones: tuple[str, ...], name: str, reason: str, by: str) -> LoadResult:
    """Lift the opt-outs of PHONES, on record: look-ups as of before still say LISTED."""
    with DncStore.open(store, read_only=False) as dnc_store:
        return dnc_store.remove_opt_out(phones, reason=reason, by=by, name=name)


@dnc.command()
@click.option("--reason", required=True, help="How the store was lost, and what was loaded again.")
@click.option("--by", required=True, help="Who says so.")
@_reported
def restored(store: Path, reason: str, by: str) -> LoadResult:
    """Put on record that all that a restored store had lost was loaded again: scrubs go on."""
    with DncStore.open(store, read_only=False) as dnc_store:
        return dnc_store.restored(reason=reason, by=by)


@dnc.command()
@click.option("--retention-days", type=click.IntRange(min=DAYS), default=DAYS, show_default=True)
@store_option
def compact(store: Path, retention_days: int) -> None:
    """Drop history that is older than the retention; what is in place stays."""
    with DncStore.open(store, read_only=False) as dnc_store:
        done = dnc_store.compact(retention_days=retention_days)
    click.echo(f"dropped {done.segments:,} area code states, gave back {done.bytes:,} bytes")
