"""Schedules and sensors on ephemeral instances: what they ask for, and that it runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import PRIORITY_TAG
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from etl_dagster.defs import history
from etl_dagster.defs.home import dagster_home
from etl_dagster.defs.jobs import REPORTS_ITSELF
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import WarehouseResource
from etl_dagster.defs.resources.local import LocalResource
from etl_dagster.defs.sensors import reports_are_due
from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings, SettingsError
from etl_dagster.warehouse.retention_record import Retention, appending
from etl_dagster_tests.defs.line import CLEAN, DAY, EARLIER, TODAY, Line, crowd, eventually, person
from etl_dagster_tests.defs.test_history import tell

DATE = date(2026, 2, 28)
HERE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("etl_dagster"), "__repository__")


@pytest.fixture
def lasting(make_line: Callable[..., Line], tmp_path: Path) -> Iterator[Callable[..., Line]]:
    """Make lines whose instance is in files: schedules take none that others could not open."""
    with ExitStack() as stack:

        def make(**environment: str) -> Line:
            line = make_line(**environment)
            folder = tmp_path / "instance"
            folder.mkdir()
            opened = dg.DagsterInstance.local_temp(str(folder))
            line.instance = stack.enter_context(opened)
            return line

        yield make


STAGES_AFTER_LEADS = ["ccc_enriched", "dnc_filtered", "callable_leads"]


@pytest.mark.parametrize(
    ("job", "selected", "tags", "expected"),
    [
        ("scrub_day", None, {}, True),
        ("scrub_day", set(), {}, True),
        ("scrub_day", {"leads"}, {}, False),
        ("scrub_day", None, {REPORTS_ITSELF: "true"}, False),
        ("report_day", None, {}, False),
        ("__ASSET_JOB", {"callable_leads", "leads"}, {}, True),
        ("__ASSET_JOB", {"leads"}, {}, False),
    ],
)
def test_a_run_that_published_is_reported_on(
    job: str, selected: set[str] | None, tags: dict[str, str], *, expected: bool
) -> None:
    keys = None if selected is None else frozenset(dg.AssetKey(name) for name in selected)
    run = dg.DagsterRun(job_name=job, run_id="r", asset_selection=keys, tags=tags)
    assert reports_are_due(run) is expected


def tick(line: Line, moment: datetime) -> list[dg.RunRequest]:
    """What the daily schedule asks for at a moment."""
    return list(evaluate(line, moment).run_requests or [])


def evaluate(line: Line, moment: datetime) -> ScheduleExecutionData:
    defs = line.defs()
    schedule = defs.resolve_schedule_def("scrub_yesterday")
    with dg.build_schedule_context(
        instance=line.instance,
        scheduled_execution_time=moment,
        repository_def=defs.get_repository_def(),
        resources={name: (defs.resources or {})[name] for name in ("policy", "warehouse")},
    ) as context:
        return schedule.evaluate_tick(context)


def morning_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(days=1)


def test_the_schedule_asks_for_one_run_of_yesterdays_chunks(
    lasting: Callable[..., Line],
) -> None:
    line = lasting()
    (request,) = tick(line, morning_after(DATE))
    expected = range_tags(Chunk(DATE, 0), Chunk(DATE, line.settings.chunks - 1))
    assert {name: request.tags[name] for name in expected} == expected
    assert request.partition_key is None
    assert request.run_config == {}


def test_before_the_first_day_the_schedule_says_so(lasting: Callable[..., Line]) -> None:
    line = lasting(ETL_START_DATE=str(TODAY))
    said = evaluate(line, morning_after(DAY))
    assert not said.run_requests
    assert "before ETL_START_DATE" in str(said.skip_message)


@pytest.mark.parametrize(
    ("hour", "zone", "newest"),
    [
        (20, "America/New_York", date(2026, 2, 28)),  # 01:00 UTC of March 1
        (6, "America/New_York", date(2026, 2, 27)),
        (0, "Asia/Tokyo", date(2026, 2, 26)),  # 15:00 UTC of February 27
    ],
)
def test_yesterday_is_the_newest_whole_day_of_utc(
    lasting: Callable[..., Line], hour: int, zone: str, newest: date
) -> None:
    line = lasting(ETL_SCHEDULE_TIMEZONE=zone)
    (request,) = tick(line, datetime(2026, 2, 28, hour, tzinfo=ZoneInfo(zone)))
    assert request.tags["etl_dagster/day"] == str(newest)


def test_the_schedule_has_cron_zone_and_campaigns_from_the_settings(
    lasting: Callable[..., Line],
) -> None:
    line = lasting(
        ETL_SCHEDULE_CRON="30 5 * * 1-5",
        ETL_SCHEDULE_TIMEZONE="America/Denver",
        ETL_SCHEDULE_CAMPAIGNS="walk_in",
    )
    schedule = line.defs().resolve_schedule_def("scrub_yesterday")
    assert schedule.cron_schedule == "30 5 * * 1-5"
    assert schedule.execution_timezone == "America/Denver"
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    (request,) = tick(line, morning_after(DATE))
    assert request.run_config == {"ops": {"leads": {"config": {"campaigns": ["walk_in"]}}}}


def test_a_schedule_that_makes_no_sense_is_refused_by_name(line: Line) -> None:
    line.environment["ETL_SCHEDULE_CRON"] = "daily at six"
    with pytest.raises(SettingsError, match="ETL_SCHEDULE_CRON is 'daily at six'"):
        line.defs()
    del line.environment["ETL_SCHEDULE_CRON"]
    with pytest.raises(SettingsError, match="ETL_SCHEDULE_TIMEZONE"):
        Settings.from_environment({"ETL_SCHEDULE_TIMEZONE": "Mars/Olympus"})


def test_a_campaign_of_the_schedule_that_was_taken_away_is_told_and_fails_its_days_alone(
    lasting: Callable[..., Line], caplog: pytest.LogCaptureFixture
) -> None:
    line = lasting(ETL_CHUNKS="1", ETL_SCHEDULE_CAMPAIGNS="walk_in, run_out")
    with caplog.at_level("WARNING"):
        line.defs()
    assert "'run_out', which is no campaign" in caplog.text
    (request,) = tick(line, morning_after(DAY))
    asked = request.run_config["ops"]["leads"]["config"]["campaigns"]
    result = line.run(campaigns=asked)
    assert result.steps == {"leads": "failure"}
    assert "no campaign 'run_out'; there are walk_in" in result.error
    assert line.run(job="load_opt_outs", tags={}).success


def test_days_that_were_missed_are_made_up_for_after_another_policy_and_other_campaigns(
    lasting: Callable[..., Line],
) -> None:
    line = lasting(ETL_CHUNKS="1")
    metadata = {"leads": {history.CAMPAIGNS: "a"}, "callable_leads": {history.POLICY: "before"}}
    tell(line.instance, Chunk(DAY - timedelta(days=2), 0), metadata=metadata)
    requests = tick(line, morning_after(DAY))
    assert [one.tags["etl_dagster/day"] for one in requests] == [str(EARLIER), str(DAY)]


def test_the_newest_day_is_asked_for_alone_if_the_warehouse_stays_away(
    lasting: Callable[..., Line],
) -> None:
    line = lasting(ETL_CHUNKS="1")
    metadata = {"leads": {history.CAMPAIGNS: "a"}, "callable_leads": {history.POLICY: "before"}}
    tell(line.instance, Chunk(DAY - timedelta(days=2), 0), metadata=metadata)
    away = WarehouseResource(
        local=LocalResource(enabled=False, home="", deployment="production"),
        account="a", user="u", password="p", role="r", warehouse="w",
        database="D", schema="S", host="127.0.0.1", chunks=1,
    )  # fmt: skip
    line.resources["warehouse"] = away
    with pytest.raises(dg.DagsterError):  # which the daemon does again
        tick(line, datetime.now(UTC))
    (request,) = tick(line, datetime.now(UTC) - timedelta(minutes=31))
    assert request.tags["etl_dagster/day"] == str(DAY)


@pytest.mark.slow
def test_days_that_were_missed_are_made_up_for(lasting: Callable[..., Line]) -> None:
    line = lasting(ETL_CHUNKS="1")
    first = DAY - timedelta(days=4)
    line.people([person(1, CLEAN[1], day=first), person(2, CLEAN[2], day=EARLIER)])
    assert [r.tags["etl_dagster/day"] for r in tick(line, morning_after(DAY))] == [str(DAY)]
    assert line.run(first).success
    assert line.run(EARLIER).success
    requests = tick(line, morning_after(DAY))
    days = [DAY - timedelta(days=3), DAY - timedelta(days=2), DAY]
    assert [request.tags["etl_dagster/day"] for request in requests] == list(map(str, days))
    assert len({request.run_key for request in requests}) == 3
    # a missed day whose leads retention removed is not asked for, and not bought by asking
    with line.session() as session, appending(session) as append:
        append([removed_of(days[0])])
    asked = [request.tags["etl_dagster/day"] for request in tick(line, morning_after(DAY))]
    assert asked == list(map(str, days[1:]))
    before = line.bought()
    result = line.run(days[0])
    assert not result.success
    assert f"the leads of {days[0]} were removed because their time was up" in result.error
    assert line.bought() == before
    report = line.run(job="report_day", partition_key=str(days[0]))
    assert "were removed because their time was up" in report.error


def removed_of(day: date) -> Retention:
    return Retention(
        position=0, retention_id="i", table_name="LEADS", day=day, row_count=1, oldest=None,
        newest=None, kept_days=60, digests="", removed_at=datetime.now(UTC).replace(tzinfo=None),
        removed_by="somebody",
    )  # fmt: skip


def test_the_schedules_newest_day_does_not_wait_behind_a_backfill(line: Line) -> None:
    """Through the queue of Dagster's daemon, with the limits of `dagster.yaml`."""
    home = str(dagster_home(line.settings))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(home)) as instance:
        line.instance = instance
        assert instance.scheduler
        assert instance.scheduler.max_tick_retries == 240

        def queue(job: str, tags: Mapping[str, str]) -> str:
            made = instance.create_run_for_job(
                line.defs().resolve_job_def(job), tags=tags, status=dg.DagsterRunStatus.QUEUED,
                remote_job_origin=HERE.get_job_origin(job),
            )  # fmt: skip
            return made.run_id

        def day(ago: int, **tags: str) -> str:
            chunk = Chunk(DAY - timedelta(days=ago), 0)
            return queue("scrub_day", {**range_tags(chunk, chunk), **tags})

        def tell_of(run_id: str, *events: str) -> None:
            for event in events:
                instance.report_dagster_event(dg.DagsterEvent(event, "scrub_day"), run_id)

        def let_go() -> list[str]:
            limits = instance.get_concurrency_config()
            runs = queues._get_runs_to_dequeue(instance, limits, fixed_iteration_time=None)
            for run in runs:
                tell_of(run.run_id, "PIPELINE_STARTING", "PIPELINE_START")
            return [run.run_id for run in runs]

        with QueuedRunCoordinatorDaemon(interval_seconds=1) as queues:
            long = [day(ago, **{"dagster/backfill": "b"}) for ago in (9, 8, 7, 6)]
            assert let_go() == long[:2]
            missed = [day(ago, **{PRIORITY_TAG: "1"}) for ago in (2, 1)]
            (request,) = tick(line, morning_after(DAY))
            newest = queue("scrub_day", request.tags)
            assert let_go() == [newest]
            opt_outs = queue("load_opt_outs", {})
            assert let_go() == [opt_outs]
            tell_of(newest, "PIPELINE_SUCCESS")
            assert let_go() == missed[:1]


