"""The stand-ins of a local deployment, brought up by whoever comes first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import DncError, DncStore, inbox
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox import data, lists
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster.sandbox.local import SAMPLE_DAYS, LocalWorld, _today
from etl_dagster.warehouse.session import Warehouse
from etl_dagster_tests.dnc.support import BROKEN
from etl_dagster_tests.stand_ins import listed_internally, listed_nationally

DAY = date(2026, 5, 20)


def days_of(warehouse: Warehouse, table: str) -> list[tuple[date, int]]:
    with warehouse.session() as session:
        query = f"SELECT source_date, COUNT(*) FROM PROPERTY_DATA.{table} GROUP BY 1 ORDER BY 1"
        return [(day, int(count)) for day, count in session.rows(query)]


def test_the_sample_is_loaded_once_and_then_day_by_day(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    world = LocalWorld(tmp_path)
    with ThreadPoolExecutor(2) as pool:  # two processes at once, as far as the lock is concerned
        list(pool.map(lambda _: world.load_sample(warehouse, today=DAY), range(2)))
    expected = [DAY - timedelta(days=back) for back in range(SAMPLE_DAYS, 0, -1)]
    found = days_of(warehouse, data.PROPERTIES)
    assert [day for day, _ in found] == expected
    assert found == [(day, data.sample_properties(day).num_rows) for day in expected]
    assert [day for day, _ in days_of(warehouse, data.CONTACTS)] == expected

    world.load_sample(warehouse, today=DAY + timedelta(days=2))
    assert len(days_of(warehouse, data.PROPERTIES)) == SAMPLE_DAYS + 2
    with warehouse.session() as session:
        current = session.scalar("SELECT CURRENT_SCHEMA()")
    assert current == warehouse.config.schema


@pytest.mark.slow
def test_sample_lists_are_made_where_there_are_none_and_kept_where_they_are_fresh(
    tmp_path: Path,
) -> None:
    world, path = LocalWorld(tmp_path), tmp_path / "state" / "dnc.sqlite"
    world.load_lists(path)
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "sample").iterdir()}
    world.load_lists(path)
    assert written == {file: file.stat().st_mtime_ns for file in (tmp_path / "sample").iterdir()}
    with DncStore.open(path) as store:
        found = {stats.list: stats for stats in store.stats()}
        assert set(found) == {lists.NATIONAL, lists.STATE, lists.INTERNAL}
        assert found[lists.NATIONAL].numbers >= lists.NUMBERS
        phones = np.array([2125550000 + n for n in range(2_000)], dtype=np.int64)
        listed = store.lookup(phones).verdicts == Verdict.LISTED
    expected = listed_nationally(phones) | listed_internally(phones)
    assert (listed == expected).all()

    folder, opt_outs = tmp_path / "inbox", tmp_path / "opt_outs"
    world.deliver_lists(path, folder, opt_outs)
    assert not folder.exists()
    world.deliver_lists(tmp_path / "none.sqlite", folder, opt_outs)
    assert [file.list for file in inbox.pending(folder)] == [lists.NATIONAL, lists.STATE]
    assert {file.as_of.date() for file in inbox.pending(folder)} == {_today()}
    assert len(inbox.waiting(opt_outs)) == 1


@pytest.mark.parametrize("fault", ["empty", "directory", "foreign", "damaged"])
def test_a_store_that_is_none_is_never_replaced_by_sample_lists(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "dnc.sqlite"
    DncStore.create(path).close()
    break_it, says = BROKEN[fault]
    break_it(path)
    before = path.is_file() and path.read_bytes()
    world = LocalWorld(tmp_path)
    with pytest.raises(DncError, match=says):
        world.load_lists(path)
    with pytest.raises(DncError, match=says):
        world.deliver_lists(path, tmp_path / "inbox", tmp_path / "opt_outs")
    assert (path.is_file() and path.read_bytes()) == before
    assert not (tmp_path / "inbox").exists()


def test_another_ccc_server_is_taken_as_it_is_and_the_key_is_not_shown(tmp_path: Path) -> None:
    sandbox = LocalWorld(tmp_path).ccc("http://127.0.0.1:9")
    assert sandbox.url == "http://127.0.0.1:9"
    assert sandbox.key == SANDBOX_KEY
    assert SANDBOX_KEY not in repr(sandbox)
