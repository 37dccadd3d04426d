"""The folder of Dagster's own state, and the file in it that says what the instance is.

Belongs here: that file, that one UI serves the folder, and that SQLite files in it are kept open
while this process runs jobs. Does not: opening the instance (`runner.py`), or what is in the file
(`dagster.yaml`, `deploy/celery/dagster.yaml`).
"""

import fcntl
import json
import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

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


def serve_alone(home: Path, port: int) -> None:
    """See to it that no other UI serves this folder while this process lives, nor has the port.

    The lock outlives `exec`, so that `dagster dev` has it; its children do not.

    Raises:
        SettingsError: there is one; two daemons would launch every run twice.
    """
    lock = os.open(home / "ui.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)  # noqa: FBT003  it takes no name
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(lock, 80).decode()
        raise SettingsError(
            f"a UI serves {home.parent} already: {other}; use it, or stop it"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()}, http://127.0.0.1:{port}".encode())
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingsError(
                f"port {port} cannot be had ({error.strerror}), perhaps by the UI of another copy:"
                f" stop that, or choose another: etl-dagster ui --port {port + 1}"
            ) from None


@contextmanager
def kept_open(instance: dg.DagsterInstance) -> Iterator[list[Path]]:
    """Keep the files that all runs share open; do nothing where Dagster's storage is another.

    Dagster opens and closes a file's only connection for every event. SQLite then empties the log
    of changes into the file and deletes it each time, with several waits for the disk; while
    anybody else has the file open, it does so once in a while. Nothing about when an event is safe
    changes.

    The file of a single run is left alone: the UI follows a run that is going by changes of that
    file itself, which are rare while it is kept open.

    Yields:
        The files that are kept open.
    """
    files: list[Path] = []
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        index = Path(storage.path_for_shard("index"))
        files = [file for file in (index, index.parent.with_suffix(".db")) if file.exists()]
    with ExitStack() as stack:
        for file in files:
            connection = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
            # a connection has a file open only from its first question
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        yield files