def test_what_the_schedule_asks_for_runs_and_is_then_reported(
    lasting: Callable[..., Line],
) -> None:
    line = lasting()
    line.people(crowd(8))
    defs = line.defs()
    (request,) = tick(line, morning_after(DAY))
    result = line.run(tags=dict(request.tags))
    assert result.success, result.error
    assert line.count("LEADS", f"lead_date = '{DAY}'") == 8
    sensor = defs.resolve_sensor_def("report_published_days")
    event = result.run.all_events[-1]
    run = line.instance.get_run_by_id(result.run.run_id)
    assert run is not None
    status = dg.build_run_status_sensor_context(
        sensor_name=sensor.name, dagster_event=event, dagster_instance=line.instance,
        dagster_run=run,
    )  # fmt: skip
    asked: Any = sensor(status)
    (wanted,) = asked
    assert wanted.partition_key == str(DAY)
    report = line.run(job="report_day", partition_key=wanted.partition_key)
    assert report.success, report.error
    page = line.settings.home / "reports" / f"scrub_report_{DAY}.md"
    assert "| walk_in | 8 |" in page.read_text(encoding="utf-8")


def test_a_run_without_a_report_is_passed_over_without_a_word(one_chunk: Line) -> None:
    # a SkipReason beside another run's request is refused by Dagster, which then keeps its place
    line = one_chunk
    result = line.run(job="check_freshness", tags={})
    assert result.success, result.error
    sensor = line.defs().resolve_sensor_def("report_published_days")
    run = line.instance.get_run_by_id(result.run.run_id)
    assert run is not None
    status = dg.build_run_status_sensor_context(
        sensor_name=sensor.name, dagster_event=result.run.all_events[-1],
        dagster_instance=line.instance, dagster_run=run,
    )  # fmt: skip
    asked: Any = sensor(status)
    assert list(asked) == []


