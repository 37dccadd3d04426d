from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from etl_dagster.defs.automation import REPORTS_ITSELF, days_of, published
from etl_dagster.defs.partitions import range_tags
from etl_dagster.leads.chunks import Chunk
from etl_dagster_tests.defs.line import DAY, Line, crowd

DATE = date(2026, 2, 28)


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({}, []),
        ({"dagster/partition": "2026-02-28|03"}, ["2026-02-28"]),
        (range_tags(Chunk(DATE, 0), Chunk(DATE, 3)), ["2026-02-28"]),
        (
            range_tags(Chunk(DATE, 0), Chunk(date(2026, 3, 2), 3)),
            ["2026-02-28", "2026-03-01", "2026-03-02"],
        ),
    ],
)
def test_the_days_of_a_run_are_those_of_its_partitions(
    tags: dict[str, str], days: list[str]
) -> None:
    assert days_of(tags) == days


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
    assert published(run) is expected


def test_the_schedule_asks_for_one_run_of_yesterdays_chunks(line: Line) -> None:
    schedule = line.defs().resolve_schedule_def("scrub_yesterday")
    moment = datetime(2026, 3, 1, 6, tzinfo=UTC)
    context = dg.build_schedule_context(scheduled_execution_time=moment)
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    expected = range_tags(Chunk(DATE, 0), Chunk(DATE, line.settings.chunks - 1))
    assert {name: request.tags[name] for name in expected} == expected
    assert request.partition_key is None


def test_what_the_schedule_asks_for_runs_and_is_then_reported(line: Line) -> None:
    line.people(crowd(8))
    defs = line.defs()
    when = datetime(DAY.year, DAY.month, DAY.day, 6, tzinfo=UTC) + (DATE - date(2026, 2, 27))
    context = dg.build_schedule_context(scheduled_execution_time=when)
    request: Any = defs.resolve_schedule_def("scrub_yesterday")(context)
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
