"""Snapshots of the store through a folder: what arrives, what is refused, what is answered."""

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.cli import main
from etl_dagster.dnc import (
    DncCorruptError,
    DncError,
    DncFormatError,
    DncRefusedError,
    DncStore,
    DncUsageError,
)
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import Exported, back_up, export_snapshot, in_force, prune
from etl_dagster.dnc.snapshot_fetch import Fetched, fetch_snapshot
from etl_dagster.dnc.snapshots import POINTER, Snapshot
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster_tests.dnc.support import (
    NOW,
    PHONES,
    Clock,
    ago,
    ask,
    reason,
    verdict,
    write_list,
)

LISTED, CLEAR = PHONES[0], 4075550199


class Hosts:
    """A host that keeps the lists, a place, and a host that fetches."""

    def __init__(self, folder: Path, store: DncStore, clock: Clock) -> None:
        self.primary, self.clock = store, clock
        self.folder = folder / "place"
        self.place = Place(str(self.folder))
        self.path = folder / "other" / "dnc.sqlite"

    def export(self, **options: bool | int) -> Exported:
        return export_snapshot(self.primary.path, self.place, clock=self.clock, **options)

    def fetch(self, **options: bool) -> Fetched:
        return fetch_snapshot(self.path, self.place, clock=self.clock, **options)

    def replica(self, **options: object) -> DncStore:
        return DncStore.open(self.path, clock=self.clock, **options)

    def point_at(self, **changes: object) -> None:
        """Have the pointer say something else."""
        found = in_force(self.place)
        assert found
        (self.folder / POINTER).write_bytes(replace(found, **changes).text())

    def object(self) -> Path:
        """The file of the snapshot in force."""
        found = in_force(self.place)
        assert found
        return self.folder / found.path

    def leftovers(self) -> list[str]:
        """What no finished export or fetch leaves behind."""
        beside = [*self.primary.path.parent.glob(".*"), *self.path.parent.glob(".*")]
        uploads = self.folder / "uploads"
        left = [*beside, *(uploads.iterdir() if uploads.exists() else ())]
        return [one.name for one in left if one.suffix != ".lock"]


@pytest.fixture
def hosts(tmp_path: Path, store: DncStore, clock: Clock) -> Hosts:
    return Hosts(tmp_path, store, clock)


@pytest.fixture
def both(hosts: Hosts) -> Hosts:
    """Two hosts with the same lists."""
    hosts.export()
    hosts.fetch()
    return hosts


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_stores_are_for_their_owner_alone_whatever_the_umask(
    tmp_path: Path, clock: Clock, mask: int
) -> None:
    before = os.umask(mask)
    try:
        with DncStore.create(tmp_path / "own" / "dnc.sqlite", clock=clock) as store:
            store.opt_out(PHONES)
            hosts = Hosts(tmp_path, store, clock)
            hosts.export()
            hosts.fetch()
            with hosts.replica() as replica:
                replica.verify()
            folders = ("own", "other", "place", "place/snapshots")
            there = [one for name in folders for one in (tmp_path / name).iterdir()]
            files = [one for one in there if one.is_file()]
            modes = {one.name: one.stat().st_mode & 0o777 for one in files if one.suffix != ".lock"}
    finally:
        os.umask(before)
    assert {"dnc.sqlite", "dnc.sqlite-wal", "dnc.sqlite.snapshot.json", POINTER} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_replica_answers_as_the_store_it_is_of(both: Hosts) -> None:
    both.primary.opt_out([CLEAR])
    assert both.export().uploaded > 0
    assert both.fetch().changed
    with both.replica() as replica:
        assert replica.verify().numbers == len(PHONES) + 1
        here, there = (ask(one, [LISTED, CLEAR, 4075550198]) for one in (replica, both.primary))
    assert here.verdicts.tolist() == there.verdicts.tolist()
    assert here.list_versions == there.list_versions == "internal@1;national@1"
    assert both.primary.evidence_until() is None
    assert here.valid_until.tolist() == there.valid_until.tolist()
    assert both.leftovers() == []


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    listed=st.sets(st.integers(4075550100, 4075550199), min_size=1),
    opted_out=st.lists(st.integers(4075550150, 4075550250), max_size=4),
    asked=st.lists(st.integers(4075550090, 4075550260) | st.integers(), max_size=30),
    age=st.integers(0, 40),
)
def test_verdicts_of_primary_and_replica_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    listed: set[int],
    opted_out: list[int],
    asked: list[int],
    age: int,
) -> None:
    folder = tmp_path_factory.mktemp("hosts")
    with DncStore.create(folder / "dnc.sqlite", clock=Clock()) as primary:
        primary.add_list("national", [write_list(folder / "n", listed)], as_of=ago(days=age))
        if opted_out:
            primary.opt_out(opted_out)
        hosts = Hosts(folder, primary, Clock())
        hosts.export()
        hosts.fetch()
        phones = np.array([phone % 2**62 for phone in asked], np.int64)
        with hosts.replica() as replica:
            here, there = replica.lookup(phones), primary.lookup(phones)
    for name in ("verdicts", "lists", "reasons"):
        assert getattr(here, name).tolist() == getattr(there, name).tolist()
    assert here.valid_until.astype(np.int64).tolist() == there.valid_until.astype(np.int64).tolist()
    assert here.list_versions == there.list_versions
    shutil.rmtree(folder)


