"""`etl-dagster health`: whether the daemon lives, as cron or a monitor asks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
)
from dagster._daemon.types import DaemonHeartbeat

from etl_dagster.cli.health import SILENT_SECONDS
from etl_dagster.defs.health import SENSOR
from etl_dagster.defs.home import dagster_home
from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings
from etl_dagster_tests.cli.test_cli import invoke
from etl_dagster_tests.defs.line import DAY, EARLIER
from etl_dagster_tests.defs.test_history import tell

REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("etl_dagster"), "__repository__")


@contextmanager
def instance_of(home: Path) -> Iterator[dg.DagsterInstance]:
    folder = dagster_home(Settings.from_environment({"ETL_HOME": str(home)}))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))) as instance:
        yield instance


def ask(home: Path, *options: str) -> tuple[int, list[str]]:
    """Exit status, and the lines of what is not well."""
    result = invoke({"ETL_HOME": str(home), "ETL_CHUNKS": "1"}, "health", *options)
    lines = result.output.splitlines()
    return result.exit_code, [line for line in lines if not line.startswith("ok: ")]


def beat(instance: dg.DagsterInstance, kind: str, ago: float) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - ago, kind, None, None))


def sensor(instance: dg.DagsterInstance, ago: float) -> None:
    """The sensor ticked so many seconds ago."""
    origin = REPOSITORY.get_instigator_origin(SENSOR)
    state = InstigatorState(
        origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE,
        SensorInstigatorData(last_tick_timestamp=time.time() - ago),
    )  # fmt: skip
    known = instance.get_instigator_state(state.instigator_origin_id, state.selector_id)
    (instance.update_instigator_state if known else instance.add_instigator_state)(state)


def test_a_home_without_a_daemon_is_not_well(tmp_path: Path) -> None:
    status, wrong = ask(tmp_path)
    assert status == 1
    assert "NOT WELL: daemon sensor: never" in wrong
    assert f"NOT WELL: code location, sensor {SENSOR}: never" in wrong


def test_each_daemon_the_sensor_and_the_newest_day_count(tmp_path: Path) -> None:
    late = SILENT_SECONDS + 1
    with instance_of(tmp_path) as instance:
        kinds = instance.get_required_daemon_types()
        for kind in kinds:
            beat(instance, kind, 3)
        sensor(instance, 20)
        assert ask(tmp_path) == (0, [])
        assert ask(tmp_path, "--days", "3") == (1, ["NOT WELL: newest scrubbed day: None"])
        tell(instance, Chunk(EARLIER, 0))
        assert ask(tmp_path, "--days", "2") == (0, [])
        told = f"NOT WELL: newest scrubbed day: {EARLIER}"
        assert ask(tmp_path, "--days", "1") == (1, [told])
        tell(instance, Chunk(DAY, 0))
        assert ask(tmp_path, "--days", "1") == (0, [])
        for kind in kinds:
            beat(instance, kind, late)
            status, (wrong,) = ask(tmp_path)
            assert (status, wrong.split(":")[1].strip()) == (1, f"daemon {kind.lower()}")
            beat(instance, kind, 3)
        sensor(instance, late)  # the code location does not load, or somebody has turned it off
        status, (wrong,) = ask(tmp_path)
        assert status == 1
        assert wrong.startswith(f"NOT WELL: code location, sensor {SENSOR}: 30")
