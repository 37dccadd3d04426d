"""The command `etl-dagster health`.

Belongs here: what is well, and its words. Does not: where it is read (`defs/health.py`).
"""

import time
from datetime import timedelta
from typing import Final

import click

from etl_dagster.cli.options import read_settings, today

SILENT_SECONDS: Final = 300
"""Who has said nothing for so long is taken for dead: a tick may last a minute, and some wait."""


@click.command()
@click.option("--days", type=click.IntRange(1), help="The newest scrubbed day may be so old.")
def health(days: int | None) -> None:
    """Tell whether the daemon lives and does its work: for cron, systemd or an uptime monitor.

    A line for each thing; exit status 1 if one is not well. It asks Dagster's history, and neither
    Snowflake nor CCC. Without --days the newest scrubbed day is only told.
    """
    settings = read_settings()
    from etl_dagster.defs.health import signs_of_life

    heard, newest = signs_of_life(settings)
    now, oldest = time.time(), today() - timedelta(days=days) if days else None
    found = {
        f"{what}: {f'{now - at:,.0f} s ago' if at else 'never'}": now - at < SILENT_SECONDS
        for what, at in heard.items()
    }
    found[f"newest scrubbed day: {newest}"] = not oldest or bool(newest and newest >= oldest)
    for line, well in found.items():
        click.echo(f"{'ok' if well else 'NOT WELL'}: {line}")
    if not all(found.values()):
        raise SystemExit(1)
