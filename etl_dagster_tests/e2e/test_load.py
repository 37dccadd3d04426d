"""A week queued at once on what one host has by default: nothing locked, lost, or done twice.

The real daemon takes the runs from the real queue, each in a process of its own, all on one SQLite
instance, one embedded Snowflake and one Do-Not-Call store. Days are small: it is the number of
runs, events and commits side by side that is tried, not their size.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from benchmarks.scaling import CHUNKS_A_RUN, EVENTS_A_RUN
from etl_dagster.defs.jobs import DAY_JOB, STAGE_ASSETS
from etl_dagster.defs.partitions import partition_key, range_tags
from etl_dagster.leads.chunks import Chunk
from etl_dagster_tests.cli.test_cli import start
from etl_dagster_tests.e2e.api import DagsterApi
from etl_dagster_tests.e2e.server import UiServer, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CHUNKS = CHUNKS_A_RUN
MOST_AT_ONCE = 5
"""As dagster.yaml says."""
DAYS = 7
OVER = ("SUCCESS", "FAILURE", "CANCELED")
LOCKED = re.compile(r"database (?:table )?is locked|SQLITE_BUSY|database is busy", re.IGNORECASE)
CAMPAIGN = """
SELECT lien1_borrower1_first_name AS "First Name", lien1_borrower1_last_name AS "Last Name",
    address AS "Address", city AS "City", state AS "State", zipcode AS "Zip"
FROM PROPERTY_DATA.BULK_PROPERTY_DATA_PRIVATE_SHARE_USA
WHERE COALESCE(
        TRY_TO_DATE(last_close_date, 'YYYY-MM-DD'), TRY_TO_DATE(last_close_date, 'MM/DD/YYYY')
    ) = DATEADD(month, -24, TO_DATE($PARTITION_DATE))
    AND RIGHT(zipcode, 1) IN ('3', '7')
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[UiServer]:
    """A server on which the week was queued at once, and is done."""
    home, campaigns = tmp_path / "home", tmp_path / "campaigns"
    campaigns.mkdir()
    (campaigns / "small.sql").write_text(CAMPAIGN)
    options = {"ETL_CHUNKS": str(CHUNKS), "ETL_CAMPAIGNS_DIR": str(campaigns)}
    started = UiServer(home, options)
    try:
        started.start()
        api = DagsterApi(started.url)
        chunks = chunks_of(started)
        for first, last in zip(chunks[::CHUNKS], chunks[CHUNKS - 1 :: CHUNKS], strict=True):
            api.launch(DAY_JOB, range_tags(first, last))
        wait_for("the ends of all runs", lambda: all_over(api), seconds=900)
        yield started
    finally:
        started.tear_down()


def chunks_of(server: UiServer) -> list[Chunk]:
    """The week's chunks, in order."""
    days = [date.fromisoformat(server.day(back)) for back in range(DAYS, 0, -1)]
    return [Chunk(day, number) for day in days for number in range(CHUNKS)]


def all_over(api: DagsterApi) -> bool:
    """Whether each day has a run that is over for good, and none is under way."""
    runs = [run for run in api.runs() if run.job == DAY_JOB]
    lost = [run for run in runs if run.tags.get("dagster/will_retry") == "true"]
    return len(runs) - len(lost) >= DAYS and all(run.status in OVER for run in runs)


def test_a_week_queued_at_once_ends_as_if_each_day_had_been_alone(
    server: UiServer, tmp_path: Path
) -> None:
    # one test, since tests of a file may be dealt to several processes, each with a week of its own
    with dg.DagsterInstance.from_config(str(server.home / "dagster")) as instance:
        assert_every_run_succeeded_at_once(instance)
        assert_no_store_was_locked(server, instance)
        assert_no_event_is_lost_or_logged_twice(server, instance)
        assert_never_more_at_once_than_the_limits_say(instance)
    alive = start(server.environment, "health", "--days", str(DAYS))
    assert alive.returncode == 0, alive.stdout
    assert_all_is_published_once(server)
    assert_the_ledger_is_whole(server, tmp_path)


