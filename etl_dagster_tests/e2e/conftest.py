"""Fixtures of the tests of the real UI: a server, a browser, where pictures go.

The variable PICTURES names a folder that the screenshots are saved to, as the docs' pictures;
without it they go where pytest keeps a test's files.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from etl_dagster_tests.e2e.api import DagsterApi
from etl_dagster_tests.e2e.server import UiServer
from etl_dagster_tests.e2e.ui import PATIENCE_MS, SIZE, Ui

BROWSER_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiServer]:
    """The session's UI, on the sample that the project ships."""
    # small batches, so that there is progress to see
    started = UiServer(tmp_path_factory.mktemp("ui") / "home", {"CCC_BATCH_SIZE": "100"})
    try:
        started.start()
        yield started
    finally:
        started.tear_down()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[UiServer]:
    """A server that may be killed. Batches are small and few at a time: many checkpoints."""
    options = {"CCC_BATCH_SIZE": "20", "CCC_MAX_WORKERS": "2"}
    started = UiServer(tmp_path / "home", options)
    try:
        started.start()
        yield started
    finally:
        started.tear_down()


@pytest.fixture
def api(server: UiServer) -> DagsterApi:
    """The GraphQL of the session's server."""
    return DagsterApi(server.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; for as long as a module's tests, since it occupies the event loop."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("the tests of the UI need Chromium: apt-get install chromium", pytrace=False)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=[*BROWSER_OPTIONS])
        yield launched
        launched.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def ui(browser: Browser, server: UiServer, pictures: Path, tmp_path: Path) -> Iterator[Ui]:
    """A fresh page of the browser; what it shows at the end is kept beside the test's files."""
    context = browser.new_context(viewport=SIZE, timezone_id="UTC", locale="en-US")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    try:
        yield Ui(page, server.url, pictures)
    finally:
        page.screenshot(path=tmp_path / "last.png")
        context.close()