def test_the_same_lists_make_the_same_bytes(hosts: Hosts, tmp_path: Path) -> None:
    first = hosts.export().snapshot
    hosts.clock.forward(minutes=5)
    again = hosts.export()
    assert again.uploaded == 0
    assert again.snapshot == replace(first, exported_at=hosts.clock.now)
    elsewhere = export_snapshot(hosts.primary.path, Place(str(tmp_path / "p")), clock=hosts.clock)
    assert elsewhere.snapshot.digest == first.digest


def test_a_snapshot_is_never_written_over_and_not_sent_again(both: Hosts) -> None:
    written = both.object().stat().st_mtime_ns, both.object().stat().st_ino
    both.point_at(revision=0)  # so that it has to look at the copy itself
    assert both.export().uploaded == 0
    assert (both.object().stat().st_mtime_ns, both.object().stat().st_ino) == written
    both.object().unlink()  # as somebody may who tidies up there
    assert both.export().uploaded == both.object().stat().st_size


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=24, microseconds=-1), ""),
        (timedelta(hours=24), ""),
        (timedelta(hours=24, microseconds=1), "snapshot_stale"),
        (timedelta(seconds=-60), ""),
        (timedelta(seconds=-60, microseconds=-1), "snapshot_stale"),
    ],
)
def test_a_replica_clears_nobody_outside_of_its_time(
    both: Hosts, after: timedelta, expected: str
) -> None:
    both.clock.now = NOW + after
    with both.replica() as replica:
        assert reason(replica, CLEAR) == replica.explain(CLEAR).reason == expected
        assert verdict(replica, CLEAR) == ("UNKNOWN" if expected else "CLEAR")
        assert verdict(replica, LISTED) == "LISTED"
        found = ask(replica, [CLEAR, LISTED])
        assert np.isnat(found.valid_until[0]) == bool(expected)


def test_the_policy_says_how_old_a_replica_may_be(both: Hosts) -> None:
    said = Policy.load()
    strict = replace(said, dnc_snapshot_max_age_hours=1.5)
    assert strict.hash != said.hash
    both.clock.forward(hours=1.5)
    with DncStore.open_under(both.path, strict, clock=both.clock) as replica:
        assert verdict(replica, CLEAR) == "CLEAR"
        both.clock.forward(seconds=1)
        assert reason(replica, CLEAR) == "snapshot_stale"


def test_an_unchanged_store_stays_evidence_by_being_exported_again(both: Hosts) -> None:
    with both.replica() as replica:
        both.clock.forward(hours=30)
        assert verdict(replica, CLEAR) == "UNKNOWN"
        both.export()
        assert not both.fetch().changed
        assert verdict(replica, CLEAR) == "CLEAR"


def test_the_past_is_repeated_whatever_became_of_the_replica(both: Hosts) -> None:
    with both.replica() as replica:
        then = ask(replica, [CLEAR])
        both.clock.forward(hours=100)
        again, _ = replica.repeat(np.array([CLEAR]), then.list_versions, NOW)
        assert replica.explain(CLEAR, NOW, versions=then.list_versions).verdict == "clear"
    assert again.verdicts.tolist() == then.verdicts.tolist() == [1]


@pytest.mark.parametrize("note", [None, b"", b"{}", b"[1]", b'{"source": "x", "snapshots": [{}]}'])
def test_without_its_note_a_replica_clears_nobody(both: Hosts, note: bytes | None) -> None:
    place = both.path.with_name("dnc.sqlite.snapshot.json")
    place.unlink() if note is None else place.write_bytes(note)
    with both.replica() as replica:
        assert (verdict(replica, LISTED), reason(replica, CLEAR)) == ("LISTED", "snapshot_stale")
    with pytest.raises(DncUsageError, match=r"to be, a replica: nothing .* kept on another host"):
        DncStore.open(both.path, read_only=False)
    both.fetch()
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "CLEAR"


def test_a_store_has_not_the_date_of_another(both: Hosts) -> None:
    before = both.path.read_bytes()
    both.primary.opt_out([CLEAR])
    both.export()
    both.fetch()
    both.path.write_bytes(before)  # the note says when the newer one was in force
    with both.replica() as replica:
        assert reason(replica, CLEAR) == "snapshot_stale"


