"""The command line: `etl-dagster`.

Belongs here: commands, their options, exit statuses. Does not: work, which each command imports
when it runs, so that `--help` answers at once; only `run` and `ui` import Dagster.

Exit status: 0 done, 1 failed (one clear line says why), 2 wrong usage.
"""

import csv
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from etl_dagster.sandbox import sidecar

if TYPE_CHECKING:
    from rich.console import Console

    from etl_dagster.defs.launch import DayResult
    from etl_dagster.settings import Settings
    from etl_dagster.warehouse.session import Warehouse

DAY: Final = click.DateTime(["%Y-%m-%d"])
SIDECARS: Final = ("snowflake", "ccc")


class _Commands(click.Group):
    """The commands, with the `dnc` group imported on first use and errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "dnc"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "dnc":
            return super().get_command(ctx, cmd_name)
        from etl_dagster.dnc.cli import dnc  # noqa: PLC0415  numpy: only who asks pays for it

        return dnc

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _expected_errors() as error:
            raise click.ClickException(str(error)) from error


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is all that a user needs; the modules are loaded if they were raised."""
    names = {
        "etl_dagster.settings": "SettingsError",
        "etl_dagster.leads.campaigns": "CampaignError",
        "etl_dagster.leads.policy": "PolicyError",
        "etl_dagster.warehouse.errors": "WarehouseError",
        "etl_dagster.sandbox.sidecar": "SidecarError",
        "etl_dagster.dnc.errors": "DncError",
        "etl_dagster.ccc.errors": "CccError",
    }
    return tuple(
        getattr(sys.modules[module], name)
        for module, name in names.items()
        if module in sys.modules
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="etl-dagster")
def main() -> None:
    """Scrub leads against litigator and Do-Not-Call lists: fail closed, provable, fast."""


@main.command()
@click.option("--date", "day", type=DAY, help="The day; default: yesterday (UTC).")
@click.option("--from", "first", type=DAY, help="First day of a range.")
@click.option("--to", "last", type=DAY, help="Last day of a range.")
@click.option("--campaign", "campaigns", multiple=True, help="Only this campaign; repeatable.")
@click.option("--force", is_flag=True, help="Scrub again what is still valid.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write counts."
)
def run(  # noqa: PLR0913  one option each
    day: datetime | None,
    first: datetime | None,
    last: datetime | None,
    campaigns: tuple[str, ...],
    *,
    force: bool,
    json_file: Path | None,
) -> None:
    """Run a day, or a range of days, through Dagster; print what became of the leads."""
    days = _days(day, first, last)
    settings = _settings()
    from etl_dagster import show  # noqa: PLC0415

    console = show.make_console()
    _announce(settings, console)
    with show.RunDisplay(console) as display:
        from etl_dagster.defs.launch import Launcher  # noqa: PLC0415  Dagster: two seconds

        with Launcher(settings, listeners=(display,)) as launcher:
            failures = launcher.load_lists()
            results = [
                launcher.run_day(day, campaigns=campaigns, force=force)
                for day in (days if not failures else [])
            ]
    _report(settings, results, failures, console, json_file)
    if failures or not all(result.success for result in results):
        raise SystemExit(1)


def _days(day: datetime | None, first: datetime | None, last: datetime | None) -> list[date]:
    if day and (first or last):
        raise click.UsageError("give --date, or --from and --to, not both")
    if bool(first) != bool(last):
        raise click.UsageError("--from and --to go together")
    if first and last:
        if first > last:
            raise click.UsageError("--from is after --to")
        return [first.date() + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day.date() if day else datetime.now(UTC).date() - timedelta(days=1)]


def _announce(settings: "Settings", console: "Console") -> None:
    if settings.is_local:
        console.print(
            "[bold yellow]LOCAL deployment[/]: embedded Snowflake, CCC sandbox, sample leads and"
            " lists. Nothing here may be dialled."
        )
    console.print(f"home: {settings.home}")


