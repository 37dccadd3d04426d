"""The launcher of many hosts where no worker answers, and its files of configuration.

What it says of runs that workers have, and lose, is shown by the tests of a cluster.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from etl_dagster.defs import celery_launcher
from etl_dagster.defs.celery_launcher import SILENT_SECONDS, WatchedCeleryRunLauncher
from etl_dagster.defs.home import dagster_home
from etl_dagster.defs.launcher import HOST, PROCESS
from etl_dagster.defs.runner import Runner
from etl_dagster.settings import PROJECT, Settings
from etl_dagster_tests.defs.test_launcher import started

NOBODY = 2**22 + 1
"""Above any process id."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def launcher(instance: dg.DagsterInstance) -> WatchedCeleryRunLauncher:
    """A launcher whose broker nobody else is at."""
    made = WatchedCeleryRunLauncher("dagster", broker="memory://", backend="cache+memory://")
    made.register_instance(instance)
    made.answer_seconds = 0.1
    return made


def sent(instance: dg.DagsterInstance, task: str) -> dg.DagsterRun:
    run = dg.DagsterRun(
        job_name="scrub_day",
        status=dg.DagsterRunStatus.STARTED,
        tags={DAGSTER_CELERY_TASK_ID_TAG: task},
    )
    instance.add_run(run)
    return run


def test_a_run_that_no_worker_has_is_lost_after_a_while(
    instance: dg.DagsterInstance, launcher: WatchedCeleryRunLauncher
) -> None:
    run = sent(instance, "a-task")
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    celery_launcher._missed[run.run_id] = time.monotonic() - SILENT_SECONDS
    found = launcher.check_run_worker_health(run)
    assert found.status is WorkerStatus.FAILED
    assert "no worker has it any more" in str(found.msg)
    # what is told once begins anew
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


@pytest.mark.parametrize(
    ("state", "status"),
    [("FAILURE", WorkerStatus.FAILED), ("SUCCESS", WorkerStatus.RUNNING)],
)
def test_a_task_that_ended_is_believed_only_if_it_failed(
    instance: dg.DagsterInstance,
    launcher: WatchedCeleryRunLauncher,
    state: str,
    status: WorkerStatus,
) -> None:
    """A task that was delivered twice succeeds at once, whatever becomes of its run."""
    run = sent(instance, f"ended-{state}")
    result: Any = ValueError("lost") if state == "FAILURE" else 0
    launcher.celery.backend.store_result(f"ended-{state}", result, state)
    assert launcher.check_run_worker_health(run).status is status
    if state == "SUCCESS":
        celery_launcher._missed[run.run_id] = time.monotonic() - SILENT_SECONDS
        assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


def test_a_run_of_the_command_line_is_lost_when_its_process_is(
    instance: dg.DagsterInstance, launcher: WatchedCeleryRunLauncher
) -> None:
    gone = started(instance, NOBODY, f"{HOST} {NOBODY}")
    assert PROCESS in gone.tags
    assert launcher.check_run_worker_health(gone).status is WorkerStatus.FAILED
    elsewhere = started(instance, NOBODY, f"elsewhere {NOBODY}")
    assert launcher.check_run_worker_health(elsewhere).status is WorkerStatus.RUNNING


def test_the_command_line_leaves_the_runs_of_other_hosts_workers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_environment({"ETL_HOME": str(tmp_path)})
    home = str(dagster_home(settings))
    monkeypatch.setenv("DAGSTER_HOME", home)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(home)) as shared:
        dead, elsewhere = started(shared, NOBODY), started(shared, NOBODY)
        # a retry also has the tags of the run that it repeats, its process among them
        retry = started(shared, NOBODY, f"{HOST} {NOBODY}")
        for run in (elsewhere, retry):
            shared.add_run_tags(run.run_id, {DAGSTER_CELERY_TASK_ID_TAG: "a-task"})
        with Runner(settings):
            pass
        found = [shared.get_run_by_id(run.run_id) for run in (dead, elsewhere, retry)]
    status = [run.status for run in found if run]
    assert status == [
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.STARTED,
    ]


def test_a_run_that_somebody_ends_is_not_one_that_failed(
    instance: dg.DagsterInstance, launcher: WatchedCeleryRunLauncher
) -> None:
    run = sent(instance, "unwanted")
    assert launcher.terminate(run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.CANCELING
    assert not launcher.terminate(started(instance, NOBODY).run_id)  # no worker has it
    assert not launcher.terminate("none")


def test_many_hosts_are_limited_as_one_is_and_a_run_is_not_handed_out_twice() -> None:
    one, many, worker = (
        yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
        for name in ("dagster.yaml", "deploy/celery/dagster.yaml", "deploy/celery/worker.yaml")
    )
    for part in ("concurrency", "scheduler", "run_retries", "retention", "telemetry", "nux"):
        assert many[part] == one[part], part
    assert many["run_monitoring"]["max_resume_run_attempts"] == 0
    assert (
        one["run_monitoring"].items()
        <= {
            **many["run_monitoring"],
            "start_timeout_seconds": one["run_monitoring"]["start_timeout_seconds"],
        }.items()
    )
    settings = worker["execution"]["config"]["config_source"]
    launching = many["run_launcher"]["config"]["config_source"]
    assert launching.items() <= settings.items()
    longest = many["run_monitoring"]["max_runtime_seconds"]
    assert settings["broker_transport_options"]["visibility_timeout"] > longest