def of_the_week(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that succeeded."""
    done = [dg.DagsterRunStatus.SUCCESS]
    return instance.get_runs(filters=dg.RunsFilter(job_name=DAY_JOB, statuses=done))


def assert_every_run_succeeded_at_once(instance: dg.DagsterInstance) -> None:
    """None failed once it had begun, so that no step was done twice.

    On a host that is too busy to start a process in time, Dagster fails the launch and launches
    again: such a run has no step.
    """
    assert len(of_the_week(instance)) == DAYS
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
        events = instance.all_logs(run.run_id)
        said = [event.message for event in events if event.level >= logging.ERROR]
        begun = [event for event in events if event.is_dagster_event
                 and event.get_dagster_event().is_step_start]  # fmt: skip
        assert begun == [], said


def assert_no_store_was_locked(server: UiServer, instance: dg.DagsterInstance) -> None:
    logs = [server.output, *(server.home / "dagster").rglob("*.err")]
    said = [path.read_text(errors="replace") for path in logs]
    for run in instance.get_runs():
        said += [event.message for event in instance.all_logs(run.run_id)]
    assert len(said) > DAYS * CHUNKS
    assert [text[-2_000:] for text in said if LOCKED.search(text)] == []


def assert_no_event_is_lost_or_logged_twice(server: UiServer, instance: dg.DagsterInstance) -> None:
    landed: Counter[tuple[str, str]] = Counter()
    for run in of_the_week(instance):
        events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id)
                  if entry.is_dagster_event]  # fmt: skip
        assert len(events) <= EVENTS_A_RUN, "docs/scaling.md counts with fewer"
        kinds = Counter(event.event_type for event in events)
        for kind in (
            dg.DagsterEventType.PIPELINE_ENQUEUED,
            dg.DagsterEventType.PIPELINE_STARTING,
            dg.DagsterEventType.PIPELINE_START,
            dg.DagsterEventType.PIPELINE_SUCCESS,
        ):
            assert kinds[kind] == 1, kind
        assert kinds[dg.DagsterEventType.STEP_START] == len(STAGE_ASSETS)
        assert kinds[dg.DagsterEventType.STEP_SUCCESS] == len(STAGE_ASSETS)
        landed.update(
            (event.asset_key.to_user_string(), str(event.partition))
            for event in events
            if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key
        )
    partitions = set(map(partition_key, chunks_of(server)))
    # once as a chunk is committed, and once more by Dagster at the step's end
    assert landed == {(asset, key): 2 for asset in STAGE_ASSETS for key in partitions}
    for asset in STAGE_ASSETS:
        assert instance.get_materialized_partitions(dg.AssetKey(asset)) == partitions


def assert_never_more_at_once_than_the_limits_say(instance: dg.DagsterInstance) -> None:
    # The limit of a pool, three runs, is no bound here: a new instance only learns of the pool in
    # the first look at its queue, which lets go what the limit of all runs allows.
    of_days = most_at_once(instance, of_the_week(instance))
    assert of_days >= 2, "runs were not side by side, so nothing was tried"
    assert most_at_once(instance, instance.get_runs()) <= MOST_AT_ONCE


def most_at_once(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> int:
    """The most runs that were under way at a moment, from what the queue let go to the end."""
    changes = []
    for run in runs:
        first = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.PIPELINE_STARTING)
        (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
        if first and record.end_time:
            changes += [(first[0].timestamp, 1), (record.end_time, -1)]
    under_way = most = 0
    for _, change in sorted(changes):
        under_way += change
        most = max(most, under_way)
    return most


def assert_all_is_published_once(server: UiServer) -> None:
    judged = server.rows("SELECT lead_id, lead_date, chunk, lead_verdict FROM DNC_FILTERED")
    leads = server.rows("SELECT lead_id, lead_date, chunk FROM LEADS")
    published = server.rows("SELECT lead_id, lead_date FROM CALLABLE_LEADS")
    assert {Chunk(row["LEAD_DATE"], row["CHUNK"]) for row in leads} == set(chunks_of(server))
    keys = ("LEAD_ID", "LEAD_DATE", "CHUNK")
    assert sorted(tuple(row[key] for key in keys) for row in leads) == sorted(
        tuple(row[key] for key in keys) for row in judged
    )
    # of a lead of several days the newest counts, in whatever order its days were done
    newest = {row["LEAD_ID"]: row for row in sorted(judged, key=lambda row: row["LEAD_DATE"])}
    callable_now = [
        (lead, row["LEAD_DATE"])
        for lead, row in newest.items()
        if row["LEAD_VERDICT"] == "CALLABLE"
    ]
    assert callable_now
    assert sorted((row["LEAD_ID"], row["LEAD_DATE"]) for row in published) == sorted(callable_now)


def assert_the_ledger_is_whole(server: UiServer, tmp_path: Path) -> None:
    done = start(server.environment, "ledger", "verify", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WHOLE" in done.stdout
