"""The Do-Not-Call store at size: its figures, and its answers held against the truth.

usage: python -m benchmarks.dnc [--numbers 2e6] [--queries 2e5] [--rows 2e6] [--json FILE]

At its defaults a check of correctness that takes seconds; the figures that the documents quote
are from `--numbers 2.5e8 --queries 3e6 --rows 2e7`. Every claim is a ratio or a limit measured in
one run on one machine. Two other layouts are measured beside the store on the same numbers: rows
with batched `WHERE IN` (`--rows` numbers), and one Roaring bitmap per area code.
"""

import argparse
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from benchmarks.figures import about, keep
from etl_dagster.dnc import DncStore

AREAS = 330
EXCHANGES = 700
PARAMETERS = 900
SMALL = 1_000
CHANGES = 200_000
Phones = NDArray[np.int64]


@dataclass
class World:
    """A made-up registry: the same seed, the same numbers, one area code at a time."""

    numbers: int
    seed: int = 7

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.areas = np.sort(rng.choice(np.arange(201, 990), AREAS, replace=False))

    def area(self, area: int) -> NDArray[np.uint32]:
        rng = np.random.default_rng((self.seed, area))
        exchanges = np.sort(rng.choice(np.arange(200, 1000), EXCHANGES, replace=False))
        size = self.numbers // AREAS
        room = EXCHANGES * 10_000
        if size > room // 50:
            drawn = np.flatnonzero(rng.random(room, dtype=np.float32) < size / room)
        else:
            drawn = np.unique(rng.integers(0, room, size))
        return (exchanges[drawn // 10_000] * 10_000 + drawn % 10_000).astype(np.uint32)

    def queries(self, count: int) -> Phones:
        rng = np.random.default_rng((self.seed, 0))
        area = self.areas[rng.integers(0, AREAS, count)].astype(np.int64)
        return area * 10_000_000 + rng.integers(2_000_000, 10_000_000, count)

    def write(self, path: Path) -> int:
        """Write the list as the registry does: `407,5551234`, area code by area code."""
        total = 0
        with path.open("wb") as file:
            for area in self.areas.tolist():
                local = self.area(area)
                text = np.full((len(local), 12), ord(","), dtype=np.uint8)
                text[:, :3] = np.frombuffer(str(area).encode(), dtype=np.uint8)
                for column in range(7):
                    text[:, 4 + column] = local // np.uint32(10 ** (6 - column)) % 10 + ord("0")
                text[:, 11] = ord("\n")
                file.write(text.tobytes())
                total += len(local)
        return total

    def truth(self, phones: Phones) -> NDArray[np.bool_]:
        listed = np.zeros(len(phones), dtype=np.bool_)
        area = phones // 10_000_000
        order = np.argsort(area, kind="stable")
        starts = np.searchsorted(area[order], np.arange(1001))
        for code in self.areas.tolist():
            here = order[starts[code] : starts[code + 1]]
            if len(here):
                held, asked = self.area(code), phones[here] % 10_000_000
                at = np.minimum(np.searchsorted(held, asked), len(held) - 1)
                listed[here] = held[at] == asked
        return listed


def seconds(work: Callable[[], object], repeat: int = 1) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def peak_rss_mb() -> float:
    """Tell the most memory this process ever held: not its parent's, as `getrusage` would."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def in_process(task: str, *arguments: object) -> dict[str, float]:
    """Run one task in a process of its own, for its memory and its cold start."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dnc", "--task", task, *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return {"process_seconds": time.perf_counter() - start, **json.loads(done.stdout)}


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
    load = in_process("load", store, text)
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
        figures = in_process("lookup", store, place / "phones.npy", place / "answers.npy")
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
            lambda: dnc.apply_changes("national", [text], allow=["older", "shrink"]),
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


def write_rows(connection: sqlite3.Connection, world: World, more: Iterable[int] = ()) -> None:
    """Make the pattern's table, with its index: a row a number, as text."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("CREATE TABLE dnc_list (area_code TEXT, phone_number TEXT, full_phone TEXT)")
    for area in world.areas.tolist():
        connection.executemany(
            "INSERT INTO dnc_list VALUES (?, ?, ?)",
            ((str(area), f"{x:07d}", f"{area}{x:07d}") for x in world.area(area).tolist()),
        )
    connection.executemany(
        "INSERT INTO dnc_list VALUES (?, ?, ?)",
        ((text[:3], text[3:], text) for text in map(str, more)),
    )
    connection.execute("CREATE INDEX full_phone ON dnc_list (full_phone)")
    connection.commit()


def measure_rows(world: World, queries: int, place: Path) -> dict[str, float]:
    """The pattern's schema and its batched WHERE IN, against the store on the same numbers."""
    path, text, store = place / "rows.db", place / "rows.txt", place / "rows.sqlite"
    world.write(text)
    in_process("load", store, text)
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=float, default=2e6)
    parser.add_argument("--queries", type=float, default=2e5)
    parser.add_argument("--rows", type=float, default=1e6, help="0 leaves WHERE IN out")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--folder", help="where the files go while it runs")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
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
        (place / "dnc.sqlite").unlink()
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
    for name, value in figures.items():
        print(f"{name:45} {value:>16,.3f}".rstrip("0").rstrip("."))
    if options.json:
        keep(options.json, origin, figures)


if __name__ == "__main__":
    main()
