"""Whether the process of a run lives: told from its events, on real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.events import EngineEventData
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import WorkerStatus

from etl_dagster.defs.home import dagster_home, kept_open
from etl_dagster.defs.launcher import HOST, PROCESS, WatchedRunLauncher, process_is_gone
from etl_dagster.settings import Settings, SettingsError


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def started(instance: dg.DagsterInstance, pid: int | None, tag: str = "") -> dg.DagsterRun:
    """A run that has told the id of its process."""
    run = dg.DagsterRun(
        job_name="scrub_day",
        status=dg.DagsterRunStatus.STARTED,
        tags={PROCESS: tag} if tag else {},
    )
    instance.add_run(run)
    instance.report_engine_event("first", run)
    if pid is not None:
        instance.report_engine_event("Started process", run, EngineEventData.in_process(pid))
    return run


def test_a_run_is_gone_when_its_process_is(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]
) -> None:
    run = started(instance, sleeper.pid)
    assert not process_is_gone(instance, run)
    sleeper.kill()  # not waited for: it is a zombie now, or gone
    sleeper.wait()
    assert process_is_gone(instance, run)


def test_a_zombie_is_gone(instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]) -> None:
    run = started(instance, sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and left unburied
    assert process_is_gone(instance, run)


def test_a_younger_process_with_the_same_id_does_not_stand_for_the_one_that_is_gone(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]
) -> None:
    run = started(instance, None)
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ENGINE_EVENT.value,
        job_name=run.job_name,
        event_specific_data=EngineEventData.in_process(sleeper.pid),
    )
    told = psutil.Process(sleeper.pid).create_time() - 60
    instance.handle_new_event(
        dg.EventLogEntry(
            error_info=None,
            level=20,
            user_message="",
            run_id=run.run_id,
            timestamp=told,
            job_name=run.job_name,
            dagster_event=event,
        )
    )
    assert process_is_gone(instance, run)


def test_a_run_that_has_not_told_its_process_counts_as_living(
    instance: dg.DagsterInstance,
) -> None:
    assert not process_is_gone(instance, started(instance, None))


def test_a_run_of_another_host_counts_as_living(instance: dg.DagsterInstance) -> None:
    gone = 2**22 + 1  # above any process id
    assert process_is_gone(instance, started(instance, gone, f"{HOST} {gone}"))
    assert not process_is_gone(instance, started(instance, gone, f"elsewhere {gone}"))


def test_the_instance_of_a_home_has_the_launcher_and_it_tells_run_monitoring(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    home = dagster_home(Settings.from_environment({"ETL_HOME": str(tmp_path)}))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, WatchedRunLauncher)
        assert launcher.supports_check_run_worker_health
        run = started(instance, sleeper.pid)
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        sleeper.kill()
        sleeper.wait()
        assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure


def test_the_instance_of_a_home_is_that_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    names = {"ETL_HOME": str(tmp_path), "ETL_DAGSTER_YAML": str(file)}
    with pytest.raises(SettingsError, match=r"ETL_DAGSTER_YAML: .*many\.yaml cannot be read"):
        dagster_home(Settings.from_environment(names))
    file.write_text("storage:\n  postgres:\n    postgres_url:\n      env: ETL_NO_SUCH_URL\n")
    with pytest.raises(SettingsError, match=r"many\.yaml takes .* not set there: ETL_NO_SUCH_URL"):
        dagster_home(Settings.from_environment(names))
    file.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    home = dagster_home(Settings.from_environment(names))
    assert (home / "dagster.yaml").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


def test_the_files_that_runs_share_are_kept_open_and_the_events_are_there_at_once(
    tmp_path: Path,
) -> None:
    home = dagster_home(Settings.from_environment({"ETL_HOME": str(tmp_path)}))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        with kept_open(instance) as files:
            assert [file.name for file in files] == ["index.db", "runs.db"]
            run = started(instance, None)
            instance.report_runless_asset_event(dg.AssetMaterialization("leads"))
            logs = [file.with_name(f"{file.name}-wal") for file in files]
            assert all(log.stat().st_size for log in logs)  # which closing would have emptied
            shard = files[0].with_name(f"{run.run_id}.db")
            assert shard.exists()
            assert not shard.with_name(f"{shard.name}-wal").exists()
            with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as other:
                assert other.get_run_by_id(run.run_id) is not None
                assert other.get_latest_materialization_event(dg.AssetKey("leads")) is not None
        assert not any(log.exists() for log in logs)
        assert instance.get_latest_materialization_event(dg.AssetKey("leads")) is not None


def test_where_dagster_keeps_nothing_in_files_none_are_kept_open(
    instance: dg.DagsterInstance,
) -> None:
    with kept_open(instance) as files:
        assert files == []


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"ETL_HOME": str(tmp_path / "file" / "home")})
    with pytest.raises(SettingsError, match=r"ETL_HOME: .*file/home.* cannot be made"):
        dagster_home(settings)
