"""Find, start and stop a local helper process: one per name and home folder.

Belongs here: the client half, with nothing but the standard library behind it. Does not: what the
process serves; being one (:mod:`~etl_dagster.sandbox.sidecar_server`); its files
(:mod:`~etl_dagster.sandbox.sidecar_folder`).

Errors: :class:`SidecarError`, with the log file and its last lines where there is one.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from etl_dagster.sandbox import sidecar_folder
from etl_dagster.sandbox.sidecar_folder import ALREADY_RUNNING, Sidecar, SidecarError
from etl_dagster.sandbox.sidecar_server import IDENTITY_PATH

LOG_LIMIT_BYTES = 1_000_000

_ANSWER_SECONDS = 2.0
_POLL_SECONDS = 0.05
_KILL_SECONDS = 5.0

# Kept so that a child that ended is reaped, and not reported as leaked while it runs.
_children: list[subprocess.Popen[bytes]] = []


def find(name: str, home: Path) -> Sidecar | None:
    """Return the sidecar ``name`` of ``home`` if it runs and has become ready, else None."""
    return sidecar_folder.announced(home / name)


def ensure(name: str, home: Path, command: Sequence[str], *, wait_seconds: float = 60.0) -> Sidecar:
    """Return the running sidecar, starting it with ``command`` if there is none.

    Any number of processes may call this at once: each may spawn a server, one of these gets the
    lock, and all callers get that one.

    Args:
        name: The sidecar's and its folder's.
        home: Folder that holds the sidecars' folders; made if missing.
        command: Program and arguments of the server.
        wait_seconds: How long to wait for the server to accept requests.

    Raises:
        SidecarError: The folder is unusable, the server ended at start, or did not answer in time.
    """
    folder = sidecar_folder.make(home, name)
    deadline = time.monotonic() + wait_seconds
    child: subprocess.Popen[bytes] | None = None
    while True:
        sidecar = find(name, home)
        if sidecar is not None and _answers(sidecar):
            return sidecar
        status = None if child is None else child.poll()
        if status not in (None, ALREADY_RUNNING):
            raise sidecar_folder.failure(
                folder, f"sidecar {name!r} ended at start with exit status {status}"
            )
        if (child is None or status is not None) and sidecar_folder.holder(folder) is None:
            child = _spawn(folder, command)
        if time.monotonic() > deadline:
            raise sidecar_folder.failure(
                folder, f"sidecar {name!r} did not answer within {wait_seconds:g} s"
            )
        time.sleep(_POLL_SECONDS)


def stop(name: str, home: Path, *, wait_seconds: float = 10.0) -> bool:
    """Stop the sidecar: SIGTERM, after ``wait_seconds`` SIGKILL. False if none was running.

    Raises:
        SidecarError: The process cannot be signalled, or does not end.
    """
    folder = home / name
    owner = sidecar_folder.holder(folder)
    if owner is None:
        return False
    for number, patience in ((signal.SIGTERM, wait_seconds), (signal.SIGKILL, _KILL_SECONDS)):
        deadline = time.monotonic() + patience
        _signal(owner, number, name)
        while time.monotonic() < deadline:
            if sidecar_folder.holder(folder) != owner:
                _reap()
                return True
            time.sleep(_POLL_SECONDS)
    raise sidecar_folder.failure(folder, f"sidecar {name!r}, process {owner}, does not end")


def _answers(sidecar: Sidecar) -> bool:
    """Whether the server at that address is this process (another may have the port by now)."""
    connection = http.client.HTTPConnection(sidecar.host, sidecar.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", IDENTITY_PATH)
        return bool(json.loads(connection.getresponse().read()) == asdict(sidecar))
    except (OSError, ValueError, http.client.HTTPException):
        return False  # not (yet) serving: the caller waits, and names the log in the end
    finally:
        connection.close()


def _spawn(folder: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    _reap()
    # The variable makes every import compile anew; the package must import wherever we stand.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    root = str(Path(__file__).parents[2])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (root, env.get("PYTHONPATH"))))
    log = folder / "server.log"
    try:
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(folder / "server.log.old")
        opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(opened, "ab") as output:
            child = subprocess.Popen(  # noqa: S603 - the caller's own program
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
    except OSError as error:
        raise sidecar_folder.failure(
            folder, f"cannot start {command[0]}: {error.strerror}"
        ) from error
    _children.append(child)
    return child


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _signal(pid: int, number: signal.Signals, name: str) -> None:
    if pid <= 0:  # the kernel's answer for a process outside this container
        raise SidecarError(f"sidecar {name!r} runs where this process cannot see it: stop it there")
    try:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    except PermissionError as error:
        raise SidecarError(f"sidecar {name!r}, process {pid}, belongs to another user") from error
