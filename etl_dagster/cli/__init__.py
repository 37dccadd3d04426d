"""The command line: `etl-dagster`.

Belongs here: commands, their options, exit statuses. Does not: work, which each command imports
when it runs, so that `--help` answers at once; only `run` and `ui` import Dagster.

Exit status: 0 done, 1 failed (one clear line says why), 2 wrong usage.
"""

import csv
import importlib
import json
import os
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from etl_dagster.cli.options import (
    DAY,
    FILE,
    all_of,
    check_days,
    read_settings,
    write_json,
    yesterday,
)

ELSEWHERE: Final = {
    "dnc": "etl_dagster.dnc.cli",
    "ledger": "etl_dagster.cli.ledger",
    "evidence": "etl_dagster.cli.evidence",
    "export": "etl_dagster.cli.export",
    "exports": "etl_dagster.cli.export",
    "health": "etl_dagster.cli.health",
    "init": "etl_dagster.cli.init",
    "policy": "etl_dagster.cli.policy",
    "preview": "etl_dagster.cli.preview",
    "rescrub": "etl_dagster.cli.rescrub",
    "retention": "etl_dagster.cli.retention",
    "sandbox": "etl_dagster.cli.sandbox",
}
"""Commands and groups of them by the module that has them, imported on first use."""


class _Commands(click.Group):
    """The commands, some imported on first use, and errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(ELSEWHERE[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _expected_errors() as error:
            raise click.ClickException(str(error)) from error
        except (Exception, KeyboardInterrupt) as error:
            from etl_dagster.cli import troubles

            if said := troubles.said(error):
                raise click.ClickException(said) from error
            raise


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is all that a user needs; the modules are loaded if they were raised."""
    names = {
        "etl_dagster.settings": "SettingsError",
        "etl_dagster.identity.signatures": "KeyFileError",
        "etl_dagster.warehouse.heads": "HeadsError",
        "etl_dagster.evidence.forms": "EvidenceError",
        "etl_dagster.leads.campaign_errors": "CampaignError",
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
    # stores, logs and reports are for their owner alone, those of what is started from here too
    os.umask(0o077)


@main.command()
@click.option("--date", "day", type=DAY, help="The day; default: yesterday (UTC).")
@click.option("--from", "first", type=DAY, help="First day of a range.")
@click.option("--to", "last", type=DAY, help="Last day of a range.")
@click.option("--campaign", "campaigns", multiple=True, help="Only this campaign; repeatable.")
@click.option("--force", is_flag=True, help="Scrub again what is still valid.")
@click.option("--json", "json_file", type=FILE, help="Write counts.")
def run(  # noqa: PLR0913  one option each
    day: datetime | None,
    first: datetime | None,
    last: datetime | None,
    campaigns: tuple[str, ...],
    *,
    force: bool,
    json_file: Path | None,
) -> None:
    """Run a day, or a range of days, through Dagster; print what became of the leads.

    Of a range, days that are finished are skipped, so that the same command goes on where it was
    interrupted; --force runs them again, and asks CCC again about every phone. Days whose leads
    `retention apply` removed are never run again.
    """
    wanted = _days(day, first, last)
    settings = read_settings()
    check_days(settings, wanted[0], wanted[-1])
    from etl_dagster.cli import show
    from etl_dagster.connect import connect
    from etl_dagster.warehouse.funnel import read_day

    console = show.make_console()
    show.announce(console, settings)
    with show.RunDisplay(console) as display:
        from etl_dagster.defs.runner import Runner

        with Runner(settings, listeners=(display,)) as runner:
            # leads are taken back by what is known, also where something could not be read
            failures = {**runner.load_lists(), **runner.retract(), **runner.faults}
            finished = runner.finished_days(campaigns) if first and not force else set()
            due = [] if failures else [each for each in wanted if each not in finished]
            kept = runner.without_removed(due, refuse=not first)
            if gone := len(due) - len(kept):
                console.print(f"{gone:,} days are left out: retention removed their leads")
            results = [runner.skip_day(each) for each in wanted if each in finished]
            if results:
                console.print(f"{len(results):,} of {len(wanted):,} days are finished already")
            for done, each in enumerate(kept):
                if len(wanted) > 1:
                    display.day(each, done=done, days=len(kept))
                results.append(runner.run_day(each, campaigns=campaigns, force=force))
            results.sort(key=lambda result: result.lead_date)
    with connect(settings).session() as session:
        names = campaigns or runner.campaigns
        days = [(result, read_day(session, result.lead_date, names)) for result in results]
    show.print_days(console, settings, days, failures)
    write_json(show.day_records(days), json_file)
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
    return [day.date() if day else yesterday()]


@main.command()
def retract() -> None:
    """Take back published leads whose phones a list has now; the daemon does so by itself."""
    settings = read_settings()
    from etl_dagster.cli import show
    from etl_dagster.defs.runner import Runner

    with (
        show.RunDisplay(show.make_console()) as display,
        Runner(settings, listeners=(display,)) as runner,
    ):
        failures = {**runner.load_lists(), **runner.retract()}
    if failures:
        raise click.ClickException(all_of(failures))


@main.command()
@click.argument("query")
@click.option("--format", "layout", type=click.Choice(["table", "csv", "json"]), default="table")
def sql(query: str, layout: str) -> None:
    """Read the configured warehouse with QUERY; nothing can be written."""
    from etl_dagster.connect import connect
    from etl_dagster.leads.campaigns import check_query

    check_query(query)
    with connect(read_settings(), reads=()).session() as session:
        table = session.arrow_table(query)
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if layout == "json":
        if len({*table.column_names}) < table.num_columns:
            raise click.ClickException("two columns have one name, which JSON cannot: use AS")
        click.echo(json.dumps(table.to_pylist(), indent=2, default=str))
    elif layout == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerows([table.column_names, *rows])
    else:
        from etl_dagster.cli import show

        show.make_console().print(show.rows_table(table.column_names, rows))


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--port", default=3000, type=click.IntRange(1, 65535), show_default=True, help="Port of the UI."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def ui(port: int, options: tuple[str, ...]) -> None:
    """Serve the Dagster UI and daemon; OPTIONS go to `dagster dev`."""
    settings = read_settings()
    from etl_dagster.cli import show
    from etl_dagster.cli.sandbox import bring_up
    from etl_dagster.defs.home import dagster_home, serve_alone
    from etl_dagster.defs.runner import Runner
    from etl_dagster.settings import PROJECT

    show.announce(show.make_console(), settings)
    home = dagster_home(settings)
    serve_alone(home, port)
    if settings.is_local:
        click.echo("bringing up the embedded parts and their sample...")
        with Runner(settings) as runner:
            runner.load_lists()
        bring_up(settings)
    click.echo(f"graph: http://127.0.0.1:{port}/asset-groups  (in some seconds; Ctrl-C stops it)")
    environment = {**os.environ, "DAGSTER_HOME": str(home), "ETL_HOME": str(settings.home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would make every import slower
    # a busy host takes longer than Dagster's minute to start a run, which would fail it
    environment.setdefault("DAGSTER_GRPC_TIMEOUT_SECONDS", "180")
    os.chdir(home)  # where `dagster.yaml` is that shall count
    workspace = str(PROJECT / "workspace.yaml")
    served = ["--workspace", workspace, "--host", "127.0.0.1", "--port", str(port), *options]
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", *served]
    os.execve(sys.executable, command, environment)  # noqa: S606  our own interpreter
