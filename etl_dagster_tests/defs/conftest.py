"""Fixtures of the whole line: one embedded Snowflake with the sample a session, a world a test."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from etl_dagster.dnc import DncStore
from etl_dagster.sandbox import lists, sidecar
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.settings import PROJECT
from etl_dagster_tests.defs.line import CHUNKS, TODAY, Line
from etl_dagster_tests.stand_ins import in_thread

SAMPLE_NUMBERS = 400_000
"""On the national list of the sample's line."""


@pytest.fixture(scope="session")
def snowflake_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the session's embedded Snowflake."""
    home = tmp_path_factory.mktemp("line")
    start_snowflake(home)
    try:
        yield home
    finally:
        sidecar.stop(NAME, home)


def _line(
    stack: ExitStack, folder: Path, snowflake_home: Path, environment: dict[str, str]
) -> Line:
    name = uuid.uuid4().hex[:12]
    home = folder / name
    home.mkdir()
    # the session's server, found where every home has its own
    (home / NAME).symlink_to(snowflake_home / NAME)
    service = CccSandbox(CccSandboxOptions(latency_ms=1, requests_per_minute=1_000_000))
    url = stack.enter_context(in_thread(service))
    line = Line(
        environment={
            "ETL_HOME": str(home),
            "ETL_CHUNKS": str(CHUNKS),
            "ETL_CAMPAIGNS_DIR": str(home / "campaigns"),
            "ETL_CONTACTS_TABLE": "CONTACTS",
            "ETL_START_DATE": "2024-01-01",
            "SNOWFLAKE_SCHEMA": f"L_{name}".upper(),
            "CCC_API_URL": url,
            "CCC_BATCH_SIZE": "10",
            "CCC_MAX_RETRIES": "1",
            "CCC_RETRY_BASE_DELAY": "0.01",
            "CCC_RETRY_MAX_DELAY": "0.02",
            "CCC_REQUESTS_PER_MINUTE": "1000000",
            "CCC_BREAKER_RESET_SECONDS": "0.1",
            **environment,
        },
        ccc=service,
        instance=stack.enter_context(dg.DagsterInstance.ephemeral()),
    )
    stack.callback(line.close)
    return line


def small_world(
    stack: ExitStack, folder: Path, snowflake_home: Path, environment: dict[str, str]
) -> Line:
    """Make a line with one campaign, a source and a contacts table, a national list."""
    line = _line(stack, folder, snowflake_home, environment)
    line.campaign()
    line.people([])
    line.contacts([])
    line.lists()
    return line


@pytest.fixture
def make_line(snowflake_home: Path, tmp_path: Path) -> Iterator[Callable[..., Line]]:
    """Make small worlds."""
    with ExitStack() as stack:
        yield lambda **environment: small_world(stack, tmp_path, snowflake_home, environment)


@pytest.fixture(scope="module")
def lasting_chunk(snowflake_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A small world of one chunk for all tests of a module: for those that leave it as it is."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("lasting")
        yield small_world(stack, folder, snowflake_home, {"ETL_CHUNKS": "1"})


@pytest.fixture
def line(make_line: Callable[..., Line]) -> Line:
    """A small world of the default kind."""
    return make_line()


@pytest.fixture
def one_chunk(make_line: Callable[..., Line]) -> Line:
    """A small world whose days are one chunk each: a run takes half the time."""
    return make_line(ETL_CHUNKS="1")


@pytest.fixture(scope="session")
def sample(snowflake_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The sample's newest day, run once with the campaigns and lists that the project ships."""
    folder = tmp_path_factory.mktemp("sample")
    environment = {
        "ETL_CHUNKS": "4",
        "ETL_CAMPAIGNS_DIR": str(PROJECT / "campaigns"),
        "ETL_CONTACTS_TABLE": "PROPERTY_DATA.CONTACTS",
        "CCC_BATCH_SIZE": "200",
    }
    with ExitStack() as stack:
        line = _line(stack, folder, snowflake_home, environment)
        samples = lists.write_dnc_lists(folder / "dnc", as_of=TODAY, numbers=SAMPLE_NUMBERS)
        with DncStore.create(line.settings.dnc_store) as store:
            for one in samples:
                if one.kind == "internal":
                    store.opt_out_file(one.path, source="sample")
                    continue
                as_of = datetime(*TODAY.timetuple()[:3], tzinfo=UTC)
                store.add_list(one.name, [one.path], as_of=as_of, kind=one.kind, covers=one.covers)
        result = line.run()
        assert result.success, result.error
        yield line