def test_opt_outs_heard_on_a_replica_clear_nobody_until_its_lists_have_them(both: Hosts) -> None:
    phones, moments = np.array([CLEAR]), np.array([ago(hours=1).replace(tzinfo=None)], "M8[us]")
    with both.replica() as replica:
        then = ask(replica, phones)
        assert replica.opt_out_rows(phones, moments, table="T") == 1
        assert (verdict(replica, CLEAR), reason(replica, CLEAR)) == ("UNKNOWN", "opted_out")
        assert replica.explain(CLEAR).reason == "opted_out"
        assert replica.explain(CLEAR, NOW, versions=then.list_versions).verdict == "clear"
    both.primary.opt_out_rows(phones, moments, table="T")
    both.export()
    both.fetch()
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "LISTED"
        for _ in range(2):
            assert replica.opt_out_rows(phones, moments, table="T") == 0


@pytest.mark.parametrize(
    "write",
    [
        lambda path: DncStore.open(path, read_only=False),
        DncStore.create,
        lambda path: export_snapshot(path, Place(str(path.parent / "p"))),
    ],
)
def test_nothing_changes_a_replica(both: Hosts, write: Callable[[Path], object]) -> None:
    before = both.path.read_bytes()
    with pytest.raises(DncUsageError):
        write(both.path)
    assert both.path.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["opt-out", str(CLEAR)],
        ["opt-in", str(LISTED), "--reason", "r", "--by", "b"],
        ["load", "FILE", "--list", "national", "--as-of", "2026-09-15"],
        ["changes", "FILE", "--list", "national"],
        ["compact"],
    ],
)
def test_commands_that_write_name_where_the_lists_are_kept(
    both: Hosts, tmp_path: Path, arguments: list[str]
) -> None:
    file = write_list(tmp_path / "more.txt", [CLEAR])
    arguments = [str(file) if one == "FILE" else one for one in arguments]
    done = CliRunner().invoke(main, ["dnc", *arguments, "--store", str(both.path)])
    assert done.exit_code == 1
    found = in_force(both.place)
    assert found
    assert f"kept on {found.host}" in done.output
    assert len(done.output.splitlines()) == 1


def test_a_host_that_fetches_makes_no_store_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "dnc.sqlite"
    environment = {"DNC_SNAPSHOT_URL": str(tmp_path / "place")}
    done = CliRunner().invoke(
        main, ["dnc", "opt-out", str(CLEAR), "--store", str(path)], env=environment
    )
    assert (done.exit_code, path.exists()) == (1, False)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize("damage", [flip, cut, lengthen, Path.unlink])
def test_what_was_damaged_is_not_fetched(both: Hosts, damage: Callable[[Path], None]) -> None:
    both.primary.opt_out([CLEAR])
    both.export()
    damage(both.object())
    before = both.path.read_bytes()
    with pytest.raises(DncError, match=r"digest|not there|bytes"):
        both.fetch()
    assert both.path.read_bytes() == before
    assert both.leftovers() == []
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "CLEAR"


@pytest.mark.parametrize(
    "lie",
    [
        {"digest": "0" * 64},
        {"size": 4_096},
        {"seal": "0" * 64},
        {"revision": 1_000_000},
        {"lists": ()},
    ],
)
def test_a_pointer_that_lies_is_not_believed(hosts: Hosts, lie: dict[str, object]) -> None:
    hosts.export()
    shutil.copy(hosts.object(), hosts.folder / "snapshots" / f"{'0' * 64}.sqlite")
    hosts.point_at(**lie)
    with pytest.raises(DncError):
        hosts.fetch()
    assert not hosts.path.exists()
    assert hosts.leftovers() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no record of a snapshot"),
        (b"{}", "no record of a snapshot"),
        (b'{"format": 2}', "no record of a snapshot"),
        (b"[" * 100_000, "no record of a snapshot"),
        (b"x" * 1_000_001, "at most 1,000,000 bytes"),
    ],
)
def test_a_pointer_that_cannot_be_read_is_refused(both: Hosts, text: bytes, says: str) -> None:
    (both.folder / POINTER).write_bytes(text)
    with pytest.raises(DncError, match=says):
        both.fetch()


def test_a_path_in_place_of_a_digest_is_refused(both: Hosts) -> None:
    both.point_at(digest="../../secret")
    with pytest.raises(DncError, match="no record"):
        both.fetch()


def test_a_file_that_only_claims_its_digest_is_held_to_the_lists(both: Hosts) -> None:
    """Right digest, right size, another store's numbers: by whoever can write to the place."""
    both.primary.opt_out([CLEAR])
    real = both.export().snapshot
    both.fetch()
    both.primary.opt_out([4075550198])
    both.export()
    both.point_at(digest=real.digest, size=real.size)
    with pytest.raises(DncCorruptError, match="other lists"):
        both.fetch()


