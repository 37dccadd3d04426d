"""The unit of work: one chunk of one day's leads."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, order=True)
class Chunk:
    """A day's bucket of leads; every table is written one chunk at a time.

    Attributes:
        lead_date: the day the leads belong to.
        number: the bucket of `lead_id`, 0 up to the number of chunks less one.
    """

    lead_date: date
    number: int

    @property
    def values(self) -> dict[str, object]:
        """The chunk as values of SQL statements: `lead_date` and `chunk`."""
        return {"lead_date": self.lead_date, "chunk": self.number}

    def __str__(self) -> str:
        return f"{self.lead_date} chunk {self.number:02d}"
