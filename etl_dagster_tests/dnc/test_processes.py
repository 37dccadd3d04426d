"""Readers and loaders in processes of their own, and loaders that are killed."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_dagster.dnc import DncStore
from etl_dagster_tests.dnc.support import numbers, write_list

AREAS = range(220, 260)
EVEN = [area * 10**7 + 5550000 + i for area in AREAS for i in range(0, 2000, 2)]
ODD = [phone + 1 for phone in EVEN]

LOAD = """
import sys
from datetime import UTC, datetime, timedelta
from etl_dagster.dnc import DncStore
store, *files = sys.argv[1:]
with DncStore.open(store, read_only=False) as dnc:
    print("open", flush=True)
    for file in files:
        result = dnc.add_list(
            "national", [file], as_of=datetime.now(UTC), allow=["same", "shrink", "older"]
        )
        print("loaded", result.version, flush=True)
"""

READ = """
import sys
from pathlib import Path
import numpy as np
from etl_dagster.dnc import DncStore
store, stop, *files = sys.argv[1:]
even, odd = (
    np.array([int(x.replace(",", "")) for x in open(file)], dtype=np.int64) for file in files
)
seen, last = set(), False
with DncStore.open(store) as dnc:
    while not last:
        last = Path(stop).exists()  # then all is loaded, and what is read now is the newest
        listed = dnc.lookup(np.concatenate([even, odd])).verdicts == 2
        first, second = listed[: len(even)], listed[len(even) :]
        assert (first.all() and not second.any()) or (second.all() and not first.any())
        if not seen:
            print("reading", flush=True)
        seen.add(bool(first.all()))
print(len(seen))
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write_list(tmp_path / "even.txt", EVEN), write_list(tmp_path / "odd.txt", ODD)


@pytest.fixture
def path(tmp_path: Path, files: tuple[Path, Path]) -> Path:
    path = tmp_path / "dnc.sqlite"
    with DncStore.create(path) as store:
        store.add_list("national", [files[0]], as_of=datetime.now(UTC))
    return path


def test_readers_see_one_version_whole_while_lists_are_loaded(
    path: Path, files: tuple[Path, Path]
) -> None:
    stop = path.with_name("stop")
    readers = [python(READ, path, stop, *files) for _ in range(2)]
    for reader in readers:
        assert reader.stdout
        assert reader.stdout.readline() == "reading\n"
    loader = python(LOAD, path, *(files[turn % 2] for turn in range(1, 6)))
    assert loader.communicate()[0].count("loaded") == 5
    stop.touch()
    assert [reader.communicate()[0].strip() for reader in readers] == ["2", "2"]
    assert [reader.returncode for reader in readers] == [0, 0]


def test_two_loaders_wait_for_each_other(path: Path, files: tuple[Path, Path]) -> None:
    loaders = [python(LOAD, path, *files) for _ in range(2)]
    versions = "".join(loader.communicate()[0] for loader in loaders).split()
    assert sorted(v for v in versions if v.isdigit()) == ["2", "3", "4", "5"]
    with DncStore.open(path) as store:
        store.verify()


def test_a_killed_load_leaves_the_old_version(path: Path, files: tuple[Path, Path]) -> None:
    loader = python(LOAD, path, files[1])
    start = time.monotonic()
    assert loader.communicate()[0].count("loaded") == 1
    whole = time.monotonic() - start
    with DncStore.open(path, read_only=False) as store:
        store.add_list(
            "national", [files[0]], as_of=datetime.now(UTC), allow=["same", "older", "shrink"]
        )
    interrupted = 0
    for turn in range(8):
        with DncStore.open(path) as store:
            before = store.stats()[1].version
        loader = python(LOAD, path, files[1])
        assert loader.stdout
        assert loader.stdout.readline() == "open\n"
        time.sleep(whole * turn / 16)
        os.kill(loader.pid, signal.SIGKILL)
        loader.communicate()
        with DncStore.open(path) as store:
            version, listed = store.stats()[1].version, numbers(store)
            store.verify()
        assert version in {before, before + 1}
        assert listed == set(EVEN if version == before else ODD)
        if version == before:
            interrupted += 1
        else:
            break
    assert interrupted
    leftovers = {entry.name for entry in path.parent.iterdir()}
    assert leftovers <= {path.name, *(path.name + end for end in ("-wal", "-shm"))} | {
        file.name for file in files
    }


def test_a_process_may_fork_with_a_store_open(path: Path) -> None:
    """The child asks by a connection of its own: one that crossed a fork has lost its locks."""

    def connections() -> set[int]:
        return {id(connection) for connection, _ in store._readers._idle}

    with DncStore.open(path) as store:
        assert len(store.check_phones_batch(["2205550000"])) == 1
        before = connections()
        assert len(before) == 1
        child = os.fork()
        if not child:
            told = 99
            try:
                listed = store.check_phones_batch(["2205550000", "2205550002", "2205550001"])
                told = 10 * len(listed) + len(before & connections())
            finally:
                os._exit(told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 20
        assert len(store.check_phones_batch(["2205550001"])) == 0


def test_a_full_disk_is_a_clear_error_and_changes_nothing(
    path: Path, files: tuple[Path, Path]
) -> None:
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + LOAD, str(path), str(files[1])],
        env={name: text for name, text in os.environ.items() if "COVERAGE" not in name},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "etl_dagster.dnc.errors.Dnc" in done.stderr.splitlines()[-1]
    with DncStore.open(path) as store:
        assert numbers(store) == set(EVEN)
        store.verify()
