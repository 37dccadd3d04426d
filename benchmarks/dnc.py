"""The Do-Not-Call store at size: its figures, and its answers held against the truth.

usage: python -m benchmarks.dnc [--numbers 2e6] [--queries 2e5] [--rows 2e6] [--json FILE]

At its defaults a check of correctness that takes seconds; the figures that the documents quote
are from `--numbers 2.5e8 --queries 3e6 --rows 2e7`. Every claim is a ratio or a limit measured in
one run on one machine. Two other layouts are measured beside the store on the same numbers: rows
with batched `WHERE IN` (`--rows` numbers), and one Roaring bitmap per area code.
"""

import contextlib
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from benchmarks import measuring
from benchmarks.figures import about
from benchmarks.measuring import in_process, peak_rss_mb, seconds
from benchmarks.world import Phones, World, write_rows
from etl_dagster.dnc import DncStore

PARAMETERS = 900
SMALL = 1_000
CHANGES = 200_000


def task_load(store: Path, text: Path) -> dict[str, float]:
    import_rss = peak_rss_mb()
    with DncStore.create(store) as dnc:
        start = time.perf_counter()
        result = dnc.add_list("national", [text], as_of=datetime.now(UTC))
        took = time.perf_counter() - start
    return {
        "seconds": took,
        "numbers_per_second": result.numbers / took,
        "rss_mb": peak_rss_mb(),
        "imports_rss_mb": import_rss,
    }


def task_lookup(store: Path, phones: Path, answers: Path) -> dict[str, float]:
    asked = np.load(phones)
    opened = time.perf_counter()
    with DncStore.open(store) as dnc:
        first = time.perf_counter()
        result = dnc.lookup(asked)
        cold = time.perf_counter()
        warm = seconds(lambda: dnc.lookup(asked), 3)
    np.save(answers, result.verdicts)
    return {
        "open_seconds": first - opened,
        "open_and_first_seconds": cold - opened,
        "first_seconds": cold - first,
        "seconds": warm,
        "rss_mb": peak_rss_mb(),
    }


