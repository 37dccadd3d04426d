"""What is not a sound store gives a clear error, never an answer."""

import contextlib
import os
import random
import resource
import shutil
import sqlite3
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import (
    DncBusyError,
    DncCorruptError,
    DncError,
    DncForeignError,
    DncHistoryError,
    DncMissingError,
    DncSchemaError,
    DncStore,
    DncUsageError,
    schema,
)
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.records import NOBODY, ListInfo
from etl_dagster.dnc.requests import checksum
from etl_dagster.leads.verdicts import Verdict
from etl_dagster_tests.dnc.support import (
    PHONES,
    Clock,
    ago,
    ask,
    numbers,
    write_changes,
    write_list,
)


def damaged(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.fixture
def closed(store: DncStore, tmp_path: Path) -> Path:
    """The path of a store with some history, with nothing left in its log."""
    many = [*PHONES, *range(4075560000, 4075569999, 20)]
    store.add_list("national", [write_list(tmp_path / "many.txt", many)], as_of=ago(days=4))
    path = write_changes(tmp_path / "c.txt", [(4075550150, ago(days=3), "A")])
    store.apply_changes("national", [path])
    store.opt_out([4075550151])
    store.close()
    damaged(store.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    return store.path


def test_what_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(DncMissingError, match="no Do-Not-Call store at"):
        DncStore.open(path)
    with pytest.raises(DncMissingError, match="folder"):
        DncStore.open(tmp_path)
    path.touch()
    with pytest.raises(DncForeignError, match="empty"):
        DncStore.open(path)
    path.write_text("4075550100\n" * 100)
    with pytest.raises(DncForeignError, match="not an SQLite"):
        DncStore.open(path)
    path.unlink()
    damaged(path, "CREATE TABLE dnc_list (full_phone TEXT)")
    with pytest.raises(DncForeignError, match="import-legacy"):
        DncStore.open(path)
    assert not list(tmp_path.glob("x.sqlite?*"))


def test_create_never_overwrites(closed: Path) -> None:
    with pytest.raises(DncUsageError, match="exists already"):
        DncStore.create(closed)
    assert [path.name for path in closed.parent.glob(".*")] == []


@pytest.mark.parametrize("left", ["-wal", "-shm", "-journal"])
def test_what_is_left_of_a_store_that_is_gone_is_no_part_of_a_new_one(
    closed: Path, left: str
) -> None:
    with DncStore.open(closed, read_only=False) as store:
        store.opt_out([4075550199])
        log = closed.with_name(f"{closed.name}-wal").read_bytes()
    for path in closed.parent.glob(f"{closed.name}*"):
        path.unlink()
    beside = closed.with_name(f"{closed.name}{left}")
    beside.write_bytes(log)
    for attempt, error in ((DncStore.create, DncUsageError), (DncStore.open, DncMissingError)):
        with pytest.raises(error, match=rf"dnc.sqlite is gone, but dnc.sqlite{left} of it is"):
            attempt(closed)
    assert not closed.exists()
    beside.unlink()
    DncStore.create(closed).close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE page SET bits = zeroblob(length(bits))",
        "DELETE FROM page",
        "UPDATE page SET bits = substr(bits, 1, length(bits) - 2)",
        "DELETE FROM segment WHERE link = 1",
        "UPDATE segment SET area = 321",
        "UPDATE segment SET parent = parent + 1 WHERE link = 1",
        "UPDATE segment SET body = x'00000000'",
        "UPDATE list SET max_age_days = 3650 WHERE name = 'national'",
        "UPDATE list SET kind = 'other' WHERE name = 'national'",
        "UPDATE list SET version = 1 WHERE name = 'national'",
        "UPDATE list SET head = x''",
        "DELETE FROM list WHERE name = 'national'",
        "DELETE FROM version WHERE number = 2",
        "UPDATE version SET as_of = as_of + 1",
        "DELETE FROM store",
        "UPDATE store SET revision = revision + 1",
        "DROP TABLE segment",
        "DROP TABLE list",
    ],
)
def test_a_changed_row_is_found_at_open(closed: Path, statement: str) -> None:
    damaged(closed, statement)
    with pytest.raises(DncCorruptError):
        DncStore.open(closed, clock=Clock())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM request",
        "UPDATE request SET phone = 4075550152",
        "UPDATE request SET effective = effective + 1",
        "UPDATE version SET manifest = x''",
    ],
)
def test_damage_to_the_past_is_found_when_it_is_asked(closed: Path, statement: str) -> None:
    damaged(closed, statement)
    with DncStore.open(closed, clock=Clock()) as store:
        with pytest.raises(DncCorruptError):
            ask(store, PHONES, ago(days=-1))
        with pytest.raises(DncCorruptError):
            store.verify()


