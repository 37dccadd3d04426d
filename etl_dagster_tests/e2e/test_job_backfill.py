"""A backfill of the job, which Dagster may give fewer partitions than it says: never in silence."""

import pytest

from etl_dagster.defs.jobs import DAY_JOB, STAGE_ASSETS
from etl_dagster_tests.e2e.api import DagsterApi
from etl_dagster_tests.e2e.server import UiServer, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
ENDED = ("COMPLETED", "FAILED", "CANCELED")


def test_a_backfill_of_the_job_does_every_partition_or_fails(own_server: UiServer) -> None:
    api = DagsterApi(own_server.url)
    days = {own_server.day(7), own_server.day(6)}
    partitions = [key for key in api.partitions("leads") if key.partition("|")[0] in days]
    assert len(partitions) == 8
    backfill = api.launch_job_backfill(DAY_JOB, partitions)
    status = wait_for(
        "the backfill's end",
        lambda: api.backfill_status(backfill).startswith(ENDED) and api.backfill_status(backfill),
        seconds=400,
    )
    runs = api.backfill_runs(backfill)
    assert runs
    missing = {
        asset: sorted(set(partitions) - set(api.materialized(asset, partitions)))
        for asset in STAGE_ASSETS
    }
    complete = not any(missing.values())
    assert complete or "FAILURE" in {run.status for run in runs}, (status, missing)
