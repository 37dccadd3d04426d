"""Failed runs are told to people: which, with what facts, and with nobody's data."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from etl_dagster.alerts import AlertError
from etl_dagster.definitions import build_defs
from etl_dagster.defs.alerts import (
    NOBODY,
    TOLD,
    TOLD_AT,
    Facts,
    alert_of,
    earlier_runs,
    gather,
    reason_to_skip,
)
from etl_dagster.defs.failures import Cause
from etl_dagster.defs.jobs import STAGE_ASSETS
from etl_dagster.defs.partitions import range_tags
from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings
from etl_dagster_tests.defs.line import DAY, Line, Result, crowd
from etl_dagster_tests.defs.test_privacy import forbidden
from etl_dagster_tests.receiver import Receiver

DATE = date(2026, 11, 22)
NAME = "alert_failed_runs"
LOCATION = RegisteredCodeLocationOrigin("etl_dagster")
WRAPPER = Cause("DagsterExecutionStepExecutionError", "dagster._core.errors.D...: in op")
OWN = Cause("DncBusyError", "etl_dagster.dnc.errors.DncBusyError: another process writes\n")
FOREIGN = Cause("ValueError", "ValueError: invalid literal 'Wilhelmina Quackenbush 4075550123'\n")
FAILURE = Cause("Failure", "dagster._core.definitions.events.Failure: CCC did not answer\n")
CHECK = Cause(
    "DagsterAssetCheckFailedError",
    "dagster._core.errors.DagsterAssetCheckFailedError: 1 blocking asset check failed:\nk: c\n",
)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAY_TAGS = range_tags(Chunk(DATE, 0), Chunk(DATE, 3))


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build_defs(Settings.from_environment({})).get_repository_def()


def facts(**changes: Any) -> Facts:
    return Facts(**{"job": "scrub_day", "run_id": "r1", **changes})


# From facts to an alert


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"covers": "", "stages": (), "message": "", "chunks_asked": 0, "checks": ()}),
        ({"tags": DAY_TAGS}, {"covers": "2026-11-22, chunks 00-03", "chunks_asked": 4}),
        (
            {"tags": {"dagster/partition": "2026-11-22|03"}},
            {"covers": "2026-11-22, chunk 03", "chunks_asked": 1},
        ),
        (
            {"tags": range_tags(Chunk(DATE, 1), Chunk(date(2026, 11, 24), 2))},
            {"covers": "2026-11-22 to 2026-11-24, chunks 01-02", "chunks_asked": 6},
        ),
        ({"tags": {"dagster/partition": "2026-11-22"}}, {"covers": "2026-11-22"}),
        (
            {"tags": {"dagster/partition": "state_fl"}, "landed": {"dnc_registry": {"state_fl"}}},
            {"covers": "state_fl", "chunks_asked": 0, "chunks_done": {}},
        ),
        (
            {"tags": DAY_TAGS, "landed": {"leads": {"a", "b"}, "ccc_enriched": set()}},
            {"chunks_done": {"leads": 2, "ccc_enriched": 0}, "phones_unknown": None},
        ),
        ({"unknown": {"a": 3, "b": 0, "c": 4}}, {"phones_unknown": 7}),
        ({"unknown": {"a": 0}}, {"phones_unknown": 0}),
        (
            {"failures": {"leads": [WRAPPER, OWN]}},
            {"stages": ("leads",), "message": "another process writes"},
        ),
        ({"failures": {"leads": [WRAPPER, OWN, FOREIGN]}}, {"message": "another process writes"}),
        ({"failures": {"leads": [WRAPPER, FOREIGN]}}, {"message": "ValueError; see the run's log"}),
        ({"failures": {"leads": [FAILURE]}}, {"message": "CCC did not answer"}),
        (
            {"failures": {"dnc_filtered": [CHECK]}, "checks": ["dnc_filtered: c"]},
            {"message": "1 blocking asset check failed: k: c", "checks": ("dnc_filtered: c",)},
        ),
        (
            {"failures": {"a": [FAILURE], "b": [OWN]}, "ending": [FOREIGN]},
            {"stages": ("a", "b"), "message": "CCC did not answer"},
        ),
        (
            {"ending": [WRAPPER, OWN], "remark": "An exception was thrown"},
            {"stages": (), "message": "another process writes"},
        ),
        ({"remark": "the process is gone"}, {"message": "the process is gone"}),
        ({"job": "__ASSET_JOB"}, {"job": "materialization of assets"}),
        ({"failures": {"a": []}, "remark": "gone"}, {"stages": ("a",), "message": "gone"}),
    ],
)
def test_facts_make_an_alert(given: dict[str, Any], expected: dict[str, Any]) -> None:
    alert = alert_of(facts(**given), ui_url="http://ui:3000/")
    assert {name: getattr(alert, name) for name in expected} == expected
    assert alert.link == "http://ui:3000/runs/r1"
    assert "Wilhelmina" not in alert.text + alert.title


@pytest.mark.parametrize(
    ("job", "assets", "tags", "reason"),
    [
        ("scrub_day", None, {}, ""),
        ("scrub_day", {"leads"}, {"dagster/will_retry": "false"}, ""),
        ("load_opt_outs", None, {"etl_dagster/reports_itself": "true"}, ""),
        ("__ASSET_JOB", {"leads", "ccc_enriched"}, {}, ""),
        (
            "scrub_day",
            None,
            {"dagster/will_retry": "true"},
            "run r1 is tried again; only the last try's failure is told",
        ),
        (
            "scrub_day",
            None,
            {"dagster/will_retry": "true", "dagster/auto_retry_run_id": "r2"},
            "run r1 is tried again as run r2; only the last try's failure is told",
        ),
        ("nightly", None, {}, "run r1 of nightly is of another code location"),
        ("__ASSET_JOB", {"sales"}, {}, "run r1 of __ASSET_JOB is of another code location"),
    ],
)
def test_a_run_is_told_of_unless_it_is_tried_again_or_of_others(
    repository: dg.RepositoryDefinition,
    job: str,
    assets: set[str] | None,
    tags: dict[str, str],
    reason: str,
) -> None:
    keys = None if assets is None else frozenset(map(dg.AssetKey, assets))
    run = dg.DagsterRun(job_name=job, run_id="r1", asset_selection=keys, tags=tags)
    assert reason_to_skip(run, repository) == reason


# From events to facts


@dg.asset(
    check_specs=[
        dg.AssetCheckSpec("holds", asset="checked", blocking=True),
        dg.AssetCheckSpec("nearly", asset="checked"),
    ]
)
def checked() -> dg.MaterializeResult:
    warn = dg.AssetCheckSeverity.WARN
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(check_name="holds", passed=False),
            dg.AssetCheckResult(check_name="nearly", passed=False, severity=warn),
        ]
    )


class Broken(dg.ConfigurableResource):
    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        del context
        raise ValueError("4075550123")


@dg.asset
def needy(broken: Broken) -> None:
    del broken


def failed(asset: dg.AssetsDefinition, instance: dg.DagsterInstance) -> Facts:
    run = dg.materialize(
        [asset],
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
        resources={"broken": Broken()},
    )
    record = instance.get_run_by_id(run.run_id)
    assert record is not None
    (failure,) = [event for event in run.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    return gather(instance, record, failure)


def test_a_failed_blocking_check_is_named_and_a_warning_is_not() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = failed(checked, instance)
    assert found.checks == ["checked: holds"]
    alert = alert_of(found, ui_url="http://ui")
    assert alert.stages == ("checked",)
    assert alert.message == ("1 blocking asset check failed with ERROR severity: checked: holds")


def test_a_run_that_fails_before_any_step_is_told_without_the_words_of_strangers() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        alert = alert_of(failed(needy, instance), ui_url="http://ui")
    assert alert.stages == ()
    assert alert.message == "ValueError; see the run's log"


def test_a_run_whose_process_is_gone_is_told_by_what_is_said_of_its_end() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(
            dg.Definitions([checked]).resolve_implicit_global_asset_job_def()
        )
        event = instance.report_run_failed(run, "the process that ran it is gone")
        alert = alert_of(gather(instance, run, event), ui_url="http://ui")
    assert alert.message == "the process that ran it is gone"


# The whole way


def evaluate(line: Line, result: Result) -> Any:
    """What the sensor makes of a run."""
    run = line.instance.get_run_by_id(result.run.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(
        sensor_name=NAME,
        dagster_event=result.run.all_events[-1],
        dagster_instance=line.instance,
        dagster_run=run,
    )
    sensor: Any = line.defs().resolve_sensor_def(NAME)
    return sensor(context.for_run_failure())


def test_a_failed_run_is_told_with_stage_chunks_and_link_and_nobodys_data(
    line: Line, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    line.environment |= {
        "ETL_ALERT_WEBHOOK_URL": f"{receiver.url}/hook",
        "ETL_ALERT_NTFY_URL": f"{receiver.url}/topic",
        "ETL_UI_URL": "https://dagster.example.org/etl/",
    }
    line.people(crowd(24))
    line.fault("status", status=500)
    result = line.run()
    assert not result.success
    assert evaluate(line, result) is None

    got = {one.path: one for one in receiver.received}
    assert got.keys() == {"/hook", "/topic"}
    alert = json.loads(got["/hook"].body)
    link = f"https://dagster.example.org/etl/runs/{result.run.run_id}"
    unknown = line.count("PHONE_VERDICTS", "verdict = 'UNKNOWN'")
    assert unknown > 0
    assert alert["title"] == f"scrub_day failed: {DAY}, chunks 00-01"
    assert alert["stages"] == ["ccc_enriched"]
    assert "CCC did not answer for all phones" in alert["message"]
    assert alert["chunks_asked"] == 2
    assert alert["chunks_done"] == {
        "leads": 2, "ccc_enriched": 2, "dnc_filtered": 0, "callable_leads": 0,
    }  # fmt: skip
    assert list(alert["chunks_done"]) == list(STAGE_ASSETS)
    assert alert["phones_unknown"] == unknown
    assert alert["link"] == got["/topic"].headers["Click"] == link

    output = capfd.readouterr()
    told = "".join(one.body + str(one.headers) for one in receiver.received)
    assert f"scrub_day failed: {DAY}, chunks 00-01 | failed: ccc_enriched | because: CCC" in (
        output.err + output.out
    )
    for text in (told, output.err + output.out):
        assert {one for one in forbidden() if one.lower() in text.lower()} == set()
    assert receiver.url not in output.err + output.out


def test_a_tick_fails_if_nobody_could_be_told_and_the_log_has_the_alert_all_the_same(
    one_chunk: Line, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    line = one_chunk
    line.environment["ETL_ALERT_NTFY_URL"] = f"{receiver.url}/s3cr3t"
    receiver.answers.append(403)
    result = line.run()  # nobody is in the source, which the campaign does not allow
    assert not result.success
    with pytest.raises(AlertError, match="ntfy: HTTP 403"):
        evaluate(line, result)
    output = capfd.readouterr()
    assert "scrub_day failed" in output.err + output.out
    assert "s3cr3t" not in output.err + output.out


def test_the_daemon_hands_over_failures_of_the_command_line_and_not_of_other_locations(
    make_line: Callable[..., Line], receiver: Receiver
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_ALERT_WEBHOOK_URL=receiver.url)
    defs = line.defs()
    sensor = defs.resolve_sensor_def(NAME)

    def tick(cursor: str | None) -> Any:
        context = dg.SensorEvaluationContext(
            instance_ref=None,
            instance=line.instance,
            cursor=cursor,
            sensor_name=NAME,
            repository_name="__repository__",
            repository_def=defs.get_repository_def(),
            code_location_origin=LOCATION,
        )
        return sensor.evaluate_tick(context)

    first = tick(None)
    assert not first.dagster_run_reactions
    foreign = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("sales"), "__repository__")
    other = dg.DagsterRun(job_name="nightly", remote_job_origin=foreign.get_job_origin("nightly"))
    line.instance.report_run_failed(line.instance.add_run(other))
    result = line.run()  # as `etl-dagster run` does: such a run has no code location
    assert not result.success
    again = dg.DagsterRun(job_name="scrub_day", tags={"dagster/will_retry": "true"})
    line.instance.report_run_failed(line.instance.add_run(again))
    # one tick for all of them: what is skipped must not keep it from going on
    second = tick(first.cursor)
    told = [one.dagster_run.run_id for one in second.dagster_run_reactions]
    assert told == [other.run_id, result.run.run_id, again.run_id]
    assert [one.error for one in second.dagster_run_reactions] == [None] * 3
    assert not tick(second.cursor).dagster_run_reactions
    (got,) = receiver.received
    assert json.loads(got.body)["run_id"] == result.run.run_id


def test_what_fails_again_and_again_is_told_once_until_it_changes_or_is_over(
    one_chunk: Line, receiver: Receiver
) -> None:
    line = one_chunk
    line.environment["ETL_ALERT_WEBHOOK_URL"] = receiver.url
    folder = line.settings.opt_out_inbox_dir / "rejected"
    folder.mkdir(parents=True)

    def told() -> int:
        """Run the opt-outs, tell of it if that failed; how many alerts there are by now."""
        result = line.run(job="load_opt_outs", tags={})
        assert result.success is not any(folder.iterdir())
        if not result.success:
            evaluate(line, result)
        return len(receiver.received)

    (folder / "a.txt").touch()
    assert [told(), told(), told()] == [1, 1, 1]
    (folder / "b.txt").touch()
    assert [told(), told()] == [2, 2]  # it names another file
    (folder / "b.txt").unlink()
    assert [told(), told()] == [3, 3]
    (folder / "a.txt").unlink()
    assert told() == 3
    (folder / "a.txt").touch()
    assert [told(), told()] == [4, 4]  # it had worked in between


@pytest.mark.parametrize(("job", "hours"), [("load_opt_outs", 1), ("check_freshness", 24)])
def test_the_same_failure_is_told_again_after_a_while(
    one_chunk: Line, receiver: Receiver, job: str, hours: int
) -> None:
    line = one_chunk
    line.environment["ETL_ALERT_WEBHOOK_URL"] = receiver.url
    line.environment["DNC_DB_PATH"] = str(line.settings.home / "nowhere.sqlite")
    rejected = line.settings.opt_out_inbox_dir / "rejected" / "a.txt"
    rejected.parent.mkdir(parents=True)
    rejected.touch()

    def told() -> int:
        """Run the job, tell of its failure; how many alerts there are by now."""
        evaluate(line, line.run(job=job, tags={}))
        return len(receiver.received)

    assert told() == 1
    (first,) = line.instance.get_run_records(dg.RunsFilter(job_name=job))
    for minutes, alerts in ((60 * hours - 2, 1), (60 * hours, 2)):
        moment = datetime.now(UTC) - timedelta(minutes=minutes)
        line.instance.add_run_tags(first.dagster_run.run_id, {TOLD_AT: moment.isoformat()})
        assert told() == alerts


def test_an_alert_that_nobody_took_is_told_once_when_a_channel_is_there_again(
    one_chunk: Line, receiver: Receiver
) -> None:
    line = one_chunk
    line.environment["ETL_ALERT_WEBHOOK_URL"] = receiver.url
    late: Any = line.defs().resolve_sensor_def("alert_untold_runs")

    def tick() -> str:
        with dg.build_sensor_context(instance=line.instance) as context:
            return str(late(context).skip_message)

    result = line.run()  # nobody is in the source, which the campaign does not allow
    receiver.answers.extend([503] * 8)  # the webhook is away, for all tries of two ticks
    with pytest.raises(AlertError):
        evaluate(line, result)
    with pytest.raises(AlertError):
        tick()
    assert not receiver.answers
    before = len(receiver.received)
    assert tick() == "1 runs were told of late"
    assert tick() == "nobody waits"
    (got,) = receiver.received[before:]
    alert = json.loads(got.body)
    assert (alert["run_id"], alert["stages"]) == (result.run.run_id, ["leads"])
    run = line.instance.get_run_by_id(result.run.run_id)
    assert run is not None
    assert run.tags[TOLD] not in ("", NOBODY)
    assert TOLD_AT in run.tags


def test_an_alert_that_nobody_took_is_tried_again_with_the_next_run(
    one_chunk: Line, receiver: Receiver
) -> None:
    line = one_chunk
    line.environment["ETL_ALERT_WEBHOOK_URL"] = receiver.url
    folder = line.settings.opt_out_inbox_dir / "rejected"
    folder.mkdir(parents=True)
    (folder / "a.txt").touch()
    receiver.answers.append(403)
    with pytest.raises(AlertError):
        evaluate(line, line.run(job="load_opt_outs", tags={}))
    for _ in range(2):
        evaluate(line, line.run(job="load_opt_outs", tags={}))
    assert len(receiver.received) == 2


def test_runs_of_other_jobs_and_other_lists_are_told_each_time() -> None:
    runs = []
    with dg.DagsterInstance.ephemeral() as instance:
        for job, name in (
            ("load_dnc_lists", "national"), ("load_dnc_lists", "state_fl"),
            ("load_dnc_lists", "national"), ("scrub_day", "x"), ("scrub_day", "x"),
        ):  # fmt: skip
            run = dg.DagsterRun(job_name=job, tags={"dagster/partition": name, TOLD: name})
            runs.append(instance.add_run(run))
        found = [[one.told for one in earlier_runs(instance, run)] for run in runs]
    assert found == [[], [], ["national"], [], []]
