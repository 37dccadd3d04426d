"""What became of a day's Do-Not-Call verdicts that were decided again.

Belongs here: the records of that. Does not: deciding (`rescrub.py`), showing (`cli/rescrub.py`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from etl_dagster.leads.chunks import Chunk


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row of the ledger that would be decided otherwise.

    Attributes:
        chunk: where it stands.
        phone: whose.
        expected: the verdict as it is decided again: word, reason, and its end if that differs.
        found: the same as it stands in the ledger.
        list_versions: the lists and versions that the row names.
        checked_at: when it was decided.
        why: what differs.
    """

    chunk: Chunk
    phone: int
    expected: str
    found: str
    list_versions: str
    checked_at: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Rows that cannot be decided again.

    Attributes:
        chunk: where they stand.
        list_versions: the lists and versions that they name.
        checked_at: when they were decided.
        rows: how many.
        why: what is missing.
    """

    chunk: Chunk
    list_versions: str
    checked_at: datetime
    rows: int
    why: str


@dataclass(kw_only=True)
class Rescrub:
    """What became of a day.

    Attributes:
        lead_date: the day.
        rows: verdicts of the day in the ledger, and of others on which it rests.
        resting: how many of these stand elsewhere, by the day of which they are.
        scrubbed: whether the day's leads are there, which alone tell on what else it rests.
        reproduced: those that were decided the same again.
        different: those that were not.
        differences: the first `KEPT` of these.
        lost: those that cannot be decided again.
    """

    lead_date: date
    rows: int = 0
    resting: Counter[date] = field(default_factory=Counter)
    scrubbed: bool = False
    reproduced: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every verdict was decided the same again; not, if there was none."""
        return 0 < self.rows == self.reproduced

    @property
    def lost_rows(self) -> int:
        """How many could not be decided again."""
        return self.rows - self.reproduced - self.different


def joined(lost: Sequence[Lost]) -> list[Lost]:
    """One entry for what was read in parts."""
    rows: Counter[Lost] = Counter()
    for one in lost:
        rows[replace(one, rows=0)] += one.rows
    return [replace(one, rows=count) for one, count in rows.items()]
