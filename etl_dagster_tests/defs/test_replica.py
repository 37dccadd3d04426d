"""Lines on two hosts: one keeps the lists and exports them, the other fetches them, in Dagster."""

import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from etl_dagster.defs.jobs import EXPORT_JOB, PRIMARY, QUEUE
from etl_dagster.defs.snapshots import export_is_due
from etl_dagster.dnc import DncStore
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import export_snapshot, in_force
from etl_dagster.leads.policy import Policy
from etl_dagster.scrub.rescrub import rescrub
from etl_dagster.settings import Settings, SettingsError
from etl_dagster_tests.defs.line import (
    CLEAN,
    DAY,
    EARLIER,
    LISTED,
    Line,
    Result,
    eventually,
    person,
)
from etl_dagster_tests.defs.test_dnc_assets import NOON, load, opt_outs, put, requested

Replica = tuple[Line, Path, str]
HOUR = timedelta(hours=1)
NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)


def test_the_host_that_keeps_the_lists_exports_them_and_others_scrub_by_them(
    make_line: Callable[..., Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "place")
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS", DNC_EXPORT_URL=url)
    monkeypatch.setenv("DNC_EXPORT_URL", url)
    assert len(requested(line, "dnc_export")) == 1
    assert line.run(job="export_dnc_store", tags={}).success
    assert requested(line, "dnc_export") == []
    line.opt_out(CLEAN[9])
    assert len(requested(line, "dnc_export")) == 1

    del line.environment["DNC_EXPORT_URL"]  # the other host
    monkeypatch.setenv("DNC_SNAPSHOT_URL", url)
    line.environment |= {"DNC_SNAPSHOT_URL": url, "DNC_DB_PATH": str(tmp_path / "dnc.sqlite")}
    line.people([person(n, phone) for n, phone in enumerate([CLEAN[1], CLEAN[2], LISTED[0]])])
    opt_outs(line, (str(CLEAN[1]), NOON))
    result = line.run()
    assert result.success, result.error
    assert line.callable_phones() == {CLEAN[2]}
    assert doubts(line) == {CLEAN[1]: "opted_out"}

    put(line.settings.dnc_inbox_dir, "national@2026-11-20.txt", [CLEAN[2]])
    assert not load(line, "national")


@pytest.fixture
def replica(one_chunk: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replica:
    """A line that fetches the lists of another, which are in its place of snapshots."""
    primary, url = one_chunk.settings.dnc_store, str(tmp_path / "place")
    export_snapshot(primary, Place(url))
    monkeypatch.setenv("DNC_SNAPSHOT_URL", url)
    one_chunk.environment |= {"DNC_SNAPSHOT_URL": url, "DNC_DB_PATH": str(tmp_path / "dnc.sqlite")}
    return one_chunk, primary, url


def test_a_store_that_was_not_fetched_clears_nobody_where_one_should_be(replica: Replica) -> None:
    """It would never run out, and hear of no opt-out."""
    line, primary, _ = replica
    shutil.copy(primary, line.environment["DNC_DB_PATH"])
    line.people([person(2, CLEAN[2])])
    result = line.run()
    assert not result.success
    assert "no snapshot that was fetched" in str(result.error)
    assert line.callable_phones() == set()


@pytest.mark.slow
def test_what_a_replica_fetches_takes_leads_back_and_what_it_cannot_clears_nobody(
    replica: Replica, tmp_path: Path
) -> None:
    line, primary, url = replica
    line.people([person(2, CLEAN[2])])
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}
    with DncStore.open(primary, read_only=False) as store:
        store.opt_out([CLEAN[2]])
    exported = export_snapshot(primary, Place(url)).snapshot
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == set()
    assert requested(line, "dnc_changes") == []

    # nothing newer can be fetched, and what there is has become too old
    (tmp_path / "place").rename(tmp_path / "away")
    note = tmp_path / "dnc.sqlite.snapshot.json"
    said = json.loads(note.read_bytes())
    said["snapshots"][0]["exported_at"] = (exported.exported_at - 25 * HOUR).isoformat()
    note.write_text(json.dumps(said))
    line.people([person(3, CLEAN[3])])
    line.run(force=True)
    assert line.callable_phones() == set()
    assert doubts(line)[CLEAN[3]] == "snapshot_stale"

    with line.session() as session, DncStore.open_under(primary, Policy.load()) as store:
        found = rescrub(session, {Policy.load().hash: store}, DAY)
    assert (found.rows > 0, found.different, found.lost) == (True, 0, [])


@pytest.mark.slow
def test_what_a_host_publishes_by_older_lists_is_taken_back(
    one_chunk: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, newest = one_chunk, one_chunk.settings.dnc_store
    line.people([person(2, CLEAN[2])])
    older = shutil.copy(newest, tmp_path / "older.sqlite")
    monkeypatch.setenv("DNC_EXPORT_URL", str(tmp_path / "place"))
    line.environment |= {"DNC_EXPORT_URL": str(tmp_path / "place"), "DNC_DB_PATH": str(newest)}
    line.opt_out(CLEAN[2])
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []

    line.environment["DNC_DB_PATH"] = str(older)  # another host, before it fetches
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}
    line.environment["DNC_DB_PATH"] = str(newest)
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == set()
    assert requested(line, "dnc_changes") == []


@pytest.mark.slow
def test_what_a_host_publishes_by_older_lists_during_a_retraction_is_taken_back(
    one_chunk: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, newest = one_chunk, one_chunk.settings.dnc_store
    line.people([person(1, CLEAN[1], day=EARLIER), person(2, CLEAN[2])])
    older = shutil.copy(newest, tmp_path / "older.sqlite")
    monkeypatch.setenv("DNC_EXPORT_URL", str(tmp_path / "place"))
    line.environment |= {"DNC_EXPORT_URL": str(tmp_path / "place"), "DNC_DB_PATH": str(newest)}
    locks = line.settings.home / "locks"
    results: list[Result] = []

    def retract() -> None:
        results.append(line.run(job="retract_listed", tags={}))

    assert line.run(EARLIER).success
    line.opt_out(CLEAN[2])
    passed = locks / "publish-chunk-00.lock"
    passed.unlink()
    thread = threading.Thread(target=retract)
    with FileLock(locks / f"{EARLIER}-chunk-00.lock"):  # the retraction knows what to read
        thread.start()
        eventually(passed.exists)
        line.environment["DNC_DB_PATH"] = str(older)  # another host, before it fetches
        assert line.run().success
        assert results == []
    thread.join()
    assert results[0].success, results[0].error
    assert line.callable_phones() == {CLEAN[1], CLEAN[2]}
    line.environment["DNC_DB_PATH"] = str(newest)
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == {CLEAN[1]}
    assert requested(line, "dnc_changes") == []


def doubts(line: Line) -> dict[int, str]:
    rows = line.rows(
        "SELECT phone, reason FROM PHONE_VERDICTS WHERE source = 'dnc' AND verdict = 'UNKNOWN'"
    )
    return {row["PHONE"]: row["REASON"] for row in rows}


def test_opt_out_files_on_a_host_that_fetches_stop_it(replica: Replica) -> None:
    line, _, url = replica
    line.people([person(1, CLEAN[1])])
    put(line.settings.opt_out_inbox_dir, "letters.txt", [CLEAN[1]])
    result = line.run()
    assert result.steps["dnc_filtered"] == "failure"
    found = in_force(Place(url))
    assert found
    assert f"kept on {found.host}" in result.error
    assert (line.settings.opt_out_inbox_dir / "letters.txt").exists()


@pytest.mark.parametrize(
    ("exported", "due"),
    [
        (None, True),
        ((6, NOW), True),
        ((7, NOW), False),
        ((7, NOW - HOUR / 4 + timedelta(seconds=1)), False),
        ((7, NOW - HOUR / 4), True),
    ],
)
def test_an_export_is_due_when_the_store_changed_and_well_within_its_time(
    exported: tuple[int, datetime] | None,
    due: bool,  # noqa: FBT001  a parameter
) -> None:
    assert export_is_due(7, exported, now=NOW, max_age=HOUR) == due


def test_only_the_host_that_keeps_the_lists_exports_them(one_chunk: Line) -> None:
    one_chunk.environment["DNC_EXPORT_URL"] = "/a"
    tags = one_chunk.defs().resolve_job_def(EXPORT_JOB).tags
    assert tags[QUEUE] == PRIMARY


def test_a_host_cannot_do_both() -> None:
    with pytest.raises(SettingsError, match="DNC_SNAPSHOT_URL and DNC_EXPORT_URL"):
        Settings.from_environment({"DNC_SNAPSHOT_URL": "/a", "DNC_EXPORT_URL": "/b"})
