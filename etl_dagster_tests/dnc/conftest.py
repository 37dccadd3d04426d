from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_dagster.dnc import DncStore
from etl_dagster_tests.dnc.support import PHONES, Clock, ago, write_list


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def empty(tmp_path: Path, clock: Clock) -> Iterator[DncStore]:
    with DncStore.create(tmp_path / "dnc.sqlite", clock=clock) as store:
        yield store


@pytest.fixture
def store(empty: DncStore, tmp_path: Path) -> DncStore:
    """A store whose national list has PHONES, ten days old."""
    empty.add_list("national", [write_list(tmp_path / "n.txt", PHONES)], as_of=ago(days=10))
    return empty
