import os
import subprocess
import sys
import tempfile
from pathlib import Path

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
    (theirs,) = left_behind(dead_process())
    (ours,) = left_behind(os.getpid())
    try:
        loading.sweep()
        assert not theirs.exists()
        assert ours.exists()
    finally:
        ours.unlink()


def test_many_may_sweep_at_once() -> None:
    paths = left_behind(dead_process(), 300)
    at_once(lambda _: loading.sweep(), range(16))
    assert not any(path.exists() for path in paths)
