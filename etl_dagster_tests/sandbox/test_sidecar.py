"""The life of a sidecar, with real processes: an application of a few lines, served and killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etl_dagster.sandbox import sidecar
from etl_dagster_tests.together import at_once

NAME = "echo"
SERVER = """
import contextlib, json, os, pathlib, sys, time
from etl_dagster.sandbox.sidecar_server import serve

home = pathlib.Path(sys.argv[1])
options = json.loads(sys.argv[2])

async def app(scope, receive, send):
    if scope["path"] == "/hang":
        (home / "hanging").touch()
        time.sleep(60)  # blocks the event loop: SIGTERM is not heard
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(dict(os.environ)).encode()})

@contextlib.contextmanager
def build(folder):
    try:
        yield app
    finally:
        (home / "stopped").touch()

serve(build, name="echo", home=home, **options)
"""
SLEEPER = [sys.executable, "-c", "import sys, time; time.sleep(float(sys.argv[1]))"]
# Asks for the sidecar as many processes at once might, and prints whom it got.
CLIENT = """
import json, pathlib, sys
from etl_dagster.sandbox import sidecar
print(sidecar.ensure("echo", pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])).pid)
"""


def command(home: Path, **options: object) -> list[str]:
    return [sys.executable, "-c", SERVER, str(home), json.dumps(options)]


def get(running: sidecar.Sidecar, path: str = "/") -> bytes:
    with urllib.request.urlopen(running.url + path, timeout=5) as response:  # noqa: S310
        return bytes(response.read())


def eventually(condition: Callable[[], object], *, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    with suppress(sidecar.SidecarError):
        sidecar.stop(NAME, tmp_path, wait_seconds=1)


def test_it_is_started_once_and_found_again(home: Path) -> None:
    assert sidecar.find(NAME, home) is None
    started = sidecar.ensure(NAME, home, command(home))
    assert get(started)
    assert sidecar.ensure(NAME, home, command(home)) == started
    assert sidecar.find(NAME, home) == started
    assert started.url == f"http://127.0.0.1:{started.port}"
    assert started.pid != os.getpid()


def test_its_state_is_for_its_owner_alone(home: Path) -> None:
    (home / NAME).mkdir(mode=0o755)
    sidecar.ensure(NAME, home, command(home))
    assert (home / NAME).stat().st_mode & 0o777 == 0o700
    assert (home / NAME / "ready.json").stat().st_mode & 0o777 == 0o600
    assert (home / NAME / "server.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "header", [("Host", "page.example:80"), ("Origin", "https://page.example")]
)
def test_a_page_in_the_browser_gets_nothing(home: Path, header: tuple[str, str]) -> None:
    started = sidecar.ensure(NAME, home, command(home))
    asked = urllib.request.Request(started.url, headers=dict([header]))  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=5)  # noqa: S310
    named = urllib.request.Request(started.url, headers={"Host": "localhost"})  # noqa: S310
    assert urllib.request.urlopen(named, timeout=5).status == 200  # noqa: S310


def test_it_does_not_inherit_what_slows_imports_down(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = json.loads(get(sidecar.ensure(NAME, home, command(home))))
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_stopping_cleans_up(home: Path) -> None:
    started = sidecar.ensure(NAME, home, command(home))
    assert sidecar.stop(NAME, home)
    assert (home / "stopped").exists()
    assert not (home / NAME / "ready.json").exists()
    assert sidecar.find(NAME, home) is None
    assert not sidecar.stop(NAME, home)
    with pytest.raises(OSError, match="refused"):
        get(started)


def test_one_that_does_not_listen_to_reason_is_killed(home: Path) -> None:
    started = sidecar.ensure(NAME, home, command(home))

    def hang() -> None:
        with suppress(OSError):
            get(started, "/hang")

    threading.Thread(target=hang, daemon=True).start()
    assert eventually((home / "hanging").exists)
    before = time.monotonic()
    assert sidecar.stop(NAME, home, wait_seconds=0.5)
    assert time.monotonic() - before < 5
    assert not (home / "stopped").exists()


def test_a_killed_one_is_started_again(home: Path) -> None:
    first = sidecar.ensure(NAME, home, command(home))
    os.kill(first.pid, signal.SIGKILL)
    assert eventually(lambda: sidecar.find(NAME, home) is None)
    assert (home / NAME / "ready.json").exists()  # stale, and known to be
    second = sidecar.ensure(NAME, home, command(home))
    assert second.pid != first.pid
    assert get(second)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_ready_file_does_not_matter(home: Path, content: str) -> None:
    (home / NAME).mkdir()
    (home / NAME / "ready.json").write_text(content)
    assert sidecar.find(NAME, home) is None
    assert get(sidecar.ensure(NAME, home, command(home)))


def test_a_recycled_process_id_is_neither_believed_nor_killed(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (home / NAME).mkdir()
        (home / NAME / "lock").touch()
        stale = {"name": NAME, "host": "127.0.0.1", "port": 1, "pid": bystander.pid, "url": ""}
        (home / NAME / "ready.json").write_text(json.dumps(stale))
        assert sidecar.find(NAME, home) is None
        assert not sidecar.stop(NAME, home)
        assert bystander.poll() is None
        bystander.communicate(b"\n")
        assert bystander.returncode == 0


def test_of_many_starters_one_wins_and_all_get_it(home: Path) -> None:
    arguments = [sys.executable, "-c", CLIENT, str(home), json.dumps(command(home))]

    def start(_: int) -> str:
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout

    pids = set(at_once(start, range(4)))
    found = sidecar.find(NAME, home)
    assert found is not None
    assert pids == {f"{found.pid}\n"}


def test_a_second_server_steps_back(home: Path) -> None:
    started = sidecar.ensure(NAME, home, command(home))
    second = subprocess.run(command(home), check=False, timeout=20)
    assert second.returncode == sidecar.ALREADY_RUNNING == 75
    assert not (home / "stopped").exists()
    assert sidecar.find(NAME, home) == started


def test_it_stops_when_idle_but_not_before(home: Path) -> None:
    started = sidecar.ensure(NAME, home, command(home, idle_seconds=1.0))
    for _ in range(4):
        time.sleep(0.5)
        assert get(started)
    assert eventually(lambda: sidecar.find(NAME, home) is None)
    assert (home / "stopped").exists()
    assert not (home / NAME / "ready.json").exists()


def test_a_file_in_place_of_the_folder_is_named(home: Path) -> None:
    (home / NAME).touch()
    with pytest.raises(sidecar.SidecarError, match=str(home / NAME)):
        sidecar.ensure(NAME, home, command(home))
    with pytest.raises(sidecar.SidecarError, match="Not a directory"):
        sidecar.ensure(NAME, home / NAME, command(home))
    assert sidecar.find(NAME, home) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('no such database')", "exit status 1(.|\n)*no such database"),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9"),
    ],
)
def test_one_that_ends_at_start_is_reported_with_its_last_words(
    home: Path, code: str, words: str
) -> None:
    before = time.monotonic()
    with pytest.raises(sidecar.SidecarError, match=words) as caught:
        sidecar.ensure(NAME, home, [sys.executable, "-c", code])
    assert time.monotonic() - before < 10
    assert str(home / NAME / "server.log") in str(caught.value)


def test_a_full_disk_is_an_error_and_not_a_hang(home: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    full = [sys.executable, "-c", limit + SERVER, str(home), "{}"]
    with pytest.raises(sidecar.SidecarError, match="ended at start"):
        sidecar.ensure(NAME, home, full)


def test_one_that_never_becomes_ready_is_given_up(home: Path) -> None:
    before = time.monotonic()
    with pytest.raises(sidecar.SidecarError, match="did not answer within"):
        sidecar.ensure(NAME, home, [*SLEEPER, "5"], wait_seconds=0.5)
    assert time.monotonic() - before < 3


def test_a_program_that_does_not_exist_is_named(home: Path) -> None:
    with pytest.raises(sidecar.SidecarError, match="/no/such/program"):
        sidecar.ensure(NAME, home, ["/no/such/program"])