# --- phones that CCC left unanswered -----------------------------------------------------------


def left_over(line: Line) -> tuple[list[dg.RunRequest], str]:
    """What the sensor asks for, or why it does not."""
    defs = line.defs()
    sensor = defs.resolve_sensor_def("unanswered_phones")
    parts = {name: (defs.resources or {})[name] for name in ("ccc", "ccc_full", "policy")}
    with dg.build_sensor_context(instance=line.instance, resources=parts) as context:
        told = sensor.evaluate_tick(context)
    return list(told.run_requests or []), told.skip_message or ""


def test_nothing_is_left_over_of_a_day_that_ccc_answered(one_chunk: Line) -> None:
    assert left_over(one_chunk) == ([], "CCC has left no phone unanswered")
    one_chunk.people(crowd(8))
    assert one_chunk.run().success
    assert left_over(one_chunk) == ([], "CCC has left no phone unanswered")


def test_unanswered_phones_are_asked_about_again_when_ccc_is_well(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(
        ETL_RETRY_UNKNOWN_MINUTES="0", CCC_BREAKER_RESET_SECONDS="0.5", CCC_MAX_WORKERS="2"
    )
    line.people(crowd(48))
    line.fault("status", status=503, batches=tuple(range(4, 1_000)))
    failed = line.run()
    assert not failed.success
    assert line.count("CALLABLE_LEADS") == 0
    answered = line.bought()
    unanswered = sum(one.unanswered for one in history.enriched_chunks(line.instance, since=DAY))
    assert unanswered > 0

    # while CCC is away, nothing runs and the tick says why
    requests, skipped = left_over(line)
    assert requests == []
    assert f"{unanswered} phones wait for CCC" in skipped

    line.ccc.faults.clear()
    line.ccc.reset()
    eventually(lambda: bool(left_over(line)[0]))
    ((request,), _) = left_over(line)
    assert sorted(key.to_user_string() for key in request.asset_selection or []) == sorted(
        STAGES_AFTER_LEADS
    )
    again = line.run(
        tags={name: text for name, text in request.tags.items() if "range" in name},
        asset_selection=request.asset_selection,
    )
    assert again.success, again.error
    assert not line.bought() & answered  # only what was missing
    assert line.count("CALLABLE_LEADS") > 0
    assert left_over(line) == ([], "CCC has left no phone unanswered")


def test_chunks_are_left_alone_for_a_while(line: Line) -> None:
    line.people(crowd(16))
    line.fault("status", status=503)
    assert not line.run().success
    line.ccc.faults.clear()
    requests, skipped = left_over(line)
    assert requests == []
    assert "phones are unanswered; their chunks were asked about a short while ago" in skipped