def test_damage_to_an_index_is_found_by_verify(closed: Path) -> None:
    with sqlite3.connect(closed) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, '(phone)', '(version)')")
    connection.close()
    with DncStore.open(closed, clock=Clock()) as store, pytest.raises(DncCorruptError, match="SQL"):
        store.verify()


def test_a_wrong_canary_stops_the_opening(closed: Path) -> None:
    """Bits and their checksum are sound, yet not those of the list that was loaded."""
    connection = schema.connect(closed, read_only=False)
    with schema.writing(connection):
        catalog = Catalog(connection)
        info = catalog.get("national")
        head = info.head.copy()
        assert head["listed"][407] != NOBODY
        head["listed"][407], head["absent"][407] = head["absent"][407], head["listed"][407]
        catalog.replace_list(replace(info, head=head))
    connection.close()
    with pytest.raises(DncCorruptError, match="known to be listed"):
        DncStore.open(closed, clock=Clock())


def test_a_file_cut_off_anywhere_is_refused(closed: Path, tmp_path: Path) -> None:
    data = closed.read_bytes()
    path = tmp_path / "cut.sqlite"
    for size in range(0, len(data), 1021):
        path.write_bytes(data[:size])
        with pytest.raises(DncError):
            DncStore.open(path, clock=Clock())


def test_a_byte_changed_anywhere_is_an_error_or_does_not_matter(
    closed: Path, tmp_path: Path
) -> None:
    asked = [*PHONES, *range(4075550140, 4075550160), 3215550100]

    def answers(path: Path) -> list[object]:
        with DncStore.open(path, clock=Clock()) as store:
            out: list[object] = []
            for moment in (None, ago(days=2)):
                answer = ask(store, asked, moment)
                out += [answer.verdicts.tolist(), answer.list_versions, answer.lists.tolist()]
                out.append(answer.valid_until.view(np.int64).tolist())
            return out

    expected, data = answers(closed), closed.read_bytes()
    rng, path, errors = random.Random(4), tmp_path / "flipped.sqlite", 0
    for turn in range(400):
        place = rng.randrange(len(data)) if turn % 4 else rng.randrange(4096)
        flipped = bytearray(data)
        flipped[place] ^= rng.randrange(1, 256)
        path.write_bytes(flipped)
        try:
            assert answers(path) == expected
        except DncError:
            errors += 1
        for leftover in tmp_path.glob("flipped.sqlite-*"):
            leftover.unlink()
    assert errors > 50


def test_every_flipped_byte_of_the_numbers_is_found(store: DncStore) -> None:
    store.close()
    connection = sqlite3.connect(store.path)
    ((page, blob),) = connection.execute("SELECT id, bits FROM page").fetchall()
    for place in range(len(blob)):
        flipped = bytearray(blob)
        flipped[place] ^= 1 << place % 8
        with connection:
            connection.execute("UPDATE page SET bits = ? WHERE id = ?", (bytes(flipped), page))
        with pytest.raises(DncCorruptError, match="page 55 of segment 1"):
            DncStore.open(store.path, clock=Clock())
    connection.close()