def test_older_lists_are_refused(both: Hosts) -> None:
    before = (both.folder / POINTER).read_bytes()
    both.primary.opt_out([CLEAR])
    both.export()
    both.fetch()
    (both.folder / POINTER).write_bytes(before)
    with pytest.raises(DncRefusedError, match=r"older lists.*--allow-older"):
        both.fetch()
    assert both.fetch(allow_older=True).changed
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "CLEAR"


def test_another_store_is_refused(both: Hosts, tmp_path: Path, clock: Clock) -> None:
    clock.forward(seconds=1)
    with DncStore.create(tmp_path / "second.sqlite", clock=clock) as second:
        with pytest.raises(DncRefusedError, match="another store"):
            export_snapshot(second.path, both.place, clock=clock)
        export_snapshot(second.path, both.place, clock=clock, allow_other=True)
    with pytest.raises(DncRefusedError, match=r"another store.*--allow-other"):
        both.fetch()
    assert both.fetch(allow_other=True).changed


def test_a_store_restored_from_a_backup_is_refused(
    both: Hosts, tmp_path: Path, clock: Clock
) -> None:
    """Its versions have numbers that verdicts have named, and mean something else."""
    backup = tmp_path / "backup.sqlite"
    copy_store(both.primary.path, backup)
    both.primary.opt_out([CLEAR])
    both.export()
    both.fetch()
    clock.forward(minutes=1)
    with DncStore.open(backup, read_only=False, clock=clock) as restored:
        with pytest.raises(DncRefusedError, match="newer lists"):
            export_snapshot(backup, both.place, clock=clock)
        restored.opt_out([4075550197])
        with pytest.raises(DncRefusedError, match="other lists"):
            export_snapshot(backup, both.place, clock=clock)
        restored.opt_out([4075550198])
        export_snapshot(backup, both.place, clock=clock)
    with pytest.raises(DncRefusedError, match=r"restored from a backup.*--allow-other"):
        both.fetch()
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "LISTED"


