"""The folder of Dagster's own state, and the file in it that says what the instance is.

Belongs here: that file. Does not: opening the instance (`launch.py`), or what is in the file
(`dagster.yaml`, `deploy/celery/dagster.yaml`).
"""

import json
import os
import re
from pathlib import Path
from typing import Final

from etl_dagster.settings import Settings, SettingsError

STORAGE: Final = '".etl/dagster"'
"""How `dagster.yaml` names the folder of a checkout's own state."""
_VARIABLE: Final = re.compile(r"^ *env: *(\w+) *$", re.MULTILINE)


def dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's own state, with an up-to-date `dagster.yaml` in it.

    Raises:
        SettingsError: the file that ETL_DAGSTER_YAML names cannot be read, or asks for variables
            that are not set; or the folder cannot be made.
    """
    home = settings.home / "dagster"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"ETL_HOME: {home} cannot be made: {error.strerror}; expected a folder that this user"
            " may write to"
        ) from None
    try:
        text = settings.dagster_yaml.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"ETL_DAGSTER_YAML: {settings.dagster_yaml} cannot be read: {error.strerror}"
        ) from None
    known = {**os.environ, "DAGSTER_HOME": str(home)}
    if missing := {name for name in _VARIABLE.findall(text) if not known.get(name)}:
        raise SettingsError(
            f"{settings.dagster_yaml} takes from the environment what is not set there:"
            f" {', '.join(sorted(missing))}"
        )
    partial = home / f".dagster.yaml.{os.getpid()}"
    partial.write_text(text.replace(STORAGE, json.dumps(str(home))), encoding="utf-8")
    partial.replace(home / "dagster.yaml")
    return home
