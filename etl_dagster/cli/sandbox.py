"""The commands `etl-dagster sandbox ...`: the embedded parts of a local deployment.

Belongs here: up, down, status, reset. Does not: what the parts do.
"""

import json
import shutil
from dataclasses import asdict
from typing import Final

import click

from etl_dagster.sandbox import sidecar
from etl_dagster.settings import Settings

SIDECARS: Final = ("snowflake", "ccc")
LOCAL_STATE: Final = (
    *(*SIDECARS, "ccc_state", "dagster", "inbox", "locks", "reports", "sample"),
    "dnc.sqlite*",
)
"""What a local deployment keeps in its home."""


@click.group()
def sandbox() -> None:
    """The embedded parts of a local deployment: Snowflake and CCC."""


@sandbox.command()
def up() -> None:
    """Start the embedded parts, with their sample."""
    settings = _local()
    click.echo("bringing up the embedded parts and their sample...")
    bring_up(settings)
    _print_status(settings, as_json=False)


@sandbox.command()
def down() -> None:
    """Stop the embedded parts; their data stay."""
    settings = _local()
    for name in SIDECARS:
        stopped = sidecar.stop(name, settings.home)
        click.echo(f"{name}: {'stopped' if stopped else 'was not running'}")


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Addresses and process ids as JSON.")
def status(*, as_json: bool) -> None:
    """Tell what runs, where, as which process."""
    _print_status(_local(), as_json=as_json)


@sandbox.command()
@click.confirmation_option(prompt="Delete all local data, history and lists?")
def reset() -> None:
    """Stop the embedded parts and delete all local state."""
    settings = _local()
    for name in SIDECARS:
        sidecar.stop(name, settings.home)
    for name in LOCAL_STATE:  # the folder may hold what is not ours
        for path in settings.home.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    click.echo(f"deleted the local state in {settings.home}")


def bring_up(settings: Settings) -> None:
    """Start the embedded parts and load their sample, where that has not been done."""
    from etl_dagster.connect import connect
    from etl_dagster.sandbox.local import LocalWorld

    world = LocalWorld(settings.home)
    world.ccc()
    if settings.has_sample_lists:
        world.load_lists(settings.dnc_store)
    connect(settings).close()


def _print_status(settings: Settings, *, as_json: bool) -> None:
    found = {name: sidecar.find(name, settings.home) for name in SIDECARS}
    if as_json:
        click.echo(json.dumps({name: part and asdict(part) for name, part in found.items()}))
        return
    for name, part in found.items():
        click.echo(f"{name}: " + (f"{part.url} (process {part.pid})" if part else "not running"))


def _local() -> Settings:
    settings = Settings.from_environment()
    if not settings.is_local:
        raise click.ClickException("there is no sandbox in a production deployment")
    return settings
