"""What a machine lacks in a first hour: each is one line that says so, and what to do.

Belongs here: errors that the machine makes (rights, disk, ports, Python, network, Ctrl-C). Does
not: what is wrong in settings or data, whose tests stand with them.
"""

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from etl_dagster.cli import troubles
from etl_dagster.defs.home import serve_alone
from etl_dagster.settings import PROJECT, SettingsError
from etl_dagster_tests.cli.test_cli import clean_environment, invoke
from etl_dagster_tests.defs.line import DAY, EARLIER, Line, crowd


def only_line(output: str) -> str:
    """The error, which must be one line without a traceback."""
    told = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1
    assert "Traceback" not in output
    return told[0]


@pytest.mark.parametrize("arguments", [["run"], ["sql", "SELECT 1"], ["ui"]])
def test_a_home_that_cannot_be_used_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = invoke({"ETL_HOME": str(tmp_path / "file" / "home")}, *arguments)
    assert result.exit_code == 1
    assert "Not a directory; expected a" in only_line(result.output)


def test_a_database_of_dagster_that_is_down_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("dagster_postgres")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"etl:hush@127.0.0.1:{taken.getsockname()[1]}/dagster"
        cluster = {
            "ETL_HOME": str(tmp_path),
            "ETL_DAGSTER_YAML": str(PROJECT / "deploy" / "celery" / "dagster.yaml"),
            "ETL_DAGSTER_POSTGRES_URL": f"postgresql+psycopg2://{address}",
            "ETL_CELERY_URL": "redis://127.0.0.1:1/1",
        }
        result = invoke(cluster, "run")
    assert result.exit_code == 1
    assert "Dagster's database cannot be used: connection to server" in only_line(result.output)
    assert "hush" not in result.output


def full(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("x")


def full_database(url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        connection.exec_driver_sql("CREATE TABLE a (b)")
        connection.exec_driver_sql("INSERT INTO a VALUES (zeroblob(100000))")


def read_only_database(path: Path) -> None:
    path.touch()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE a (b)")


def test_a_full_or_read_only_disk_is_told_whoever_meets_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as no_space:
        full(Path("/dev/full"))
    assert "make room" in str(troubles.said(no_space.value))
    with pytest.raises(sqlalchemy.exc.OperationalError) as no_room:
        full_database("sqlite://")
    assert "make room" in str(troubles.said(no_room.value))
    with pytest.raises(sqlite3.OperationalError) as read_only:
        read_only_database(tmp_path / "a.sqlite")
    assert "read-only disk" in str(troubles.said(read_only.value))
    wrapped = RuntimeError("a step failed")
    wrapped.__cause__ = no_space.value
    assert troubles.said(wrapped) == troubles.said(no_space.value)
    assert troubles.said(RuntimeError("a mistake of ours")) is None


def test_a_home_has_one_ui_and_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / "one").mkdir()
        with pytest.raises(SettingsError, match=rf"port {port} .* --port {port + 1}"):
            serve_alone(tmp_path / "one", port)
    serve_alone(tmp_path, port)
    with pytest.raises(SettingsError, match=rf"process {os.getpid()}, http://127.0.0.1:{port}"):
        serve_alone(tmp_path, port)


@pytest.mark.slow
def test_ctrl_c_ends_a_range_with_one_line(line: Line) -> None:
    line.people([*crowd(16), *crowd(8, start=24, day=EARLIER)])
    command = [sys.executable, "-m", "etl_dagster", "run", "--force"]
    process = subprocess.Popen(
        [*command, "--from", str(EARLIER), "--to", str(DAY)], text=True, start_new_session=True,
        env={**clean_environment(), **line.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    head = next(text for text in process.stdout if "leads:" in text)
    os.killpg(process.pid, signal.SIGINT)
    output = head + process.stdout.read()
    assert process.wait(60) == 1
    assert "stopped by Ctrl-C: what was committed is kept" in only_line(output)
    assert str(DAY) not in output


def make_setup(folder: Path, python: str, **environment: str) -> str:
    """`make setup` in a folder of its own; what it says."""
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    done = subprocess.run(
        ["make", "-f", str(PROJECT / "Makefile"), "setup", f"PYTHON={python}"], cwd=folder,
        env={**clean_environment(), **environment}, text=True, check=False, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode != 0
    assert not (folder / ".venv" / ".ready").exists()
    return done.stdout


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    assert "there is no /nowhere/python3 here" in make_setup(tmp_path, "/nowhere/python3")
    old = tmp_path / "python3.9"
    script = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[2])"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{script}' \"$@\"\n", encoding="utf-8")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    assert f"needs Python 3.11 or later, and {old} is 3.9" in make_setup(tmp_path, str(old))


@pytest.mark.slow
def test_make_without_a_network_says_what_it_needs(tmp_path: Path) -> None:
    nowhere = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    empty = {"PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    said = make_setup(tmp_path, sys.executable, **nowhere, **empty)
    assert "It needs a network with a Python package index" in said
