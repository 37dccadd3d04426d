"""`etl-dagster ui` as it really runs: daemon, webserver, code server, on a home of its own.

Belongs here: the processes, how to start, find and end them, and the world around them (the
embedded Snowflake, the CCC sandbox). Does not: what Dagster says (api.py) or shows (ui.py).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psutil

from etl_dagster.cli.sandbox import SIDECARS
from etl_dagster.connect import connect
from etl_dagster.sandbox import sidecar
from etl_dagster.settings import Settings
from etl_dagster.warehouse.session import Session
from etl_dagster_tests.cli.test_cli import clean_environment

START_SECONDS: Final = 180.0
STOP_SECONDS: Final = 30.0
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "daemon": ("dagster._daemon",),
    "code server": ("code-server start", "dagster api grpc"),
    "webserver": ("dagster_webserver",),
    "run": ("--multiprocessing-fork",),
}
"""Words in the command lines of the processes below `dagster dev`; each run is one."""
_T = TypeVar("_T")


def wait_for(what: str, condition: Callable[[], _T], *, seconds: float = 120.0) -> _T:
    """Poll until the condition gives something; return that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.1)
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class UiServer:
    """The program's UI and daemon for one home folder.

    Attributes:
        home: the folder of all its state.
        options: settings besides the home, by variable.
        born: its day (UTC), whatever day it becomes while tests run: its sample ends there.
    """

    home: Path
    options: Mapping[str, str] = field(default_factory=dict)
    born: date = field(default_factory=lambda: datetime.now(UTC).date())
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _groups: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"ETL_HOME": str(self.home), **self.options}

    def day(self, back: int) -> str:
        """The day so many days before its first."""
        return str(self.born - timedelta(days=back))

    @property
    def output(self) -> Path:
        """What its processes print."""
        return self.home.with_name(f"{self.home.name}-output.txt")

    # Its processes

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ["ui", "--port", str(self.port)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "etl_dagster", *arguments],
                env={**clean_environment(), **self.environment}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        wait_for("the UI", self._answers, seconds=START_SECONDS)

    def stop(self) -> None:
        """End it as an operator would, then whatever is left of its process group."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self, *, spare: str | None = None) -> None:
        """End all its processes at once, as a power cut would, or all but those of a role."""
        if self._process is None:
            return
        spared = {process.pid for process in self.processes(spare)} if spare else set()
        victims = [process for process in self.processes() if process.pid not in spared]
        for process in victims:
            with suppress(psutil.NoSuchProcess):
                process.suspend()  # so that none sees another's end and does something about it
        for process in victims:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        wait_for("the victims' ends", lambda: {one.pid for one in self.processes()} <= spared)
        self._groups.append(self._process.pid)
        self._process = None

    def kill_runs(self) -> None:
        """End the processes of the runs; what the others make of it is theirs."""
        victims = self.processes("run")
        assert victims
        for process in victims:
            process.kill()

    def processes(self, role: str | None = None) -> list[psutil.Process]:
        """The processes of its group, or those of a role."""
        assert self._process is not None
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            command = " ".join(process.info["cmdline"] or ())
            if (
                process.info["status"] != psutil.STATUS_ZOMBIE
                and _group(process.pid) == self._process.pid
                and (role is None or any(words in command for words in ROLES[role]))
            ):
                found.append(process)
        return found

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.output.read_text(encoding="utf-8")[-4_000:]
        try:
            return httpx.get(f"{self.url}/server_info", timeout=5).is_success
        except httpx.TransportError:
            return False

    # The world around it

    @contextmanager
    def warehouse(self) -> Iterator[Session]:
        """A session of the warehouse that it works on."""
        opened = connect(Settings.from_environment(self.environment))
        try:
            with opened.session() as session:
                yield session
        finally:
            opened.close()

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.warehouse() as session:
            found: list[dict[str, Any]] = session.arrow_table(query).to_pylist()
        return found

    def ccc(self, method: str, path: str, body: Any = None) -> Any:
        """Talk to the control endpoints of its CCC sandbox."""
        found = sidecar.find("ccc", self.home)
        assert found is not None, "the CCC sandbox does not run"
        answer = httpx.request(method, f"{found.url}/sandbox/{path}", json=body, timeout=10)
        return answer.raise_for_status().json()

    def slow_ccc(self, seconds: float) -> None:
        """Make the CCC sandbox need so much longer for every answer; 0 makes it as it was."""
        self.ccc("DELETE", "faults")
        if seconds:
            self.ccc("POST", "faults", {"kind": "slow", "seconds": seconds})

    def tear_down(self) -> None:
        """End everything that was started for the home."""
        self.stop()
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for name in SIDECARS:
            sidecar.stop(name, self.home)


def _group(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None
