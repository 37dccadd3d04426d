"""What is released: its version, its parts, how it runs without a checkout, what it stands on."""

import json
import re
import signal
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from etl_dagster.settings import PROJECT
from etl_dagster_tests.cli.test_cli import clean_environment
from etl_dagster_tests.e2e.server import free_port, wait_for

VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
AUDIT = [sys.executable, str(PROJECT / ".ci" / "audit.py")]


def test_the_newest_section_of_the_changelog_is_the_version() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (?:\[)?(\d[^\]\s]*)", text, re.MULTILINE)  # numbered ones
    assert sections[0] == VERSION
    assert len(set(sections)) == len(sections)


def test_what_the_security_rules_let_pass_says_why() -> None:
    """All of ruff's rules are on, bandit's among them; the package ignores none as a whole."""
    text = "".join(path.read_text("utf-8") for path in (PROJECT / "etl_dagster").rglob("*.py"))
    let_pass = re.findall(r"# noqa: [A-Z0-9, ]*\bS[0-9]{3}\b.*", text)
    assert len(let_pass) > 10
    assert [one for one in let_pass if not re.search(r"S[0-9]{3}  ?(- )?\w+", one)] == []


@contextmanager
def advisories(bad: str) -> Iterator[str]:
    """A service that speaks OSV's protocol, and knows one package as vulnerable."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            package = asked["package"]
            found = {"id": "TEST-1", "affected": [{"package": package}]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"vulns": [found] * (package["name"] == bad)}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "status", "says"),
    [
        ("urllib3", 1, r"urllib3 [0-9.]+: TEST-1, .*\naudited (\d+) of \1 packages: 1 known\n"),
        ("none", 0, r"audited (\d+) of \1 packages: 0 known\n"),
    ],
)
def test_a_known_vulnerability_fails_the_audit(bad: str, status: int, says: str) -> None:
    with advisories(bad) as url:
        done = subprocess.run(
            [*AUDIT, "-s", "osv", "--osv-url", url], capture_output=True, text=True, check=False
        )
    assert done.returncode == status, done.stderr
    assert re.fullmatch(says, done.stdout), done.stdout


def test_where_nothing_can_be_audited_that_is_said() -> None:
    command = [*AUDIT, "-s", "osv", "--osv-url", "http://127.0.0.1:9/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("NOTHING WAS AUDITED")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source distribution, as `make dist` makes both."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (found,) = folder.glob(f"etl_dagster-{VERSION}-*.whl")
    return found


@pytest.mark.slow
def test_a_wheel_has_the_package_and_what_it_needs_and_nothing_else(wheel: Path) -> None:
    own = PROJECT / "etl_dagster"
    files = {path for path in own.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    expected = {str(path.relative_to(PROJECT)) for path in files}
    campaigns = [path.name for path in (PROJECT / "campaigns").iterdir()]
    for name in ("dagster.yaml", "workspace.yaml", *(f"campaigns/{name}" for name in campaigns)):
        expected.add(f"etl_dagster/checkout/{name}")
    info = f"etl_dagster-{VERSION}.dist-info"
    about = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    expected |= {f"{info}/{name}" for name in about}
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == expected
    assert "etl_dagster/py.typed" in expected


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_an_installed_wheel_runs_and_serves_where_there_is_no_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    """In a user's empty home; what is left there is the user's alone, whatever the umask."""
    venv, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    # everything that the package needs, and not the package: a .pth below a .pth is not read
    (site / "needs.pth").write_text(f"{next(p for p in sys.path if p.endswith('site-packages'))}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    program = str(venv / "bin" / "etl-dagster")
    environment = {**clean_environment(), "HOME": str(home)}
    environment.pop("PYTHONPATH", None)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], cwd=home, env=environment, umask=0, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert VERSION in run("--version")
    try:
        run("sandbox", "up")
        assert "callable" in run("run")
        port = free_port()
        with (tmp_path / "ui.txt").open("wb") as output:
            ui = subprocess.Popen(
                [program, "ui", "--port", str(port)], cwd=home, env=environment, umask=0,
                stdout=output, stderr=output,
            )  # fmt: skip
        query = {"query": "{ assetNodes { id } }"}

        def assets() -> int:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json=query, timeout=30)
            except httpx.TransportError:
                return 0
            return len(answer.json()["data"]["assetNodes"])

        try:
            wait_for("the assets", lambda: assets() > 10, seconds=600)
        finally:
            ui.send_signal(signal.SIGTERM)  # a background shell has its children ignore SIGINT
            ui.wait(60)
    finally:
        run("sandbox", "down")
    logs = [path for path in home.rglob("*") if path.suffix in {".log", ".out", ".err"}]
    assert len(logs) > 1  # of the two sandboxes
    for path in logs:
        assert not re.search(rb"(?<![0-9.])[2-9][0-9]{9}(?![0-9])", path.read_bytes()), path
    left = [path for path in home.rglob("*") if not path.is_symlink()]
    assert [path.name for path in home.iterdir()] == [".etl"]
    assert len(left) > 20
    others = {str(path.relative_to(home)) for path in left if path.stat().st_mode & 0o077}
    assert others == set()