def test_other_schema_versions_are_refused(closed: Path) -> None:
    damaged(closed, f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    for read_only in (True, False):
        with pytest.raises(DncSchemaError, match="newer"):
            DncStore.open(closed, read_only, clock=Clock())


def test_an_older_store_is_migrated_only_for_writing(closed: Path) -> None:
    damaged(closed, "PRAGMA user_version = 0")
    for read_only in (True, False):
        with pytest.raises(DncSchemaError):
            DncStore.open(closed, read_only, clock=Clock())


def test_migrations_run_forward_once_each(closed: Path) -> None:
    steps = ("CREATE TABLE extra (x)", "INSERT INTO extra VALUES (1)")
    connection = schema.connect(closed, read_only=False)
    assert schema.migrate(connection, steps[:1]) == 2
    assert schema.migrate(connection, steps) == 3
    assert schema.migrate(connection, steps) == 3
    assert connection.execute("SELECT count(*) FROM extra").fetchone() == (1,)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, (*steps, "CREATE TABLE extra (x)"))
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_history_past_the_retention_is_an_error_not_an_answer(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    for _ in range(3):
        day = clock.forward(days=20)
        lines = [(4075550150, day, "A"), *((phone, day, "D") for phone in PHONES[:10])]
        path = write_changes(tmp_path / "c.txt", lines)
        store.apply_changes("national", [path], as_of=day, allow=["gap", "same", "shrink"])
    before = ask(store, PHONES)
    done = store.compact(retention_days=30)
    assert done.segments > 0
    assert numbers(store) == {*PHONES[10:], 4075550150}
    assert ask(store, PHONES).verdicts.tolist() == before.verdicts.tolist()
    with pytest.raises(DncHistoryError, match="past its retention"):
        ask(store, PHONES, ago(days=5))
    with pytest.raises(DncHistoryError, match="past its retention"):
        store.lookup(np.array(PHONES, dtype=np.int64), versions="national@1")
    assert ask(store, PHONES, clock.now).verdicts.tolist()[0] == 1
    horizon = clock.now - timedelta(days=30)  # this moment, and the version of then, can be asked
    assert numbers(store, as_of=horizon) == {*PHONES[10:], 4075550150}
    kept = store.lookup(np.array(PHONES, dtype=np.int64), versions="national@2")
    assert kept.verdicts.tolist() == [0] * 10 + [2] * 10  # by now it is stale
    store.verify()
    with pytest.raises(DncUsageError, match="at least one day"):
        store.compact(retention_days=0)


def test_what_is_dropped_takes_nothing_of_its_neighbours_with_it(
    empty: DncStore, tmp_path: Path, clock: Clock
) -> None:
    """Area codes of the first load lie side by side, each from its first page to its last."""
    ends = (0, 5_550_100, 9_990_100)
    first = [area * 10**7 + end + at for area in (321, 407, 512) for end in ends for at in range(9)]
    empty.add_list("national", [write_list(tmp_path / "a.txt", first)], as_of=clock.now)
    other = [4075560000 + at for at in range(27)]
    path = write_list(tmp_path / "b.txt", other)
    empty.add_list("national", [path], as_of=clock.forward(days=1), allow=["fewer-areas"])
    clock.forward(days=60)
    assert empty.compact(retention_days=30).segments == 1
    empty.verify()
    assert numbers(empty) == {*other, *(phone for phone in first if phone // 10**7 != 407)}
    with contextlib.closing(sqlite3.connect(empty.path)) as connection:
        held = "SELECT DISTINCT id / 100 FROM page ORDER BY id"
        assert connection.execute(held).fetchall() == [(1,), (3,), (4,)]


def test_what_was_in_force_is_kept_until_what_replaced_it_was_recorded(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    """A list that came late, with a date of before the retention, was not in force before."""
    then = clock.forward(days=20)
    before = ask(store, PHONES)
    clock.forward(days=20)
    late = write_list(tmp_path / "late.txt", [*PHONES[2:], 4075550150])
    store.add_list("national", [late], as_of=ago(days=-5))
    store.compact(retention_days=30)
    again, _ = store.repeat(np.array(PHONES), before.list_versions, then)
    assert again.verdicts.tolist() == before.verdicts.tolist() == [Verdict.LISTED] * 20


def test_a_restored_backup_answers(closed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(closed, copy)
    with DncStore.open(copy, clock=Clock()) as store:
        assert ask(store, [4075550150]).verdicts.tolist() == [2]
        assert store.verify().numbers == 522
        write_list(copy, PHONES)
        with pytest.raises(DncCorruptError):
            ask(store, PHONES)


def test_a_checkpoint_that_was_cut_off_is_no_damage(store: DncStore, tmp_path: Path) -> None:
    """SQLite copies page 1, with the new number of pages, before the file has grown to it."""
    torn = tmp_path / "torn.sqlite"
    with contextlib.closing(sqlite3.connect(store.path)) as reader:  # keeps the log from the file
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        store.opt_out([2_022_220_000 + 10_007 * n for n in range(20_000)])
        store.opt_out([4075550123])
        for end in ("", "-wal"):
            source = store.path.with_name(store.path.name + end)
            shutil.copy(source, torn.with_name(torn.name + end))
    log = torn.with_name("torn.sqlite-wal").read_bytes()
    (page_size,) = struct.unpack(">I", log[8:12])
    frames = range(32, len(log) - page_size, 24 + page_size)
    first = [at for at in frames if struct.unpack(">I", log[at : at + 4]) == (1,)][-1] + 24
    with torn.open("r+b") as file:
        file.write(log[first : first + page_size])
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        sqlite3.connect(f"{torn.as_uri()}?immutable=1", uri=True).execute("PRAGMA application_id")
    with DncStore.open(torn) as found:
        assert found.lookup(np.array([4075550123])).verdicts.tolist() == [Verdict.LISTED]


def reseal(path: Path, change: Callable[[Catalog, ListInfo], object]) -> None:
    """Change what a store says of its national list, with every digest as it has to be."""
    connection = schema.connect(path, read_only=False)
    with schema.writing(connection):
        catalog = Catalog(connection)
        change(catalog, catalog.get("national"))
    connection.close()


def test_a_state_that_its_history_does_not_lead_to_is_found_by_verify(closed: Path) -> None:
    def later(catalog: Catalog, info: ListInfo) -> None:
        head = info.head.copy()
        head["as_of"][407] += 1
        catalog.replace_list(replace(info, head=head))

    reseal(closed, later)
    with (
        DncStore.open(closed, clock=Clock()) as store,
        pytest.raises(DncCorruptError, match="does not lead to what is in place"),
    ):
        store.verify()


def test_a_number_of_numbers_that_is_wrong_is_found_by_verify(closed: Path) -> None:
    def more(catalog: Catalog, info: ListInfo) -> None:
        manifest = catalog.manifest(catalog.versions(info)[0]).copy()
        manifest["count"] += 1
        catalog.replace_manifests(info, {1: manifest}, floor=0, horizon=0)

    reseal(closed, more)
    with (
        DncStore.open(closed, clock=Clock()) as store,
        pytest.raises(DncCorruptError, match="20 numbers, 21 expected"),
    ):
        store.verify()


def test_verify_reads_on_after_what_it_has_read(empty: DncStore, tmp_path: Path) -> None:
    """The second version has area code 321 as the first, and a page of 407 that no canary asks."""
    same, first = [3215550100 + at for at in range(9)], PHONES
    second = [*range(4075550150, 4075550190), 4072000000]
    for days, phones in ((3, first), (2, second)):
        path = write_list(tmp_path / "n.txt", [*same, *phones])
        empty.add_list("national", [path], as_of=ago(days=days))
    empty.verify()
    empty.close()
    damaged(empty.path, "DELETE FROM page WHERE id = 3 * 100 + 20")
    with (
        DncStore.open(empty.path, clock=Clock()) as store,
        pytest.raises(DncCorruptError, match="page 20 of segment 3"),
    ):
        store.verify()


def test_an_area_code_of_nobody_has_one_canary_and_it_is_asked(
    empty: DncStore, tmp_path: Path
) -> None:
    path = write_list(tmp_path / "n.txt", PHONES)
    empty.add_list("national", [path], as_of=ago(days=1), covers=[212])
    empty.verify()
    empty.close()
    DncStore.open(empty.path, clock=Clock()).close()

    def wrong(catalog: Catalog, info: ListInfo) -> None:
        manifest = catalog.manifest(catalog.versions(info)[0]).copy()
        head = info.head.copy()
        for entries in (manifest, head):
            (at,) = np.flatnonzero(entries["area"] == 407)
            assert entries["listed"][at] != NOBODY
            entries["absent"][at], entries["listed"][at] = entries["listed"][at], NOBODY
        catalog.replace_manifests(replace(info, head=head), {1: manifest}, floor=0, horizon=0)

    reseal(empty.path, wrong)
    with pytest.raises(DncCorruptError, match="known to be absent"):
        DncStore.open(empty.path, clock=Clock())


def test_a_column_of_another_type_is_damage(closed: Path) -> None:
    """The tables are STRICT; a file that was damaged keeps no such promise."""
    strict = "UPDATE sqlite_master SET sql = {} WHERE name = 'segment'"
    with sqlite3.connect(closed) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(strict.format("replace(sql, ') STRICT', ')')"))
    connection.close()
    damaged(closed, "UPDATE segment SET link = 'one' WHERE link = 1")
    with pytest.raises(DncCorruptError, match="segment"):
        DncStore.open(closed, clock=Clock())


def test_a_store_that_cannot_be_opened_is_neither_foreign_nor_damaged(closed: Path) -> None:
    """As one that this user may not read; here the process has no file left to open it with."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(DncMissingError, match="cannot be read"):
            DncStore.open(closed)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    DncStore.open(closed, clock=Clock()).close()


@pytest.mark.parametrize("most", [0, -1])
def test_a_store_is_not_opened_with_a_limit_of_no_days(closed: Path, most: int) -> None:
    with pytest.raises(DncUsageError, match="at least 1"):
        DncStore.open(closed, max_age_days=most)


def test_a_writer_that_waited_too_long_says_so(closed: Path) -> None:
    with contextlib.closing(sqlite3.connect(closed, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(DncBusyError, match="another process has been writing"),
            schema.translated(closed),
            contextlib.closing(sqlite3.connect(closed, timeout=0)) as writer,
        ):
            writer.execute("BEGIN IMMEDIATE")


def test_a_store_in_a_folder_that_is_gone_is_no_damage(closed: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(DncError, match="must be accessible") as error,
        schema.translated(closed),
    ):
        sqlite3.connect(f"{(tmp_path / 'no' / 'x').as_uri()}?mode=ro", uri=True).execute("SELECT 1")
    assert not isinstance(error.value, DncCorruptError)
    with pytest.raises(DncError, match="No such file") as error, schema.translated(closed):
        (tmp_path / "no" / "x").open()
    assert not isinstance(error.value, DncCorruptError)


def test_opt_outs_that_their_requests_do_not_name_are_found_by_verify(closed: Path) -> None:
    """A request names another phone, with its checksum as it has to be; the numbers stay."""
    with contextlib.closing(sqlite3.connect(closed)) as connection, connection:
        columns = "list, version, phone, action, effective, source, by, note, recorded_at"
        row = connection.execute(f"SELECT {columns} FROM request").fetchone()
        other = (*row[:2], 4075550152, *row[3:])
        connection.execute("UPDATE request SET phone = 4075550152, crc = ?", (checksum(other),))
    with DncStore.open(closed, clock=Clock()) as store:
        assert ask(store, [4075550151]).verdicts.tolist() == [Verdict.LISTED]
        with pytest.raises(DncCorruptError, match="its requests and its numbers differ"):
            store.verify()
