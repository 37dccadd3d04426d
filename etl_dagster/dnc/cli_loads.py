"""Commands of `etl-dagster dnc` that change the store.

Belongs here: load, changes, import-legacy, opt-out, opt-in, compact. Does not: questions, printing.
"""

from pathlib import Path
from typing import Any

import click

from etl_dagster.dnc import terminal
from etl_dagster.dnc.cli_options import (
    allow_options,
    allowed,
    as_of_option,
    covers_option,
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


@click.command()
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
@json_option
@store_option
def load(store: Path, files: tuple[Path, ...], name: str, **options: Any) -> None:
    """Load a full list from FILES (text, CSV, XML; plain or zipped)."""
    with writable(store) as dnc_store, terminal.progress("Loading") as progress:
        result = dnc_store.add_list(
            name,
            files,
            as_of=options["as_of"],
            kind=options["kind"],
            covers=options["covers"],
            column=options["column"],
            max_age_days=options["max_age_days"],
            source=options["source"],
            states=options["states"],
            required=False if options["optional"] else None,
            allow=allowed(options),
            progress=progress,
        )
    terminal.print_result(result, as_json=options["as_json"])


@click.command()
@files_argument
@list_option
@as_of_option
@covers_option
@allow_options("gap", "malformed", "older", "same", "shrink", "uncovered")
@json_option
@store_option
def changes(store: Path, files: tuple[Path, ...], name: str, **options: Any) -> None:
    """Apply change lists (phone,timestamp,A|D) from FILES."""
    with (
        DncStore.open(store, read_only=False) as dnc_store,
        terminal.progress("Applying") as progress,
    ):
        result = dnc_store.apply_changes(
            name,
            files,
            as_of=options["as_of"],
            covers=options["covers"],
            allow=allowed(options),
            progress=progress,
        )
    terminal.print_result(result, as_json=options["as_json"])


@click.command("import-legacy")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--list", "name", default="national", show_default=True)
@click.option("--as-of", metavar="DATE", callback=moment, required=True, help="Date of the data.")
@kind_option
@covers_option
@allow_options("fewer-areas", "malformed", "older", "same", "shrink")
@json_option
@store_option
def import_legacy(store: Path, file: Path, name: str, **options: Any) -> None:
    """Import an existing SQLite database with a table dnc_list."""
    with writable(store) as dnc_store, terminal.progress("Importing") as progress:
        result = dnc_store.import_legacy(
            name,
            file,
            as_of=options["as_of"],
            kind=options["kind"],
            covers=options["covers"],
            allow=allowed(options),
            progress=progress,
        )
    terminal.print_result(result, as_json=options["as_json"])


@click.command("opt-out")
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
@json_option
@store_option
def opt_out(store: Path, phones: tuple[str, ...], name: str, **options: Any) -> None:
    """Record that PHONES asked to be left alone (or, with --remove, no longer do)."""
    record = {key: options[key] for key in ("received", "source", "by", "note")}
    if bool(phones) == bool(options["file"]):
        raise click.UsageError("give phones, or --file")
    if options["remove"] and options["file"]:
        raise click.UsageError("--remove takes phones, not a file")
    with writable(store) as dnc_store:
        if options["remove"]:
            result = dnc_store.remove_opt_out(
                phones, reason=options["note"], by=options["by"], name=name
            )
        elif options["file"]:
            result = dnc_store.opt_out_file(
                options["file"],
                column=options["column"],
                name=name,
                allow=allowed(options),
                **record,
            )
        else:
            result = dnc_store.opt_out(phones, name=name, **record)
    terminal.print_result(result, as_json=options["as_json"])


@click.command("opt-in")
@click.argument("phones", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why they may be called again.")
@click.option("--by", required=True, help="Who decided it.")
@click.option("--list", "name", default=INTERNAL, show_default=True)
@json_option
@store_option
def opt_in(store: Path, phones: tuple[str, ...], name: str, **options: Any) -> None:
    """Lift the opt-outs of PHONES, on record: look-ups as of before still say LISTED."""
    with DncStore.open(store, read_only=False) as dnc_store:
        result = dnc_store.remove_opt_out(
            phones, reason=options["reason"], by=options["by"], name=name
        )
    terminal.print_result(result, as_json=options["as_json"])


@click.command()
@click.option("--retention-days", type=click.IntRange(min=1), default=DAYS, show_default=True)
@store_option
def compact(store: Path, retention_days: int) -> None:
    """Drop history that is older than the retention; what is in place stays."""
    with DncStore.open(store, read_only=False) as dnc_store:
        done = dnc_store.compact(retention_days=retention_days)
    click.echo(f"dropped {done.segments:,} area code states, gave back {done.bytes:,} bytes")