def test_an_older_state_of_another_past_is_no_older_state_of_this_one(
    both: Hosts, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    copy_store(both.primary.path, backup)
    for phone in (CLEAR, 4075550198):
        both.primary.opt_out([phone])
    both.export()
    both.fetch()
    both.clock.forward(minutes=1)
    with DncStore.open(backup, read_only=False, clock=both.clock) as restored:
        restored.opt_out([4075550197])
        export_snapshot(backup, both.place, clock=both.clock, allow_other=True)
    with pytest.raises(DncRefusedError, match=r"restored from a backup.*--allow-other"):
        both.fetch(allow_older=True)


@pytest.mark.parametrize("lost", ["note", "replica"])
def test_older_lists_and_other_stores_are_refused_by_what_is_left(
    both: Hosts, tmp_path: Path, lost: str
) -> None:
    """By the replica where its note is lost, and by the note where the replica is damaged."""
    before = (both.folder / POINTER).read_bytes()
    both.primary.opt_out([CLEAR])
    both.export()
    both.fetch()
    if lost == "note":
        both.path.with_name("dnc.sqlite.snapshot.json").unlink()
    else:
        both.path.write_bytes(both.path.read_bytes()[:5000])
    (both.folder / POINTER).write_bytes(before)
    with pytest.raises(DncRefusedError, match="older lists"):
        both.fetch()
    both.clock.forward(seconds=1)
    with DncStore.create(tmp_path / "second.sqlite", clock=both.clock) as second:
        export_snapshot(second.path, both.place, clock=both.clock, allow_other=True)
    with pytest.raises(DncRefusedError, match="another store"):
        both.fetch()


def copy_store(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def test_compaction_of_the_primary_is_no_other_past(both: Hosts, tmp_path: Path) -> None:
    more = write_list(tmp_path / "more", PHONES[:19])
    both.clock.forward(days=10)
    both.primary.add_list("national", [more], as_of=both.clock.now)
    both.clock.forward(days=10)
    both.primary.compact(retention_days=1)
    both.export()
    assert both.fetch().changed


def test_a_store_that_this_host_keeps_is_not_replaced(hosts: Hosts) -> None:
    hosts.export()
    with pytest.raises(DncUsageError, match="keeps itself"):
        fetch_snapshot(hosts.primary.path, hosts.place, clock=hosts.clock)
    assert verdict(hosts.primary, LISTED) == "LISTED"


def test_a_pointer_that_nobody_can_read_is_exported_over_when_told_to(hosts: Hosts) -> None:
    hosts.export()
    (hosts.folder / POINTER).write_bytes(b"")
    with pytest.raises(DncFormatError, match="use --allow-other"):
        hosts.export()
    assert hosts.export(allow_other=True).snapshot
    assert hosts.fetch().changed


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_what_is_left_of_a_store_that_is_gone_is_not_met(hosts: Hosts, end: str) -> None:
    hosts.export()
    hosts.path.parent.mkdir()
    hosts.path.with_name(f"dnc.sqlite{end}").write_bytes(b"x")
    with pytest.raises(DncUsageError, match="is gone, but"):
        hosts.fetch()
    assert not hosts.path.exists()


def test_a_log_beside_a_replica_is_never_read(both: Hosts) -> None:
    both.primary.opt_out([CLEAR])
    log = both.primary.path.with_name("dnc.sqlite-wal")
    assert log.stat().st_size
    shutil.copy(log, both.path.with_name("dnc.sqlite-wal"))
    with both.replica() as replica:
        assert replica.verify().requests == 0
        assert verdict(replica, CLEAR) == "CLEAR"


def test_a_damaged_replica_is_replaced(both: Hosts) -> None:
    content = both.path.read_bytes()
    both.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DncCorruptError):
        both.replica()
    assert both.fetch().changed
    with both.replica() as replica:
        assert verdict(replica, CLEAR) == "CLEAR"


def test_a_snapshot_of_a_moment_to_come_is_not_fetched(both: Hosts) -> None:
    both.clock.forward(seconds=-61)
    with pytest.raises(DncRefusedError, match="clocks"):
        both.fetch()


def test_fetches_at_once_and_readers_meanwhile(both: Hosts) -> None:
    """Whoever reads sees one state or the next, whole, and the newest in the end."""
    stop, seen = threading.Event(), set[str]()

    def read() -> None:
        with both.replica() as replica:
            while not stop.is_set():
                found = ask(replica, [LISTED, CLEAR])
                listed, asked = found.verdicts.tolist()
                old = found.list_versions == "internal@0;national@1"
                assert listed == Verdict.LISTED
                # who is overtaken by a fetch clears nobody, and asks again
                assert asked in ({Verdict.CLEAR, Verdict.UNKNOWN} if old else {Verdict.LISTED})
                seen.add(found.list_versions)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(5):
            both.primary.opt_out([CLEAR - number])
            both.export()
            fetches = [pool.submit(both.fetch) for _ in range(3)]
            assert sorted(fetch.result().changed for fetch in fetches) == [False, False, True]
        with both.replica() as late:
            assert ask(late, [CLEAR]).list_versions == "internal@5;national@1"
        stop.set()
        for reader in readers:
            reader.result()
    assert len(seen) > 1
    assert both.leftovers() == []


def test_prune_never_removes_the_one_in_force(both: Hosts) -> None:
    for number in range(4):
        both.clock.forward(minutes=1)
        both.primary.opt_out([CLEAR - number])
        both.export()
    for name in ("notes.txt", "notes.json"):
        (both.folder / "snapshots" / name).write_text("not ours")
    current = in_force(both.place)
    assert current
    assert prune(both.place, current, keep=3) == 2
    left = sorted(path.suffix for path in (both.folder / "snapshots").iterdir())
    assert left == [*[".json"] * 4, *[".sqlite"] * 3, ".txt"]
    records = (both.folder / "snapshots").glob("?" * 64 + ".json")
    kept = [Snapshot.parse(path.read_bytes(), name="it").exported_at for path in records]
    assert min(kept) == both.clock.now - timedelta(minutes=2)
    assert both.export(keep=1).removed == 2
    assert both.object().exists()
    assert both.fetch().changed


KILLED_EXPORT = """
import sys
from pathlib import Path
from etl_dagster.dnc import DncStore
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import export_snapshot
path, place = Path(sys.argv[1]), Place(sys.argv[2])
with DncStore.open(path, read_only=False) as store:
    print("ready", flush=True)
    for number in range(10_000):
        store.opt_out([4085550000 + number])
        export_snapshot(path, place, keep=2)
"""


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.11])
def test_a_killed_export_leaves_what_was_in_force(tmp_path: Path, seconds: float) -> None:
    with DncStore.create(tmp_path / "dnc.sqlite") as primary:
        numbers = write_list(tmp_path / "n", range(4072000000, 4072200000, 7))
        primary.add_list("national", [numbers], as_of=NOW)
    hosts = Hosts(tmp_path, primary, Clock())
    arguments = [sys.executable, "-c", KILLED_EXPORT, str(primary.path), str(hosts.folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        threading.Event().wait(seconds)
        child.send_signal(signal.SIGKILL)
    if in_force(hosts.place):
        fetch_snapshot(hosts.path, hosts.place)
        with DncStore.open(hosts.path) as replica:
            replica.verify()
    export_snapshot(primary.path, hosts.place)
    fetch_snapshot(hosts.path, hosts.place)
    with DncStore.open(hosts.path) as replica, DncStore.open(primary.path) as store:
        assert replica.contents() == store.contents()
    assert hosts.leftovers() == []


class Slow(BaseHTTPRequestHandler):
    """Serves a folder; of a store it sends half, and then nothing more, while `stuck` is set."""

    folder: Path
    stuck = threading.Event()

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        content = self._head()
        half = len(content) // 2
        self.wfile.write(content[:half])
        threading.Event().wait(0.05)  # so that who reads gets less than asked for
        if self.path.endswith(".sqlite"):
            while self.stuck.is_set():
                threading.Event().wait(0.01)
        with suppress(ConnectionError):  # it was killed
            self.wfile.write(content[half:])

    def log_message(self, *_: object) -> None:
        pass

    def _head(self) -> bytes:
        content = (self.folder / self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "none")
        self.end_headers()
        return content


@pytest.fixture
def slow(hosts: Hosts) -> Iterator[str]:
    """The place by HTTP, a bit at a time."""
    handler = type("Handler", (Slow,), {"folder": hosts.folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Slow.stuck.set()
    yield f"http://127.0.0.1:{server.server_port}"
    Slow.stuck.clear()
    server.shutdown()
    server.server_close()


def test_a_killed_download_leaves_what_was_there(both: Hosts, slow: str) -> None:
    before = both.path.read_bytes()
    both.primary.opt_out([CLEAR])
    both.clock.now = NOW - timedelta(days=1)  # the child has the real clock
    both.export()
    program = [sys.executable, "-c", "from etl_dagster.cli import main; main()"]
    arguments = [*program, "dnc", "fetch", slow, "--store", str(both.path)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as child:
        while not both.leftovers() and child.poll() is None:
            threading.Event().wait(0.01)
        child.send_signal(signal.SIGKILL)
    assert len(both.leftovers()) == 1
    assert both.path.read_bytes() == before
    Slow.stuck.clear()
    assert fetch_snapshot(both.path, Place(slow), clock=both.clock).changed
    assert both.leftovers() == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:hunter2@127.0.0.1:9/lists?key=hunter3", "http://127.0.0.1:9/lists"),
        ("http://user:hunter/2hunter3@127.0.0.1:9/lists", "http://127.0.0.1:9/lists"),
        ("http://user:hunter?2hunter3@127.0.0.1:9/lists", "http://***"),
        ("http://user:hunter#2hunter3@127.0.0.1:9/lists", "http://***"),
        ("simplecache::http://user:hunter2@127.0.0.1:9/lists", "simplecache::http://***"),
        ("http://127.0.0.1:9/lists?key=user@hunter2", "http://***"),
        ("http://hunter2@localhost/lists", "http://localhost/lists"),
        ("http://localhost/lists@2026?key=hunter2", "http://localhost/lists@2026"),
        ("http://user:hunter2@hunter3@127.0.0.1:9/lists", "http://127.0.0.1:9/lists"),
        ("http://localhost/lists?key=hunter2&next=http://x", "http://localhost/lists"),
        ("none://user:hunter%2F2@127.0.0.1:9/lists#hunter3", "none://127.0.0.1:9/lists"),
    ],
)
def test_no_message_holds_a_secret_of_the_address(tmp_path: Path, url: str, shown: str) -> None:
    """Keys that were pasted as they are among them, and those of a chain of places."""
    done = CliRunner().invoke(main, ["dnc", "fetch", url, "--store", str(tmp_path / "dnc.sqlite")])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)  # told in a line, not by a traceback
    assert shown in done.output
    assert "hunter" not in done.output


class Telling(fsspec.AbstractFileSystem):
    """Quotes something in whatever error it raises, as file systems do."""

    protocol = "telling"
    quoted = ""

    def _open(self, *_: object, **__: object) -> None:
        raise OSError(f"cannot read {self.quoted!r}")


@pytest.mark.parametrize(
    ("url", "quoted"),
    [
        ("user:hunter2@host/lists", "hunter2"),
        ("user:hunter2@host/lists", "user:hunter2@host"),
        ("user:hunter/2hunter3@host/lists", "user:hunter"),
        ("user:hunter/2hunter3@host/lists", "2hunter3@host"),
        ("user:hunter%2F2@host/lists", "hunter/2"),
        ("user:a?hunter2@host/lists", "hunter2@host/lists"),
        ("host/lists?hunter2#hunter3", "hunter2"),
        ("host/lists?hunter2#hunter3", "hunter3"),
    ],
)
def test_no_message_holds_a_secret_that_another_error_quotes(url: str, quoted: str) -> None:
    fsspec.register_implementation("telling", Telling, clobber=True)
    Telling.quoted = quoted
    with pytest.raises(DncError, match=r"cannot read '.*\*\*\*") as told:
        in_force(Place(f"telling://{url}"))
    assert "hunter" not in str(told.value)


def test_commands_say_what_they_did(hosts: Hosts, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["dnc", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    place, here = str(hosts.folder), ("--store", str(hosts.primary.path))
    there = ("--store", str(tmp_path / "r" / "dnc.sqlite"))
    assert "bytes sent" in run("snapshot", str(tmp_path / "p"), *here)
    hosts.export()  # by a clock that stands still, long ago
    assert "- national@1 as of 2026-09-05" in run("fetch", place, *there)
    assert "too old to clear anybody" in run("stats", *there)
    assert "nothing new to send" in run("snapshot", place, "--keep", "2", *here)
    assert "had it already" in run("fetch", place, *there)
    assert "which clears phones until" in run("explain", str(CLEAR), *there)
    Snapshot.parse(run("fetch", place, "--json", *there).encode(), name="it")


def test_asking_what_a_file_is_gives_up_no_lock(store: DncStore) -> None:
    """Else another process, the last to close it, takes the log away under this one's readers."""
    with DncStore.open(store.path, clock=store._clock) as reader:
        ask(reader, [CLEAR])
        with DncStore.open(store.path):
            pass
        script = (
            "import sys; from etl_dagster.dnc import DncStore\n"
            "for phone in (4075550198, 4075550199):\n"
            "    with DncStore.open(sys.argv[1], read_only=False) as s: s.opt_out([phone])"
        )
        subprocess.run([sys.executable, "-c", script, store.path], check=True, env=os.environ)
        assert verdict(reader, CLEAR) == "LISTED"


def test_a_look_up_under_way_while_lists_are_fetched_clears_nobody_by_the_old_ones(
    both: Hosts,
) -> None:
    """It reads on in the old file, which is evidence no more; asked again it has the new one."""
    fetched: list[Fetched] = []

    def meanwhile() -> datetime:  # the look-up has the old file open when it asks the time
        if armed and not fetched:
            fetched.append(both.fetch())
        return both.clock.now

    armed = False
    with DncStore.open(both.path, clock=meanwhile) as replica:
        both.primary.opt_out([CLEAR])
        both.export()
        armed = True
        during = ask(replica, [LISTED, CLEAR, CLEAR - 1])
        assert fetched[0].changed
        assert during.verdicts.tolist() == [Verdict.LISTED, Verdict.UNKNOWN, Verdict.UNKNOWN]
        assert during.reason_names[during.reasons[1]] == "snapshot_stale"
        assert during.list_versions == "internal@0;national@1"
        after = ask(replica, [LISTED, CLEAR, CLEAR - 1])
    assert after.verdicts.tolist() == [Verdict.LISTED, Verdict.LISTED, Verdict.CLEAR]
    assert after.list_versions == "internal@1;national@1"


def test_a_damaged_store_that_was_no_replica_is_not_replaced(hosts: Hosts) -> None:
    hosts.export()
    hosts.path.parent.mkdir()
    shutil.copy(hosts.object(), hosts.path)
    hosts.path.write_bytes(hosts.path.read_bytes()[:5000])
    with pytest.raises(DncCorruptError):
        hosts.fetch()
    assert hosts.path.stat().st_size == 5000


def test_a_store_in_place_of_a_snapshot_is_not_fetched(both: Hosts) -> None:
    both.primary.close()
    with closing(sqlite3.connect(both.primary.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = both.primary.path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    both.object().with_name(f"{digest}.sqlite").write_bytes(content)
    both.point_at(digest=digest, size=len(content), revision=9)
    before = both.path.read_bytes()
    with pytest.raises(DncCorruptError, match="is a store, and no snapshot of one"):
        both.fetch()
    assert both.path.read_bytes() == before


def test_opt_outs_heard_that_cannot_be_read_stop_the_look_up(both: Hosts) -> None:
    both.path.with_name("dnc.sqlite.heard").write_bytes(b"1234567")  # half a number
    with both.replica() as replica, pytest.raises(DncError, match="cannot be read"):
        ask(replica, [CLEAR])


def test_a_reader_that_sees_an_old_file_is_not_kept(both: Hosts) -> None:
    """A connection that was lent before a fetch ends with what it was lent for."""
    with both.replica() as replica:
        pieces = replica.export("internal")  # nobody: it ends at once
        assert list(pieces) == []
        numbers = replica.export("national")
        assert next(numbers).tolist() == PHONES
        both.primary.opt_out([CLEAR])
        both.export()
        both.fetch()
        assert verdict(replica, CLEAR) == "LISTED"
        assert list(numbers) == []
        assert verdict(replica, CLEAR) == "LISTED"


def test_a_record_that_another_host_removes_meanwhile_is_passed_over(both: Hosts) -> None:
    """A name without a file: a link to nothing is listed and cannot be read."""
    (both.folder / "snapshots" / f"{'0' * 64}.json").symlink_to(both.folder / "gone")
    current = in_force(both.place)
    assert current
    assert prune(both.place, current, keep=1) == 0
    assert both.object().exists()


def test_an_export_tells_programs_what_it_made(hosts: Hosts) -> None:
    arguments = ["snapshot", str(hosts.folder), "--json", "--store", str(hosts.primary.path)]
    done = CliRunner().invoke(main, ["dnc", *arguments])
    assert Snapshot.parse(done.stdout.encode(), name="stdout") == in_force(hosts.place)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("zip://x::file:///y", "a chain of them"),
        ("nothing-like-it://x", "Protocol not known"),
    ],
)
def test_an_address_that_is_no_place_is_refused(url: str, says: str) -> None:
    with pytest.raises(DncUsageError, match=says):
        Place(url)


def test_a_place_that_cannot_be_written_is_told_and_keeps_no_half(hosts: Hosts) -> None:
    (hosts.folder / "snapshots").parent.mkdir()
    (hosts.folder / "snapshots").write_text("not a folder")
    with pytest.raises(DncError, match="place"):
        hosts.export()
    assert in_force(hosts.place) is None
    assert hosts.leftovers() == []


def test_what_a_killed_export_left_is_swept_away(hosts: Hosts) -> None:
    hosts.export()
    draft = hosts.primary.path.with_name(".dnc.sqlite.export-1")
    half = hosts.folder / "uploads" / "half.1"
    half.parent.mkdir(exist_ok=True)
    for left in (draft, half):
        left.write_bytes(b"x")
    assert len(hosts.leftovers()) == 2
    hosts.export()
    assert hosts.leftovers() == []


def test_a_lost_store_goes_on_from_its_backup(hosts: Hosts) -> None:
    store, path = hosts.primary, hosts.primary.path
    store.opt_out([CLEAR], source="letter")
    before, told = verdict(store, CLEAR), store.explain(CLEAR)
    name, size = back_up(path, hosts.place, clock=hosts.clock)
    file = hosts.folder / name
    assert (name, size) == (f"dnc-{NOW:%Y%m%dT%H%M%SZ}.sqlite", file.stat().st_size)
    assert file.stat().st_mode & 0o077 == 0
    store.opt_out([PHONES[3]], source="letter")
    store.close()
    for lost in path.parent.glob(f"{path.name}*"):
        lost.unlink()

    shutil.copy(file, path)
    with DncStore.open(path, read_only=False, clock=hosts.clock) as restored:
        restored.verify()
        assert (verdict(restored, CLEAR), restored.explain(CLEAR)) == (before, told)
        assert before == "LISTED"
        restored.opt_out([PHONES[3]], source="letter")
        with closing(sqlite3.connect(path)) as connection:  # as a store that was never lost
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert hosts.leftovers() == []


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(
    hosts: Hosts, tmp_path: Path
) -> None:
    store, place = hosts.primary, Place(str(tmp_path / "backups"))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [store.opt_out([4075560000 + n], source="letter") for n in range(60)]
        )
        moments = (NOW + timedelta(seconds=n) for n in range(100))
        names = []
        while not writing.done():
            names.append(back_up(store.path, place, clock=moments.__next__)[0])
        writing.result()
    assert len(names) > 1
    for name in names:
        with DncStore.open(tmp_path / "backups" / name, clock=hosts.clock) as copy:
            copy.verify()
            listed = [verdict(copy, 4075560000 + n) == Verdict.LISTED for n in range(60)]
        assert listed == sorted(listed, reverse=True)


def test_a_backup_that_cannot_be_made_leaves_nothing(both: Hosts, tmp_path: Path) -> None:
    place = Place(str(tmp_path / "backups"))
    with pytest.raises(DncUsageError, match="only the host that keeps the lists"):
        back_up(both.path, place)
    both.primary.path.write_bytes(both.primary.path.read_bytes()[:5000])
    with pytest.raises(DncError):
        back_up(both.primary.path, place)
    assert not (tmp_path / "backups").exists()
    assert both.leftovers() == []


def test_the_command_says_where_the_backup_is(hosts: Hosts) -> None:
    done = CliRunner().invoke(
        main, ["dnc", "backup", str(hosts.folder), "--store", str(hosts.primary.path)]
    )
    assert done.exit_code == 0, done.output
    (file,) = hosts.folder.glob("dnc-*.sqlite")
    assert f"{file}: {file.stat().st_size:,} bytes" in "".join(done.output.splitlines())
