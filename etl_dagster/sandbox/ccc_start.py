"""Starting the CCC sandbox: what a process needs to know of it that only asks it.

Belongs here: its key, its command. Does not: the server (:mod:`~etl_dagster.sandbox.ccc`), whose
modules every step of a local deployment would otherwise import.
"""

import sys
from pathlib import Path
from typing import Final

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.sidecar_folder import Sidecar

NAME: Final = "ccc"
SANDBOX_KEY: Final = "sandbox-key"


def start_ccc(home: Path, *, idle_seconds: float = 1800.0, latency_ms: float = 50.0) -> Sidecar:
    """Return the sandbox that serves ``home``, started if it does not run yet.

    Args:
        home: Folder of the sidecars' folders.
        idle_seconds: It ends after so long without a request.
        latency_ms: Its latency if it has to be started.

    Raises:
        SidecarError: It cannot be started.
    """
    command = [sys.executable, "-m", "etl_dagster.sandbox.ccc", "--home", str(home)]
    command += ["--idle", str(idle_seconds), "--latency-ms", str(latency_ms)]
    return sidecar.ensure(NAME, home, command)
