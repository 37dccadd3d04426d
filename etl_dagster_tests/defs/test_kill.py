"""kill -9 of a run at every stage, then a run again: as if nothing had happened.

A run takes the lock of a chunk while it works on it. A test that holds that lock stops a run
between two chunks, at a stage of its choice, without a change to the program.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from filelock import FileLock

from etl_dagster.defs.alerts import reason_to_skip
from etl_dagster.defs.home import dagster_home
from etl_dagster.defs.runner import Runner
from etl_dagster_tests.defs.conftest import small_world
from etl_dagster_tests.defs.line import CLEAN, DAY, Line, crowd, eventually, person
from etl_dagster_tests.defs.test_reruns import assert_chains_are_whole

pytestmark = pytest.mark.slow
PEOPLE = crowd(48)
Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def undisturbed(
    snowflake_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Tables, set[int]]]:
    """The tables of a run that nobody disturbed, and the phones that it bought."""
    with ExitStack() as stack:
        line = small_world(stack, tmp_path_factory.mktemp("undisturbed"), snowflake_home, {})
        line.people(PEOPLE)
        result = line.run()
        assert result.success, result.error
        yield line.tables(), line.bought()


@contextmanager
def run(line: Line) -> Iterator[subprocess.Popen[bytes]]:
    """`etl-dagster run` as a process of its own, killed at the end."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "etl_dagster", "run", "--date", str(DAY)]
    with (line.settings.home / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            command, env={**environment, **line.environment}, stdout=output, stderr=output
        )
    try:
        yield process
        assert process.poll() is None, (line.settings.home / "output.txt").read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def lock(line: Line, chunk: int, stage: int) -> FileLock:
    folder = line.settings.home / "locks"
    folder.mkdir(exist_ok=True)
    asks = "-ccc" if STAGES[stage] == "CCC_ENRICHED" else ""
    return FileLock(folder / f"{DAY}-chunk-{chunk:02d}{asks}.lock")


def has(line: Line, table: str, chunk: int) -> Callable[[], bool]:
    return lambda: line.count(table, f"chunk = {chunk}") > 0


def committed(line: Line) -> set[int]:
    rows = line.rows("SELECT phone FROM PHONE_VERDICTS WHERE source = 'ccc'")
    return {row["PHONE"] for row in rows}


def assert_completed(line: Line, expected: tuple[Tables, set[int]], kept: set[int]) -> None:
    """Run again: the tables of an undisturbed run, and nothing bought that was on record."""
    tables, bought = expected
    line.ccc.reset()
    again = line.run()
    assert again.success, again.error
    assert line.tables() == tables
    assert line.bought() == bought - kept
    assert_chains_are_whole(line)


STAGES = ("LEADS", "CCC_ENRICHED", "DNC_FILTERED", "CALLABLE_LEADS")


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_killed_between_two_chunks_of_a_stage(
    line: Line, undisturbed: tuple[Tables, set[int]], stage: int
) -> None:
    line.people(PEOPLE)
    line.ccc.options = replace(line.ccc.options, latency_ms=300)  # time to take the lock
    held = lock(line, 1, stage)
    if stage == 0:
        held.acquire()
    with run(line):
        if stage:
            eventually(has(line, STAGES[stage - 1], 1))
            held.acquire(poll_interval=0.005)
        eventually(has(line, STAGES[stage], 0))
        time.sleep(0.3)  # past whatever follows the commit
        assert not has(line, STAGES[stage], 1)(), "it was not stopped at the stage it should be"
    held.release()
    line.ccc.options = replace(line.ccc.options, latency_ms=1)
    assert_completed(line, undisturbed, committed(line))


def test_people_are_told_of_a_killed_run_of_the_command_since_no_daemon_can_retry_it(
    line: Line,
) -> None:
    line.people(PEOPLE)
    held = lock(line, 0, 0)
    held.acquire()
    with run(line):
        eventually(lambda: bool(runs(line, dg.DagsterRunStatus.STARTED, stepping=True)))
    held.release()
    (killed,) = runs(line, dg.DagsterRunStatus.STARTED)
    with Runner(line.settings):  # which finds it
        pass
    (found,) = runs(line, dg.DagsterRunStatus.FAILURE)
    assert found.run_id == killed.run_id
    assert reason_to_skip(found, None) == ""


def runs(line: Line, status: dg.DagsterRunStatus, *, stepping: bool = False) -> list[dg.DagsterRun]:
    """The runs of days; with `stepping` those in a step, which have told their process before."""
    home = InstanceRef.from_dir(str(dagster_home(line.settings)))
    with dg.DagsterInstance.from_ref(home) as instance:
        filters = dg.RunsFilter(job_name="scrub_day", statuses=[status])
        found = instance.get_runs(filters=filters)
        return [run for run in found if not stepping or instance.get_run_step_stats(run.run_id)]


def test_killed_while_ccc_answers_keeps_every_checkpoint(
    make_line: Callable[..., Line],
) -> None:
    alone, line = (make_line(ETL_CHUNKS="1", CCC_MAX_WORKERS="2") for _ in range(2))
    people = [person(number, CLEAN[number]) for number in range(600)]
    for one in (alone, line):
        one.people(people)
    assert alone.run().success
    line.fault("slow", seconds=20, batches=tuple(range(56, 99)))
    with run(line):
        eventually(lambda: len(committed(line)) > 0)
    kept = committed(line)
    assert 0 < len(kept) < 600
    assert line.count("CCC_ENRICHED") == 0
    assert_completed(line, (alone.tables(), alone.bought()), kept)


def test_killed_again_and_again_at_any_moment(
    line: Line, undisturbed: tuple[Tables, set[int]]
) -> None:
    line.people(PEOPLE)
    moments = random.Random(7)
    for _ in range(4):
        kept = committed(line)
        done = line.count("CALLABLE_LEADS", "chunk = 1") > 0
        with run(line) as process:
            if not done:  # not while it is still importing
                eventually(lambda: line.count("LEADS") > 0 or process.poll() is not None)
            time.sleep(moments.uniform(0, 1.5))
            if process.poll() is not None:
                break
        assert kept <= committed(line)
    assert_completed(line, undisturbed, committed(line))
