"""Fixtures of a cluster: a world of its own, and the hosts that work on it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster_tests.cluster.cluster import Cluster, cluster
from etl_dagster_tests.defs.conftest import small_world
from etl_dagster_tests.defs.line import EARLIER, Line

CHUNKS = 2
IN_FLIGHT = 2 * 10
"""Phones that a run is asking about at a moment, at most."""
LIMIT = 300
"""Requests a minute, over all hosts."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Line]:
    """Tables, campaign and CCC sandbox; batches are small and answers slow: many checkpoints."""
    home = tmp_path / "snowflake"
    start_snowflake(home)
    try:
        with ExitStack() as stack:
            environment = {
                "ETL_CHUNKS": str(CHUNKS),
                "ETL_START_DATE": str(EARLIER.replace(day=1)),
                "CCC_BATCH_SIZE": "10",
                "CCC_MAX_WORKERS": "2",
                "CCC_REQUESTS_PER_MINUTE": str(LIMIT),
                "CCC_BREAKER_FAILURES": "2",
                "CCC_BREAKER_RESET_SECONDS": "600",
            }
            yield small_world(stack, tmp_path, home, environment)
    finally:
        sidecar.stop(NAME, home)


@pytest.fixture
def made(world: Line, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster of `deploy/celery`, on the world."""
    folder = tmp_path / "hosts"
    folder.mkdir()
    with cluster(world, folder) as running:
        yield running
