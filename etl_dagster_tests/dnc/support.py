"""What the tests of the store share: a clock that stands still, list files, short questions."""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from etl_dagster.dnc import DncStore, Lookup
from etl_dagster.leads.verdicts import Verdict

NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)
PHONES = [4075550100 + i for i in range(20)]


class Clock:
    """Tells the time that the test wants it to be."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def ago(**by: float) -> datetime:
    return NOW - timedelta(**by)


def write_list(path: Path, phones: Iterable[int]) -> Path:
    path.write_text("".join(f"{phone // 10**7},{phone % 10**7:07d}\n" for phone in phones))
    return path


def write_changes(path: Path, changes: Iterable[tuple[int, datetime, str]]) -> Path:
    path.write_text(
        "".join(f"{phone},{when:%Y-%m-%dT%H:%M:%S},{what}\n" for phone, when, what in changes)
    )
    return path


def ask(store: DncStore, phones: Iterable[int], as_of: datetime | None = None) -> Lookup:
    return store.lookup(np.array(list(phones), dtype=np.int64), as_of)


def verdict(store: DncStore, phone: int, as_of: datetime | None = None) -> str:
    return Verdict(int(ask(store, [phone], as_of).verdicts[0])).name


def reason(store: DncStore, phone: int, as_of: datetime | None = None) -> str:
    answer = ask(store, [phone], as_of)
    return answer.reason_names[int(answer.reasons[0])]


def numbers(store: DncStore, name: str = "national", as_of: datetime | None = None) -> set[int]:
    return {phone for piece in store.export(name, as_of) for phone in piece.tolist()}


# --- stores that are none ----------------------------------------------------------------------


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE dnc_list (area_code TEXT, full_phone TEXT)")
    connection.close()


def damaged(path: Path) -> None:
    """The numbers of the lists are overwritten where they lie."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0x5A for byte in data[4096:])
    path.write_bytes(data)


def missing(path: Path) -> None:
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {  # what breaks a store, what is said
    "missing": (missing, "no Do-Not-Call store at"),
    "left over": (Path.unlink, "is gone, but"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "directory": (directory, "is not a file"),
    "no database": (lambda path: path.write_text("407,5550100\n" * 50), "not a Do-Not-Call store"),
    "foreign": (foreign, "not a Do-Not-Call store"),
    "damaged": (damaged, "damaged"),
}
