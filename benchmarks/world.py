"""A made-up registry of Do-Not-Call numbers, as a file, as a store, and as the pattern's table.

Belongs here: the numbers and the truth about them. Does not: measuring.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import DncStore

AREAS = 330
EXCHANGES = 700
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


def make_store(
    path: Path,
    numbers: int,
    *,
    covers: Sequence[int] = range(200, 1_000),
    more: Sequence[int] = (),
) -> None:
    """Make a list that covers these area codes, under the sample's name so that it is fresh.

    It holds a made-up world of so many numbers, and `more` of them.
    """
    if path.exists():
        return
    text = path.with_suffix(".txt")
    World(numbers).write(text)
    with text.open("a") as file:
        file.writelines(f"{phone // 10**7},{phone % 10**7:07d}\n" for phone in more)
    with DncStore.create(path) as store:
        store.add_list("national", [text], as_of=datetime.now(UTC), covers=list(covers))
    text.unlink()


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
