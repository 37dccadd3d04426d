"""What a sidecar leaves on disk, and what the kernel says of it.

Belongs here: the folder ``<home>/<name>`` (mode 0700), its lock and its ready file. Does not: the
life of the process (:mod:`~etl_dagster.sandbox.sidecar`), serving
(:mod:`~etl_dagster.sandbox.sidecar_server`).

- ``lock``: the process holds a record lock on it while it lives. The kernel drops the lock with
  the process, however that ends, and tells anybody who holds it. So "does it run, and as which
  process" is never a guess from a file, and a recycled process id is never killed.
- ``ready.json``: the :class:`Sidecar`, written once the server really accepts requests.
- ``server.log``: what the process printed.
"""

import fcntl
import json
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

#: Exit status of a server that found another one in possession of its folder (EX_TEMPFAIL).
ALREADY_RUNNING = 75

_LOG_TAIL_LINES = 12
# The fields of `struct flock` come in another order there.
_MAC = platform.system() == "Darwin"
_FLOCK = struct.Struct("qqihh" if _MAC else "hhqqi4x")


class SidecarError(RuntimeError):
    """A sidecar cannot be started, reached, stopped or run here."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running sidecar: where it listens and which process it is."""

    name: str
    host: str
    port: int
    pid: int
    url: str


def make(home: Path, name: str) -> Path:
    """Return the sidecar's folder, made if missing, open to its owner alone.

    Raises:
        SidecarError: It cannot be made or is not ours.
    """
    folder = home / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise SidecarError(
            f"cannot use {folder} as the folder of sidecar {name!r}: {error.strerror}; "
            "expected a folder that this user may write to"
        ) from error
    return folder


# Never closed: a process that is ending may still have threads at work in the folder.
_held: list[TextIO] = []


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Own the folder until this process ends, however much later than the context that is.

    A process must not open the lock file a second time: closing any descriptor of the file drops
    the lock.

    Raises:
        SystemExit: With :data:`ALREADY_RUNNING` if another process owns it.
    """
    lock = (folder / "lock").open("w")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SystemExit(ALREADY_RUNNING) from None
    _held.append(lock)
    clear(folder)
    try:
        yield
    finally:
        clear(folder)


def holder(folder: Path) -> int | None:
    """Return the id of the process that owns the folder, as the kernel knows it, or None.

    Asking (F_GETLK) takes no lock itself, so it never makes a starting server give up.
    """
    asked = (0, 0, 0, fcntl.F_WRLCK, 0) if _MAC else (fcntl.F_WRLCK, 0, 0, 0, 0)
    try:
        with (folder / "lock").open("rb") as lock:
            answer = _FLOCK.unpack(fcntl.fcntl(lock, fcntl.F_GETLK, _FLOCK.pack(*asked)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind, pid = (answer[3], answer[2]) if _MAC else (answer[0], answer[4])
    return None if kind == fcntl.F_UNLCK else pid


def announce(folder: Path, sidecar: Sidecar) -> None:
    """Write the ready file: a reader sees all of it or none, and only its owner may."""
    temporary = folder / "ready.tmp"
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
        json.dump(asdict(sidecar), file)
    temporary.replace(folder / "ready.json")


def announced(folder: Path) -> Sidecar | None:
    """Return what the ready file says if the process that wrote it still owns the folder."""
    owner = holder(folder)
    try:
        sidecar = Sidecar(**json.loads((folder / "ready.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None  # missing, or cut short: as good as not there
    return sidecar if sidecar.pid == owner else None


def clear(folder: Path) -> None:
    """Remove the ready file."""
    (folder / "ready.json").unlink(missing_ok=True)


def failure(folder: Path, what: str) -> SidecarError:
    """Return an error that says ``what``, and how the sidecar's log ends."""
    log = folder / "server.log"
    try:
        tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    except OSError:
        return SidecarError(f"{what}; there is no log at {log}")
    return SidecarError("\n".join([f"{what}; see {log}, which ends with:", *tail]))
