"""Numbers by area code while a list is being read, in flat memory whatever their order.

Belongs here: collecting. Does not: parsing, the store. Numbers wait in memory; beyond a limit they
move, as bits, into an unnamed temporary file that vanishes with the process.
"""

import tempfile
from pathlib import Path
from typing import IO, Final, Self

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import pages
from etl_dagster.dnc.records import AREAS

WAITING_MOST: Final = 8_000_000
"""Numbers kept in memory, four bytes each."""
_AREA_BYTES: Final = pages.AREA_NUMBERS // 8


class Spool:
    """Collects numbers; a context manager.

    Args:
        folder: where the temporary file goes if one is needed: up to 1.25 MB an area code.
        waiting_most: how many numbers to keep in memory.
    """

    def __init__(self, folder: Path, *, waiting_most: int = WAITING_MOST) -> None:
        self._folder = folder
        self._waiting_most = waiting_most
        self._waiting: dict[int, list[NDArray[np.uint32]]] = {}
        self._count = 0
        self._file: IO[bytes] | None = None
        self._spilled: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, numbers: NDArray[np.int64]) -> None:
        """Take 10-digit numbers, in any order, duplicates allowed."""
        for area, local in by_area(numbers):
            self._waiting.setdefault(area, []).append(local)
        self._count += len(numbers)
        if self._count > self._waiting_most:
            self._spill()

    def cover(self, areas: set[int]) -> None:
        """Take area codes that are part of the list even if it has no number there."""
        for area in areas:
            self._waiting.setdefault(area, [])

    def areas(self) -> list[int]:
        """Return the area codes that were seen, ascending."""
        return sorted(self._spilled | self._waiting.keys())

    def bits(self, area: int) -> pages.Bits:
        """Return all numbers of an area code."""
        local = self._waiting.get(area, [])
        bits = pages.pack(np.concatenate(local) if local else np.empty(0, dtype=np.uint32))
        if self._file and area in self._spilled:
            self._file.seek(area * _AREA_BYTES)
            bits |= np.frombuffer(self._file.read(_AREA_BYTES), dtype=np.uint8)
        return bits

    def _spill(self) -> None:
        """Move what waits into the file, at a place of its own for each area code."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed on exit
        for area in list(self._waiting):
            bits = self.bits(area)
            self._file.seek(area * _AREA_BYTES)
            self._file.write(bits.tobytes())
            self._spilled.add(area)
            del self._waiting[area]
        self._count = 0


def by_area(numbers: NDArray[np.int64]) -> list[tuple[int, NDArray[np.uint32]]]:
    """Split 10-digit numbers into area codes and what follows them."""
    area = numbers // pages.AREA_NUMBERS
    local = (numbers - area * pages.AREA_NUMBERS).astype(np.uint32)
    area = area.astype(np.int16)
    order = np.argsort(area, kind="stable")
    codes = area[order]
    starts = np.searchsorted(codes, np.arange(AREAS + 1))
    local = local[order]
    return [
        (code, local[starts[code] : starts[code + 1]])
        for code in np.flatnonzero(np.diff(starts)).tolist()
    ]