def _report(
    settings: "Settings",
    results: "Sequence[DayResult]",
    failures: Mapping[str, str],
    console: "Console",
    json_file: Path | None,
) -> None:
    """Print what became of the days, and write it to the file."""
    from etl_dagster import show  # noqa: PLC0415
    from etl_dagster.warehouse.funnel import read_day  # noqa: PLC0415

    records = []
    for result in results:
        with _warehouse(settings).session() as session:
            day = read_day(session, result.lead_date)
        console.print(show.funnel_table(day))
        if day.lists:
            console.print(show.counts_table("Phones on Do-Not-Call lists", "list", day.lists))
        if day.reasons:
            console.print(show.counts_table("Why phones are unknown", "reason", day.reasons))
        console.print(show.seconds_table(result.seconds))
        failures = {**failures, **result.failures}
        records += [
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
            for name, funnel in day.campaigns.items()
        ]
    if json_file:
        json_file.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    for step, message in failures.items():
        console.print(f"[bold red]FAILED {step}[/]: {message}")
    tables = f"{settings.snowflake_database}.{settings.snowflake_schema}"
    console.print(f"tables:  {tables}  (etl-dagster sql 'SELECT * FROM CALLABLE_NOW')")  # noqa: S608
    console.print(f"reports: {settings.home / 'reports'}")
    console.print("UI:      make ui (etl-dagster ui), then http://127.0.0.1:3000")


@main.command()
@click.argument("query")
@click.option("--format", "layout", type=click.Choice(["table", "csv", "json"]), default="table")
def sql(query: str, layout: str) -> None:
    """Read the configured warehouse with QUERY; nothing can be written."""
    from etl_dagster.leads.campaigns import check_query  # noqa: PLC0415

    check_query(query)
    with _warehouse(_settings()).session() as session:
        table = session.arrow_table(query)
    rows = [list(row.values()) for row in table.to_pylist()]
    if layout == "json":
        records = [dict(zip(table.column_names, row, strict=True)) for row in rows]
        click.echo(json.dumps(records, indent=2, default=str))
    elif layout == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerows([table.column_names, *rows])
    else:
        from etl_dagster import show  # noqa: PLC0415

        show.make_console().print(show.rows_table(table.column_names, rows))


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", default=3000, show_default=True, help="Port of the UI.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def ui(port: int, options: tuple[str, ...]) -> None:
    """Serve the Dagster UI and daemon; OPTIONS go to `dagster dev`."""
    settings = _settings()
    from etl_dagster import show  # noqa: PLC0415
    from etl_dagster.defs.launch import Launcher, dagster_home  # noqa: PLC0415
    from etl_dagster.settings import PROJECT  # noqa: PLC0415

    _announce(settings, show.make_console())
    home = dagster_home(settings)
    if settings.is_local:
        click.echo("bringing up the embedded parts and their sample...")
        with Launcher(settings) as launcher:
            launcher.load_lists()
        _bring_up(settings)
    environment = {**os.environ, "DAGSTER_HOME": str(home), "ETL_HOME": str(settings.home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would make every import slower
    os.chdir(home)  # where `dagster.yaml` is that shall count
    command = [
        *(
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "dagster",
            "dev",
            "--workspace",
            str(PROJECT / "workspace.yaml"),
        ),
        *("--host", "127.0.0.1", "--port", str(port), *options),
    ]
    os.execve(sys.executable, command, environment)  # noqa: S606  our own interpreter


@main.group()
def sandbox() -> None:
    """The embedded parts of a local deployment: Snowflake and CCC."""


@sandbox.command()
def up() -> None:
    """Start the embedded parts, with their sample."""
    settings = _local()
    click.echo("bringing up the embedded parts and their sample...")
    _bring_up(settings)
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
    shutil.rmtree(settings.home, ignore_errors=False)
    click.echo(f"deleted {settings.home}")


def _bring_up(settings: "Settings") -> None:
    """Start the embedded parts and load their sample, where that has not been done."""
    from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415

    world = LocalWorld(settings.home)
    world.ccc()
    world.load_lists(settings.dnc_store)
    _warehouse(settings).close()


def _print_status(settings: "Settings", *, as_json: bool) -> None:
    found = {name: sidecar.find(name, settings.home) for name in SIDECARS}
    if as_json:
        click.echo(json.dumps({name: part and asdict(part) for name, part in found.items()}))
        return
    for name, part in found.items():
        click.echo(f"{name}: " + (f"{part.url} (process {part.pid})" if part else "not running"))


def _settings() -> "Settings":
    from etl_dagster.settings import Settings  # noqa: PLC0415  pydantic: a quarter of a second

    return Settings.from_environment()


def _local() -> "Settings":
    settings = _settings()
    if not settings.is_local:
        raise click.ClickException("there is no sandbox in a production deployment")
    return settings


def _warehouse(settings: "Settings") -> "Warehouse":
    from etl_dagster.warehouse.connect import open_warehouse, warehouse_config  # noqa: PLC0415

    world = None
    if settings.is_local:
        from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415

        world = LocalWorld(settings.home)
    return open_warehouse(warehouse_config(settings), chunks=settings.chunks, world=world)
