"""The commands `etl-dagster export` and `etl-dagster exports`.

Belongs here: their options and exit status, and the order in which an export is made safe: lists
are heard and published leads taken back, the days must be ready, then every phone in the file is
asked about again. Does not: the file and its record (`warehouse/export.py`), whether a day is ready
(`defs/readiness.py`).
"""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from etl_dagster.cli.options import DAY, all_of, check_days, policy_in_force, read_settings, today

if TYPE_CHECKING:
    from etl_dagster.cli.show import RunDisplay
    from etl_dagster.leads.policy import Policy
    from etl_dagster.settings import Settings
    from etl_dagster.warehouse.export import Export, Selection

ACCEPTABLE: Final = ("dnc_rate_is_usual", "litigator_rate_is_usual", "size_is_usual")
"""Blocking checks that a person may overrule: they say that a number is unusual, not wrong."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--format", "layout", type=click.Choice(["csv", "parquet"]), required=True)
@click.option("--date", "day", type=DAY, help="Leads of this day only.")
@click.option(
    "--call-date",
    "call_day",
    type=DAY,
    help="The day of the calls, whose hours are written; today (UTC) if not given.",
)
@click.option("--campaign", "names", multiple=True, help="Only this campaign; repeatable.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    type=click.Choice(ACCEPTABLE),
    help="Hand out a day although this check is red: somebody has looked at it. Is on record.",
)
def export(  # noqa: PLR0913, PLR0917  one option each
    out: Path,
    layout: str,
    day: datetime | None,
    call_day: datetime | None,
    names: tuple[str, ...],
    accepted: tuple[str, ...],
    *,
    force: bool,
) -> None:
    """Write what may be dialled on a day, with names and addresses, into a file for the dialler.

    What is written is what the view CALLABLE_NOW shows, as far as it may be called on that day, and
    from when to when (call_from_utc, call_to_utc). Each export is put on record (EXPORTS) before
    its file appears.
    """
    settings = read_settings()
    lead_date = day.date() if day else None
    if lead_date:
        check_days(settings, lead_date, lead_date)
    call_date = call_day.date() if call_day else today()
    from etl_dagster.cli import show
    from etl_dagster.leads.campaigns import choose, load_campaigns
    from etl_dagster.warehouse.export import Selection
    from etl_dagster.warehouse.export_files import check_target

    target = out.absolute()
    check_target(target, force=force)
    choose(load_campaigns(settings.campaigns_dir), names)
    console = show.make_console()
    show.announce(console, settings)
    policy = policy_in_force(settings)
    with show.RunDisplay(console) as display:
        record, leads, without_hours = _export(
            settings,
            policy,
            Selection(call_date=call_date, lead_date=lead_date, campaigns=names),
            target,
            layout=layout,
            accepted=accepted,
            force=force,
            display=display,
        )
    counts = [*leads.items(), ("all", record.row_count)]
    rows = [(name, f"{count:,}") for name, count in counts]
    console.print(show.rows_table(["campaign", "leads"], rows))
    console.print(f"calls:  on {call_date}, each lead from call_from_utc to call_to_utc")
    if without_hours:
        console.print(f"        {without_hours:,} leads have no hours left then and are left out")
    console.print(f"file:   {target}  ({layout}, {record.phone_count:,} phones, mode 600)")
    console.print(f"sha256: {record.sha256}")
    console.print(f"export: {record.export_id}  (etl-dagster exports)")


def _export(  # noqa: PLR0913  what the command was asked for
    settings: "Settings",
    policy: "Policy",
    selection: "Selection",
    target: Path,
    *,
    layout: str,
    accepted: tuple[str, ...],
    force: bool,
    display: "RunDisplay",
) -> "tuple[Export, dict[str, int], int]":
    """Make it safe, then export; see the module's docstring.

    Returns:
        The record, leads by campaign, and how many leads are left out for want of calling hours.

    Raises:
        click.ClickException: lists could not be loaded, leads not taken back, a day is not ready.
    """
    from etl_dagster.connect import connect
    from etl_dagster.defs.runner import Runner
    from etl_dagster.dnc import DncStore, inbox
    from etl_dagster.dnc.witness import Witness
    from etl_dagster.warehouse import export as exporting
    from etl_dagster.warehouse.call_windows import check_day

    with Runner(settings, listeners=(display,)) as runner:
        # leads are taken back by what is known, also where something could not be read
        if failures := {**runner.load_lists(), **runner.retract()}:
            raise click.ClickException(f"nothing was exported: {all_of(failures)}")
        if unread := inbox.rejected(settings.opt_out_inbox_dir):
            raise click.ClickException(
                f"nothing was exported: opt-outs that could not be read are in {unread[0].parent}"
            )
        with (
            DncStore.open_under(settings.dnc_store, policy) as store,
            connect(settings).session() as session,
        ):
            check_day(session, selection.call_date)
            days = exporting.callable_now(session, selection)
            if refusals := runner.refusals(days, policy_hash=policy.hash, accepted=accepted):
                raise click.ClickException("\n  ".join(["nothing was exported:", *refusals]))
            witness = Witness(store)
            record, leads = exporting.export(
                session,
                selection,
                target,
                layout=layout,
                judged=days,
                origin=exporting.Origin(
                    policy_hash=policy.hash,
                    list_versions=witness.list_versions,
                    accepted_checks=accepted,
                ),
                vouch=witness,
                force=force,
            )
            everybody = sum(sum(day.values()) for day in days.values())
            return record, leads, max(0, everybody - record.row_count)


@click.command()
@click.option("--most", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def exports(most: int, *, as_json: bool) -> None:
    """List what was exported, when, by whom: the newest first."""
    settings = read_settings()
    from etl_dagster.cli import show
    from etl_dagster.connect import connect
    from etl_dagster.warehouse import export as exporting

    with connect(settings, reads=["exports"]).session() as session:
        found = exporting.exports(session, most=most)
    if as_json:
        click.echo(json.dumps([vars(one) for one in found], indent=2, default=str))
        return
    if not found:
        click.echo("nothing was exported yet")
        return
    records = [
        {
            "exported (UTC)": f"{one.exported_at:%Y-%m-%d %H:%M:%S}",
            "by": one.exported_by,
            "day": one.lead_date or "all",
            "calls on": one.call_date,
            "campaigns": one.campaigns,
            "leads": f"{one.row_count:,}",
            "phones": f"{one.phone_count:,}",
            "file": one.file_name,
            "sha256": one.sha256[:12],
            "accepted": one.accepted_checks,
        }
        for one in found
    ]
    show.make_console().print(show.records_table(records))
