"""`etl-dagster dnc`: the store from the command line.

Belongs here: all commands come together, and those that take the store from the host that keeps it
elsewhere: snapshot, fetch, backup. Does not: what they do (snapshot_export.py, snapshot_fetch.py),
how the program ends (`etl_dagster/cli`).
"""

import time
from pathlib import Path

import click

from etl_dagster.dnc import cli_loads, cli_questions  # noqa: F401  their commands, too
from etl_dagster.dnc.cli_options import dnc, json_option, store_option
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshots import Snapshot

__all__ = ["dnc"]


@dnc.command()
@click.argument("target", envvar="DNC_EXPORT_URL")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    help="Keep so many snapshots, the one in force among them [default: all].",
)
@click.option(
    "--allow-other",
    is_flag=True,
    help="Take TARGET over from another store, or from newer lists of this one.",
)
@json_option
@store_option
def snapshot(
    store: Path, target: str, keep: int | None, *, allow_other: bool, as_json: bool
) -> None:
    """Export the store to TARGET, for hosts that fetch it.

    TARGET is a folder, s3://bucket/prefix or what else fsspec speaks; DNC_EXPORT_URL if left out.
    An unchanged store is not sent again: then only the moment moves at which it was in force.
    """
    from etl_dagster.dnc.snapshot_export import export_snapshot  # noqa: PLC0415

    started = time.perf_counter()
    place = Place(target)
    done = export_snapshot(store, place, keep=keep, allow_other=allow_other)
    sent = f"{done.uploaded:,} bytes sent" if done.uploaded else "nothing new to send"
    removed = f", {done.removed:,} old ones removed" if done.removed else ""
    says = f"exported to {place.shown}: {sent}{removed}, {_took(started)}"
    _tell(done.snapshot, says, as_json=as_json)


@dnc.command()
@click.argument("source", envvar="DNC_SNAPSHOT_URL")
@click.option(
    "--allow-older", is_flag=True, help="Take it also if this host has newer lists of that store."
)
@click.option(
    "--allow-other", is_flag=True, help="Take it also if it is another store than this host has."
)
@json_option
@store_option
def fetch(store: Path, source: str, *, allow_older: bool, allow_other: bool, as_json: bool) -> None:
    """Make this host's store the snapshot in force at SOURCE: a replica, which is only read.

    SOURCE is where `etl-dagster dnc snapshot` exported to; DNC_SNAPSHOT_URL if left out.
    """
    from etl_dagster.dnc.snapshot_fetch import fetch_snapshot  # noqa: PLC0415

    started = time.perf_counter()
    place = Place(source)
    done = fetch_snapshot(store, place, allow_older=allow_older, allow_other=allow_other)
    came = f"{done.snapshot.size:,} bytes" if done.changed else "this host had it already"
    says = f"fetched from {place.shown}: {came}, {_took(started)}"
    _tell(done.snapshot, says, as_json=as_json)


@dnc.command()
@click.argument("target")
@store_option
def backup(store: Path, target: str) -> None:
    """Copy the store, lists and opt-outs, to TARGET, whatever is being written or asked meanwhile.

    TARGET is a folder, s3://bucket/prefix or what else fsspec speaks. Nothing there is replaced or
    removed. A store that was lost is replaced by the file; docs/operations.md tells how.
    """
    from etl_dagster.dnc.snapshot_export import back_up  # noqa: PLC0415

    started = time.perf_counter()
    place = Place(target)
    name, size = back_up(store, place)
    click.echo(f"copied to {place.shown}/{name}: {size:,} bytes, {_took(started)}")


def _tell(found: Snapshot, says: str, *, as_json: bool) -> None:
    """Print a snapshot, for programs or for people, who are told first what was done with it."""
    if as_json:
        click.echo(found.text(), nl=False)
        return
    click.echo(says)
    click.echo(
        f"snapshot {found.digest[:12]} of store {found.store} on {found.host}, in force at"
        f" {found.exported_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    for one in found.lists:
        click.echo(
            f"- {one.list}@{one.version}" + (f" as of {one.as_of[:16]}" if one.as_of else "")
        )


def _took(started: float) -> str:
    return f"{time.perf_counter() - started:.1f} s"
