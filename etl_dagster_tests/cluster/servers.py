"""Postgres and Redis of a cluster, as processes of the test's own, on free ports.

Belongs here: starting and ending them. Does not: what is kept in them.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from redis import Redis
from redis.exceptions import RedisError

from etl_dagster_tests.cluster.network import LOOPBACK, end
from etl_dagster_tests.e2e.server import free_port, wait_for

NOBODY = "nobody"
"""Who runs Postgres where root runs the tests: it refuses to be root."""


@contextmanager
def redis_server(addresses: Sequence[str], folder: Path) -> Iterator[int]:
    """Run a Redis that keeps nothing; give its port."""
    port = free_port()
    listen = sorted({LOOPBACK, *addresses})
    command = [
        _program("redis-server"), "--port", str(port), "--bind", *listen, "--save", "",
        "--protected-mode", "no", "--dir", str(folder),
    ]  # fmt: skip
    process = _started(command, folder / "redis.txt")
    try:
        client = Redis(port=port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except RedisError:
                return False

        wait_for("Redis", answers, seconds=20)
        yield port
    finally:
        end(process)


@contextmanager
def postgres_server(addresses: Sequence[str]) -> Iterator[int]:
    """Run a Postgres on an empty cluster of data; give its port. Its only user is `etl`."""
    port = free_port()
    # not in pytest's folder, which nobody but its owner may enter
    folder = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
    user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, NOBODY)
        user = ["setpriv", f"--reuid={NOBODY}", "--regid=nogroup", "--clear-groups"]
    data = folder / "data"
    try:
        subprocess.run(
            [*user, _program("initdb"), "-D", str(data), "-U", "etl", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        with (data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("host all all samenet trust\n")
        options = {
            "port": port, "fsync": "off", "unix_socket_directories": "",
            "listen_addresses": ",".join(sorted({LOOPBACK, *addresses})),
        }  # fmt: skip
        command = [*user, _program("postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        process = _started(command, folder / "postgres.txt")
        try:

            def answers() -> bool:
                try:
                    psycopg2.connect(
                        host=LOOPBACK, port=port, user="etl", dbname="postgres"
                    ).close()
                except psycopg2.OperationalError:
                    return False
                return True

            wait_for("Postgres", answers, seconds=30)
            yield port
        finally:
            end(process)
    finally:
        shutil.rmtree(folder)


def _started(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip


def _program(name: str) -> str:
    """Where a program is; Debian keeps those of Postgres out of the way."""
    folders = [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        pytest.fail(
            f"the tests of a cluster need {name}: apt-get install postgresql redis-server",
            pytrace=False,
        )
    return found
