"""The command `etl-dagster preview`.

Belongs here: its options and exit status. Does not: the numbers (`report/preview.py`), their
layout (`show.py`). Nothing of Dagster is imported: it answers before a run would have begun.
"""

from datetime import UTC, datetime
from pathlib import Path

import click

from etl_dagster.cli.options import (
    DAY,
    FILE,
    check_days,
    policy_in_force,
    read_settings,
    write_json,
    yesterday,
)


@click.command()
@click.option("--date", "day", type=DAY, help="The day; default: yesterday (UTC).")
@click.option("--campaign", "names", multiple=True, help="Only this campaign; repeatable.")
@click.option("--force", is_flag=True, help="As if the run were to scrub again what is valid.")
@click.option("--json", "json_file", type=FILE, help="Write numbers.")
def preview(
    day: datetime | None, names: tuple[str, ...], *, force: bool, json_file: Path | None
) -> None:
    """Tell what a run of a day would do and cost; write nothing, ask CCC nothing.

    Exit status 1 if the run would fail because of a campaign.
    """
    settings = read_settings()
    lead_date = day.date() if day else yesterday()
    check_days(settings, lead_date, lead_date)
    from etl_dagster.cli import show
    from etl_dagster.connect import connect
    from etl_dagster.leads.campaigns import load_campaigns
    from etl_dagster.report.preview import TABLES, preview_day

    console = show.make_console()
    show.announce(console, settings)
    campaigns = load_campaigns(settings.campaigns_dir)
    policy = policy_in_force(settings)
    with connect(settings, reads=TABLES).session() as session:
        found = preview_day(
            session,
            lead_date,
            campaigns,
            names=names,
            force=force,
            settings=settings,
            policy=policy,
            moment=datetime.now(UTC),
        )
    show.print_preview(console, found)
    write_json(show.preview_record(found), json_file)
    if found.problems:
        raise SystemExit(1)