@contextlib.contextmanager
def folder(parent: str | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dnc-bench-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def size_mb(store: Path) -> float:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store.stat().st_size / 1e6


def measure_store(world: World, queries: int, place: Path) -> dict[str, float]:
    text, store = place / "national.txt", place / "dnc.sqlite"
    total = world.write(text)
    load = in_process("dnc", "load", store, text)
    text.unlink()
    out = {
        "numbers": total,
        "file_mb": size_mb(store),
        "load_numbers_per_second": load["numbers_per_second"],
        "load_rss_mb": load["rss_mb"],
        "load_rss_above_imports_mb": load["rss_mb"] - load["imports_rss_mb"],
    }
    for name, count in (("many", queries), ("few", SMALL)):
        phones = world.queries(count)
        np.save(place / "phones.npy", phones)
        figures = in_process("dnc", "lookup", store, place / "phones.npy", place / "answers.npy")
        listed = np.load(place / "answers.npy") == 2
        assert np.array_equal(listed, world.truth(phones)), "the store's answers are wrong"
        out[f"{name}_phones"] = count
        out[f"{name}_seconds"] = figures["seconds"]
        out[f"{name}_first_seconds"] = figures["first_seconds"]
        out[f"{name}_open_and_first_seconds"] = figures["open_and_first_seconds"]
        out[f"{name}_rss_mb"] = figures["rss_mb"]
        out[f"{name}_us_per_phone"] = figures["seconds"] * 1e6 / count
    return out


def measure_changes(world: World, place: Path) -> dict[str, float]:
    store, text = place / "dnc.sqlite", place / "changes.txt"
    rng = np.random.default_rng(11)
    phones = world.queries(CHANGES)
    adds = rng.random(CHANGES) < 0.6
    stamp = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S")
    text.write_text(
        "".join(
            f"{phone},{stamp},{'A' if add else 'D'}\n"
            for phone, add in zip(phones.tolist(), adds.tolist(), strict=True)
        )
    )
    before = size_mb(store)
    asked = np.unique(phones)
    with DncStore.open(store, read_only=False) as dnc:
        took = seconds(
            lambda: dnc.apply_changes(
                "national", [text], as_of=datetime.now(UTC), allow=["shrink"]
            ),
        )
        again = np.isin(asked, phones[adds])
        assert np.array_equal(dnc.lookup(asked).verdicts == 2, again), "a change is missing"
    return {"changes": CHANGES, "changes_seconds": took, "changes_mb": size_mb(store) - before}


def measure_roaring(world: World, queries: int, place: Path) -> dict[str, float]:
    """One Roaring bitmap per area code in SQLite, without versions or checksums."""
    path = place / "roaring.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE numbers (area INTEGER PRIMARY KEY, bits BLOB)")
        for area in world.areas.tolist():
            bits = BitMap(world.area(area))
            bits.run_optimize()
            connection.execute("INSERT INTO numbers VALUES (?, ?)", (area, bits.serialize()))
        connection.commit()

        def look_up(phones: Phones) -> NDArray[np.bool_]:
            area = (phones // 10_000_000).astype(np.int16)
            order = np.argsort(area, kind="stable")
            local = (phones[order] % 10_000_000).astype(np.uint32)
            starts = np.searchsorted(area[order], np.arange(1001))
            hit = np.zeros(len(phones), dtype=np.bool_)
            for code in np.flatnonzero(np.diff(starts)).tolist():
                (blob,) = connection.execute(
                    "SELECT bits FROM numbers WHERE area = ?", (code,)
                ).fetchone()
                asked = local[starts[code] : starts[code + 1]]
                both = BitMap(asked) & BitMap.deserialize(blob)
                held = np.frombuffer(both.to_array(), dtype=np.uint32)
                if len(held):
                    at = np.minimum(np.searchsorted(held, asked), len(held) - 1)
                    hit[order[starts[code] : starts[code + 1]]] = held[at] == asked
            return hit

        many, few = world.queries(queries), world.queries(SMALL)
        return {
            "roaring_file_mb": path.stat().st_size / 1e6,
            "roaring_many_seconds": seconds(lambda: look_up(many), 3),
            "roaring_few_seconds": seconds(lambda: look_up(few), 3),
        }


def measure_rows(world: World, queries: int, place: Path) -> dict[str, float]:
    """The pattern's schema and its batched WHERE IN, against the store on the same numbers."""
    path, text, store = place / "rows.db", place / "rows.txt", place / "rows.sqlite"
    world.write(text)
    in_process("dnc", "load", store, text)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        write_rows(connection, world)
        phones = [str(phone) for phone in world.queries(queries).tolist()]

        def where_in() -> set[str]:
            found: set[str] = set()
            for start in range(0, len(phones), PARAMETERS):
                part = phones[start : start + PARAMETERS]
                marks = ",".join("?" * len(part))
                found.update(
                    row[0]
                    for row in connection.execute(
                        f"SELECT full_phone FROM dnc_list WHERE full_phone IN ({marks})", part
                    )
                )
            return found

        with DncStore.open(store) as dnc:
            listed = {
                phone
                for phone, verdict in zip(
                    phones, dnc.lookup(np.array(phones, dtype=np.int64)).verdicts, strict=True
                )
                if verdict == 2
            }
            assert listed == where_in(), "rows and store differ"
            by_text = seconds(lambda: dnc.check_phones_batch(phones), 3)
            numbers = np.array(phones, dtype=np.int64)
            by_array = seconds(lambda: dnc.lookup(numbers), 3)
        by_rows = seconds(where_in, 3)
    return {
        "rows_numbers": world.numbers,
        "rows_file_mb": path.stat().st_size / 1e6,
        "rows_seconds": by_rows,
        "rows_times_slower": by_rows / by_array,
        "rows_times_slower_than_check_phones_batch": by_rows / by_text,
    }


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--numbers", type=float, default=2e6)
    parser.add_argument("--queries", type=float, default=2e5)
    parser.add_argument("--rows", type=float, default=1e6, help="0 leaves WHERE IN out")
    parser.add_argument("--folder", help="where the files go while it runs")
    options = parser.parse_args()
    if options.task:
        name, *arguments = options.task
        task = {"load": task_load, "lookup": task_lookup}[name]
        print(json.dumps(task(*map(Path, arguments))))
        return
    world, queries = World(int(options.numbers)), int(options.queries)
    origin, figures = about(), dict[str, float]()
    with folder(options.folder) as place:
        tenth = measure_store(World(int(options.numbers) // 10), queries, place)
    with folder(options.folder) as place:
        figures |= measure_store(world, queries, place)
        for kind in ("many", "few"):
            figures[f"{kind}_times_slower_than_at_a_tenth"] = (
                figures[f"{kind}_us_per_phone"] / tenth[f"{kind}_us_per_phone"]
            )
        figures["load_rss_ratio"] = figures["load_rss_mb"] / tenth["load_rss_mb"]
        figures |= measure_changes(world, place)
        figures |= measure_roaring(world, queries, place)
    if options.rows:
        with folder(options.folder) as place:
            figures |= measure_rows(World(int(options.rows)), queries, place)
    measuring.finish(options, origin, figures)


if __name__ == "__main__":
    main()
