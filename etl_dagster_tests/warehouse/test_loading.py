import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from etl_dagster.warehouse import loading
from etl_dagster_tests.together import at_once


def left_behind(process: int, count: int = 1) -> list[Path]:
    """Files as a load makes them, of that process."""
    paths = []
    for _ in range(count):
        handle, name = tempfile.mkstemp(prefix=f"etl_load_{process}_", suffix=".parquet")
        os.close(handle)
        paths.append(Path(name))
    return paths


def dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_only_files_of_dead_processes_are_swept() -> None:
    (dead,) = left_behind(dead_process())
    (before,) = left_behind(os.getpid())  # of a process that had this id, as in a new container
    (alive,) = left_behind(os.getppid())
    try:
        with loading.parquet_file(pa.table({"PHONE": [4075550123]})) as ours:
            loading.sweep()
            assert ours.exists()
        assert not dead.exists()
        assert not before.exists()
        assert alive.exists()
    finally:
        alive.unlink()


def test_many_may_sweep_at_once() -> None:
    paths = left_behind(dead_process(), 300)
    at_once(lambda _: loading.sweep(), range(16))
    assert not any(path.exists() for path in paths)
