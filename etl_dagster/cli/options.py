"""What several commands share: the settings, how a day is written, and which days there are.

Belongs here: options, checks of what was asked for, how failures are told. Does not: work.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from etl_dagster.settings import Settings

DAY: Final = click.DateTime(["%Y-%m-%d"])


def read_settings() -> "Settings":
    """The settings; imported when a command runs, since pydantic takes a quarter of a second.

    Raises:
        SettingsError: one is missing or wrong.
    """
    from etl_dagster.settings import Settings  # noqa: PLC0415

    return Settings.from_environment()


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()


def yesterday() -> date:
    """The newest day that has a partition."""
    return today() - timedelta(days=1)


def check_days(settings: "Settings", first: date, last: date) -> None:
    """Check that there are partitions from one day to another.

    Raises:
        click.UsageError: there are not.
    """
    newest = yesterday()
    if not settings.start_date <= first <= last <= newest:
        raise click.UsageError(
            f"there are partitions from {settings.start_date} (ETL_START_DATE) to yesterday,"
            f" {newest} (UTC); {first} to {last} is not within that"
        )


def all_of(failures: Mapping[str, str]) -> str:
    """Failures by step as one message, a line each: the first may not be the worst."""
    return "\n  ".join(f"{step}: {message}" for step, message in failures.items())
