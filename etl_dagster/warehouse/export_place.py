"""Putting a file in its place: readable by its owner alone, whole or not at all.

Belongs here: its unfinished self beside it, its name, what killed processes left. Does not: what is
in it (`export.py`).
"""

import os
from glob import escape
from pathlib import Path
from typing import IO, Final

import psutil

from etl_dagster.warehouse.errors import WarehouseError

OWNER_ONLY: Final = 0o600
UNFINISHED: Final = ".part"


class ExportError(WarehouseError):
    """Nothing was handed out; the message says why."""


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a place where no file can be put.

    Raises:
        ExportError: there is something already, or no folder to put it into.
    """
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}")
    if target.is_dir():
        raise ExportError(f"{target} is a folder")
    if os.path.lexists(target) and not force:
        raise ExportError(f"{target} exists: choose another name, or give --force")


def unfinished(target: Path) -> Path:
    """Where this process writes what becomes the target."""
    return target.with_name(f".{target.name}.{os.getpid()}{UNFINISHED}")


def create(path: Path) -> IO[bytes]:
    """Open a new file that only its owner can read, whatever the umask."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY), "wb")


def put(partial: Path, target: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force` never one that is taken."""
    if force:
        partial.replace(target)
    else:
        try:
            os.link(partial, target)
        except FileExistsError:
            raise ExportError(
                f"{target} appeared while it was written; the export is on record, without a file"
            ) from None
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep(target: Path) -> None:
    """Remove what killed exports to this target left behind: names and phones are in it."""
    for left in target.parent.glob(f".{escape(target.name)}.*{UNFINISHED}"):
        owner = left.name.removesuffix(UNFINISHED).rpartition(".")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            left.unlink(missing_ok=True)
