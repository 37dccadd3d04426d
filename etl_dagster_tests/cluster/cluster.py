"""Many machines as `deploy/celery` sets them up: its files, two hosts, and the world around them.

Belongs here: the processes of Dagster and Celery, what every host is configured with. Does not:
networks (network.py), Postgres and Redis (servers.py), what is shown with all of it.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from redis import Redis

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME
from etl_dagster.settings import PROJECT
from etl_dagster_tests.cli.test_cli import clean_environment
from etl_dagster_tests.cluster import servers
from etl_dagster_tests.cluster.network import LOOPBACK, Host, end, hosts, reachable
from etl_dagster_tests.defs.line import Line
from etl_dagster_tests.e2e.api import DagsterApi
from etl_dagster_tests.e2e.server import free_port, wait_for

DEPLOY = PROJECT / "deploy" / "celery"
BIN = Path(sys.executable).parent


@dataclass
class Cluster:
    """A running cluster; the first host is the primary.

    Attributes:
        line: the world: tables, CCC sandbox, campaign.
        hosts: its hosts.
        workers: each host's Celery worker of the queue for days.
        redis: what the hosts share.
        api: the GraphQL of the webserver.
    """

    line: Line
    hosts: Sequence[Host]
    redis: Redis
    redis_port: int
    postgres_port: int
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ui_port: int = field(default_factory=free_port)

    @property
    def primary(self) -> Host:
        return self.hosts[0]

    @property
    def url(self) -> str:
        """Where the primary host's webserver answers."""
        gateway = self.primary.gateway
        host = gateway.removesuffix(".1") + ".2" if self.primary.namespace else LOOPBACK
        return f"http://{host}:{self.ui_port}"

    @property
    def api(self) -> DagsterApi:
        return DagsterApi(self.url)

    def environment(self, host: Host) -> dict[str, str]:
        """What stands in the environment file of a host."""
        redis = f"redis://{host.gateway}:{self.redis_port}"
        postgres = f"postgresql+psycopg2://etl@{host.gateway}:{self.postgres_port}/postgres"
        return {
            **clean_environment(),
            **self.line.environment,
            "PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(PROJECT),
            "ETL_HOME": str(host.home),
            "DAGSTER_HOME": str(host.home / "dagster"),
            "ETL_DAGSTER_YAML": str(DEPLOY / "dagster.yaml"),
            "ETL_REDIS_URL": f"{redis}/0",
            "ETL_CELERY_URL": f"{redis}/1",
            "ETL_DAGSTER_POSTGRES_URL": postgres,
            "DNC_DB_PATH": str(host.home / "dnc.sqlite"),
            "DNC_INBOX": str(host.home / "inbox" / "dnc"),
        }

    def command(self, host: Host, *arguments: str) -> str:
        """Run `etl-dagster` on a host; return what it printed."""
        program = [sys.executable, "-m", "etl_dagster", *arguments]
        return host.run(program, self.environment(host))

    def worker(self, host: Host, queue: str, *, runs: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker as its systemd unit does."""
        command = [str(BIN / "dagster-celery"), "worker", "start", "-A", "dagster_celery.app"]
        command += ["-y", str(DEPLOY / "worker.yaml"), "-q", queue, "-n", f"{queue}-{host.name}"]
        return host.start(
            [*command, "--", f"--concurrency={runs}"], self.environment(host), f"{queue}.txt"
        )

    def dagster(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program of Dagster on the primary host, as its systemd unit does."""
        command = [str(BIN / program), *arguments, "--workspace", str(PROJECT / "workspace.yaml")]
        return self.primary.start(command, self.environment(self.primary), f"{program}.txt")


@contextmanager
def cluster(line: Line, folder: Path) -> Iterator[Cluster]:
    """Start all of it; everything is ended afterwards."""
    with ExitStack() as stack:
        made = stack.enter_context(hosts(("one", "two"), folder))
        gateways = [host.gateway for host in made]
        redis_port = stack.enter_context(servers.redis_server(gateways, folder))
        postgres_port = stack.enter_context(servers.postgres_server(gateways))
        redis = Redis(port=redis_port, decode_responses=True)
        it = Cluster(line, made, redis, redis_port, postgres_port)
        snowflake = sidecar.find(NAME, line.settings.home)
        assert snowflake is not None
        ccc = urlsplit(line.environment["CCC_API_URL"]).port
        assert ccc is not None
        for host in made:
            dagster_home = host.home / "dagster"
            dagster_home.mkdir()
            shutil.copy(DEPLOY / "dagster.yaml", dagster_home)
            (host.home / NAME).symlink_to(line.settings.home / NAME)
            shutil.copy(line.settings.dnc_store, host.home / "dnc.sqlite")
            ports = [snowflake.port, ccc]
            stack.enter_context(reachable(host, ports, it.environment(host)))
        it.primary.run([str(BIN / "dagster"), "instance", "migrate"], it.environment(it.primary))
        for host in made:
            it.workers[host.name] = it.worker(host, "dagster")
            stack.callback(end, it.workers[host.name], grace=1)
        stack.callback(end, it.worker(it.primary, "primary"), grace=1)
        address = "0.0.0.0" if it.primary.namespace else LOOPBACK  # noqa: S104  a network of its own
        web = it.dagster("dagster-webserver", "--host", address, "--port", str(it.ui_port))
        stack.callback(end, web)
        stack.callback(end, it.dagster("dagster-daemon", "run"))
        wait_for("the webserver", lambda: _answers(it, web), seconds=120)
        yield it


def _answers(it: Cluster, web: subprocess.Popen[bytes]) -> bool:
    log = it.primary.home / "dagster-webserver.txt"
    assert web.poll() is None, log.read_text(encoding="utf-8")[-4_000:]
    try:
        return httpx.get(f"{it.url}/server_info", timeout=5).is_success
    except httpx.TransportError:
        return False
