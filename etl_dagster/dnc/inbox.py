"""Inbox folders: which file is which list, and where it goes once it has been dealt with.

Belongs here: file names and moves. Does not: reading a list (formats.py), loading it (loading.py).

A list file is called `<list>@<date>` with any ending: `national@2026-11-20.zip`; a change list
`national@2026-11-20.changes.csv`. A file that is still being copied is left alone: one whose name
starts with a dot or ends in `.part` or the like, or that was written to a moment ago. One that is
written to after it was dealt with, because its sender had only paused, comes back.
"""

import os
import re
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from etl_dagster.dnc.errors import DncError, DncFormatError, printable

_NAME: Final = re.compile(
    # the number is what `_move` gives a second file of that name
    r"(?:\d+-)?(?P<list>[a-z][a-z0-9_]*)@(?P<day>\d{4}-\d{2}-\d{2})(?P<rest>[-_.].*)?",
    re.ASCII,
)
_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart")
SETTLED_SECONDS: Final = 5.0
"""A file that nobody has written to for so long is taken to be whole."""
DONE: Final = "done"
REJECTED: Final = "rejected"
REASON: Final = ".reason.txt"


@dataclass(frozen=True, order=True)
class InboxFile:
    """A list file that waits.

    Attributes:
        as_of: the list's date, start of that day in UTC.
        changes: it is a change list, to be applied after a full list of the same day.
        list: the list's name.
        path: the file.
    """

    as_of: datetime
    changes: bool
    list: str
    path: Path


def pending(folder: Path) -> list[InboxFile]:
    """List files that wait in the folder, in the order in which they have to be loaded.

    Files whose names say no list and date are not among them; `nameless` finds those.
    """
    return sorted(file for path in waiting(folder) if (file := _read_name(path)))


def nameless(folder: Path) -> list[Path]:
    """Files in the folder whose names are not those of list files."""
    return [path for path in waiting(folder) if _read_name(path) is None]


def waiting(folder: Path, *, now: float | None = None) -> list[Path]:
    """All finished files of the folder, by name.

    Args:
        folder: the inbox; it need not exist.
        now: seconds since the epoch, the clock's if None.
    """
    if not folder.is_dir():
        return []
    latest = (time.time() if now is None else now) - SETTLED_SECONDS
    _put_back(folder)
    return sorted(
        path
        for path in folder.iterdir()
        if path.name[0] != "."
        and path.suffix.lower() not in _UNFINISHED
        and path.is_file()
        # its sender may have given it any date, even one to come
        and min(path.stat().st_mtime, path.stat().st_ctime) <= latest
    )


def shown(path: Path) -> str:
    """What messages call a file: its name, which somebody else chose."""
    return printable(path.name)


def fingerprint(paths: Iterable[Path]) -> str:
    """A text that is another for other files, and for files written or put there again."""
    return ";".join(f"{path.name}:{path.stat().st_ctime_ns}" for path in sorted(paths))


def arrivals(paths: Iterable[Path]) -> list[datetime]:
    """When each file was written last, in UTC; one that was moved meanwhile is left out."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    return found


def rejected(folder: Path) -> list[Path]:
    """Files of the folder that were set aside and that nobody has dealt with, by name."""
    aside = folder / REJECTED
    if not aside.is_dir():
        return []
    return sorted(path for path in aside.iterdir() if not path.name.endswith(REASON))


def missed(folder: Path, file: InboxFile, *, since: datetime | None) -> list[Path]:
    """Change lists that belong before a change list and were set aside.

    Args:
        folder: the inbox.
        file: the change list.
        since: the date that the list has come to; what is older is in it, or was replaced. None:
            it is empty.
    """
    found = (_read_name(path) for path in rejected(folder) if path.name != file.path.name)
    return [
        one.path
        for one in found
        if one and one.changes and one.list == file.list and one.as_of <= file.as_of
        and (since is None or since <= one.as_of)
    ]  # fmt: skip


def done_before(folder: Path, moment: datetime) -> list[Path]:
    """Files of the folder that were dealt with before a moment, by name; links are left alone."""
    aside, until = folder / DONE, moment.timestamp()
    if not aside.is_dir():
        return []
    return sorted(
        path
        for path in aside.iterdir()
        if path.is_file()
        and not path.is_symlink()
        and path.name[0] != "."
        # a file keeps its date when it is moved; its entry has that of the move
        and max(path.stat().st_mtime, path.stat().st_ctime) < until
    )


def stamp(path: Path) -> str:
    """Size and date of a file, which change when it is written to, or given its sender's date.

    Raises:
        DncFormatError: it is a link: whoever may write here could have any file of ours read.
    """
    if path.is_symlink():
        raise DncFormatError(f"{path.name} is a link: put the file itself here")
    at = path.stat()
    return f"{at.st_size} {int(at.st_mtime)}"


def set_done(path: Path, read: str) -> Path:
    """Move a file that was dealt with, of that stamp when it was read; return where it is now."""
    target = _move(path, DONE)
    _write(_read_as(target), read)
    return target


def remove_done(path: Path) -> None:
    """Remove a file that was dealt with, and its stamp."""
    path.unlink(missing_ok=True)
    _read_as(path).unlink(missing_ok=True)


def set_aside(path: Path, error: DncError) -> Path:
    """Move a file that cannot be used, with the reason in a file beside it."""
    moved = _move(path, REJECTED)
    _write(moved.with_name(moved.name + REASON), f"{error}\n")
    return moved


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8") as file:  # never through a link that waits there
        file.write(text)


def _read_as(done: Path) -> Path:
    """Where the stamp is that a file had when it was read."""
    return done.with_name(f".{done.name}")


def _put_back(folder: Path) -> None:
    """Take back into the inbox what was written to after it had been dealt with."""
    aside = folder / DONE
    for path in aside.iterdir() if aside.is_dir() and not aside.is_symlink() else []:
        with suppress(
            OSError
        ):  # another process was quicker, or has the rights that this one lacks
            read = _read_as(path)
            regular = stat.S_ISREG(path.lstat().st_mode)
            if regular and read.read_text("utf-8", "replace") != stamp(path):
                _move(path, os.pardir)
                read.unlink()


def _read_name(path: Path) -> InboxFile | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    try:
        day = date.fromisoformat(match["day"])
    except ValueError:
        return None
    return InboxFile(
        as_of=datetime(day.year, day.month, day.day, tzinfo=UTC),
        changes=".changes" in (match["rest"] or "").lower(),
        list=match["list"],
        path=path,
    )


def _move(path: Path, to: str) -> Path:
    folder = path.parent / to
    if folder.is_symlink():
        raise DncFormatError(f"{folder} is a link: files would be moved elsewhere; take it away")
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    number = 1
    while target.exists():
        target = folder / f"{number}-{path.name}"
        number += 1
    os.replace(path, target)  # noqa: PTH105  atomic within the inbox
    return target
