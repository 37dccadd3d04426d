"""Hosts of a cluster on one machine: network namespaces where that is allowed, else processes.

Belongs here: making hosts, running commands on them, how they reach what listens on this machine's
loopback. Does not: what runs there.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
FORWARD = Path(__file__).with_name("forward.py")


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        name: its name.
        gateway: where it finds this machine.
        namespace: its network; empty if it is this machine's.
        home: the folder of its own state.
    """

    name: str
    gateway: str
    namespace: str
    home: Path

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: str
    ) -> subprocess.Popen[bytes]:
        """Start a command on the host, in a process group of its own."""
        with (self.home / log).open("ab") as output:
            return subprocess.Popen(
                [*self._entering, *command], env=dict(environment), cwd=self.home,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """Run a command on the host to its end; return what it printed."""
        done = subprocess.run(
            [*self._entering, *command], env=dict(environment), cwd=self.home,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def _entering(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []


@contextmanager
def hosts(names: Sequence[str], folder: Path) -> Iterator[list[Host]]:
    """Make hosts, each with a network of its own if this machine allows it."""
    with ExitStack() as stack:
        made = []
        apart = _may_make_networks()
        for number, name in enumerate(names):
            home = folder / name
            home.mkdir()
            gateway, namespace = LOOPBACK, ""
            if apart:
                namespace = f"etl{os.getpid()}{name}"
                gateway = stack.enter_context(_network(namespace, number))
            made.append(Host(name, gateway, namespace, home))
        yield made


@contextmanager
def reachable(host: Host, ports: Sequence[int], environment: Mapping[str, str]) -> Iterator[None]:
    """Let what listens on this machine's loopback be found on the host's, over the network."""
    if not host.namespace:
        yield
        return
    here = [f"{host.gateway}:{port}={LOOPBACK}:{port}" for port in ports]
    there = [f"{LOOPBACK}:{port}={host.gateway}:{port}" for port in ports]
    running = [
        subprocess.Popen([sys.executable, str(FORWARD), *here], env=dict(environment)),
        host.start([sys.executable, str(FORWARD), *there], environment, "forward.txt"),
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def end(process: subprocess.Popen[bytes], *, grace: float = 10.0) -> None:
    """End a process as systemd would, then its whole group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def _may_make_networks() -> bool:
    name = f"etl{os.getpid()}try"
    try:
        if subprocess.run(
            ["ip", "netns", "add", name], check=False, capture_output=True
        ).returncode:
            return False
    except FileNotFoundError:
        return False
    _ip("netns", "del", name)
    return True


@contextmanager
def _network(namespace: str, number: int) -> Iterator[str]:
    """A namespace and a cable from it to here; gives this machine's address on the cable."""
    net = f"10.{100 + os.getpid() % 100}.{number}"
    here, there = f"e{os.getpid()}h{number}", f"e{os.getpid()}t{number}"
    _ip("netns", "add", namespace)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace)
        _ip("addr", "add", f"{net}.1/24", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", namespace, "addr", "add", f"{net}.2/24", "dev", there)
        for link in (there, "lo"):
            _ip("-n", namespace, "link", "set", link, "up")
        yield f"{net}.1"
    finally:
        _ip("netns", "del", namespace)  # and with it both ends of the cable


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
