"""The command `etl-dagster preview`.

Belongs here: its options and exit status. Does not: the numbers (`report/preview.py`), their
layout (`show.py`). Nothing of Dagster is imported: it answers before a run would have begun.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from etl_dagster.cli.options import DAY, check_days, yesterday


@click.command()
@click.option("--date", "day", type=DAY, help="The day; default: yesterday (UTC).")
@click.option("--campaign", "names", multiple=True, help="Only this campaign; repeatable.")
@click.option("--force", is_flag=True, help="As if the run were to scrub again what is valid.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write numbers."
)
def preview(
    day: datetime | None, names: tuple[str, ...], *, force: bool, json_file: Path | None
) -> None:
    """Tell what a run of a day would do and cost; write nothing, ask CCC nothing.

    Exit status 1 if the run would fail because of a campaign.
    """
    from etl_dagster.settings import Settings  # noqa: PLC0415  pydantic: a quarter of a second

    settings = Settings.from_environment()
    lead_date = day.date() if day else yesterday()
    check_days(settings, lead_date, lead_date)
    from etl_dagster.cli import show  # noqa: PLC0415
    from etl_dagster.connect import connect  # noqa: PLC0415
    from etl_dagster.leads.campaigns import load_campaigns  # noqa: PLC0415
    from etl_dagster.leads.policy import Policy  # noqa: PLC0415
    from etl_dagster.report.preview import TABLES, preview_day  # noqa: PLC0415

    console = show.make_console()
    show.announce(console, settings)
    campaigns = load_campaigns(settings.campaigns_dir)
    policy = Policy.load(settings.policy_file).with_limits(
        ccc_ttl_days=settings.ccc_verdict_ttl_days, dnc_max_age_days=settings.dnc_max_age_days
    )
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
    if json_file:
        text = json.dumps(show.preview_record(found), indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")
    if found.problems:
        raise SystemExit(1)
