"""What the catalog's rows are: lists, versions, and the state of a list.

Belongs here: their shape. Does not: reading or writing them (catalog.py).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.segments import Ref

_Bytes = bytes
"""Under another name, because a version has a column `bytes`."""

AREAS: Final = 1_000
"""A state has one entry per three-digit code; those in use are 200 to 999."""
NOBODY: Final = 0xFFFFFFFF
"""In place of a canary where an area code has none."""
MOST_LISTS: Final = 64
"""One bit each in a 64-bit mask."""
INTERNAL: Final = "internal"
"""The list of opt-outs that every store has from the start, and its kind."""
RESTORED: Final = "restored"
"""The kind of a version of it that changes nothing: what a restored store had lost is back."""
KINDS: Final = ("national", "state", INTERNAL, "other")

ENTRY: Final = np.dtype(
    [
        ("area", "<u2"),
        ("version", "<u4"),  # that last changed this area code
        ("full", "<u4"),  # version of its last full list
        ("as_of", "<i8"),  # microseconds; never later than when it was recorded
        ("count", "<u4"),
        ("tip", "<i8"),  # segment; 0: the list does not cover this area code
        ("crc", "<u4"),
        ("listed", "<u4"),  # canary: this number must be found
        ("absent", "<u4"),  # canary: this one must not
    ]
)
State = NDArray[np.void]
"""Array of `ENTRY`, one row per three-digit code."""


def empty_state() -> State:
    """Return the state of a list without versions: it covers nothing."""
    state = np.zeros(AREAS, dtype=ENTRY)
    state["area"] = np.arange(AREAS)
    state["listed"] = state["absent"] = NOBODY
    return state


@dataclass(frozen=True)
class ListInfo:
    """One row of `list`, decoded and checked; by default of a list without versions."""

    id: int
    name: str
    kind: str
    required: bool
    max_age_days: int | None
    source: str
    states: str
    created_at: int
    version: int = 0
    chain: bytes = b""
    floor: int = 0
    horizon: int = 0
    head: State = field(default_factory=empty_state)

    @property
    def columns(self) -> tuple[Any, ...]:
        """The row as stored."""
        covered = self.head[self.head["tip"] > 0]
        stored = {"required": int(self.required), "head": covered.tobytes()}
        return tuple({**vars(self), **stored}.values())


@dataclass(frozen=True)
class Version:
    """One row of `version` without its manifest."""

    list: int
    number: int
    kind: str
    as_of: int
    recorded_at: int
    files: str
    inputs: _Bytes
    lines: int
    malformed: int
    added: int
    removed: int
    numbers: int
    requests: int
    bytes: int
    allowed: str
    manifest_digest: _Bytes

    @property
    def columns(self) -> tuple[Any, ...]:
        """The row as stored, without the manifest itself."""
        return tuple(vars(self).values())


def tip(entry: np.void) -> Ref:
    """Read where an entry's numbers are."""
    return Ref(int(entry["tip"]), int(entry["crc"]))


def from_row(row: tuple[Any, ...]) -> ListInfo:
    """Decode a row of `list` whose digest was checked."""
    values = list(row)
    values[3], values[-1] = bool(row[3]), empty_state()
    entries = np.frombuffer(row[-1], dtype=ENTRY)
    values[-1][entries["area"]] = entries
    return ListInfo(*values)
