"""What several commands share: options, the settings, which days there are, how things are told.

Belongs here: that. Does not: work.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from etl_dagster.leads.policy import Policy
    from etl_dagster.settings import Settings


class _FileToWrite(click.Path):
    """A file in a folder that is there: a run must not end in being unable to write it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        folder = Path(value).parent
        if not folder.is_dir():
            self.fail(f"there is no folder {folder}", param, ctx)
        return super().convert(value, param, ctx)


DAY: Final = click.DateTime(["%Y-%m-%d"])
FILE: Final = _FileToWrite(dir_okay=False, writable=True, path_type=Path)
EXISTING: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def read_settings() -> "Settings":
    """The settings; imported when a command runs, since pydantic takes a quarter of a second.

    Raises:
        SettingsError: one is missing or wrong.
    """
    from etl_dagster.settings import Settings

    return Settings.from_environment()


def limited(policy: "Policy", settings: "Settings") -> "Policy":
    """A policy as far as the settings do not shorten it."""
    return policy.with_limits(
        ccc_ttl_days=settings.ccc_verdict_ttl_days, dnc_max_age_days=settings.dnc_max_age_days
    )


def policy_in_force(settings: "Settings") -> "Policy":
    """The policy that the next run applies.

    Raises:
        PolicyError: its file cannot be used.
    """
    from etl_dagster.leads.policy import Policy

    return limited(Policy.load(settings.policy_file), settings)


def write_json(record: object, file: Path | None) -> None:
    """Write a record into the file that was asked for, if one was."""
    if file:
        file.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")


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


def called() -> str:
    """How to call the program again: by its path, where it is in no PATH."""
    started = Path(sys.argv[0])
    found = started.name != "etl-dagster" or shutil.which(started.name)
    return "etl-dagster" if found else os.path.relpath(started)


def all_of(failures: Mapping[str, str]) -> str:
    """Failures by step as one message, a line each: the first may not be the worst."""
    return "\n  ".join(f"{step}: {message}" for step, message in failures.items())
