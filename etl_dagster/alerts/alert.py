"""What is told of a run that failed, and its words.

Belongs here: the alert as a record, safe to show to anybody, whatever it was made from. Does not:
where its facts come from, and how it reaches people.
"""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from etl_dagster.leads.phones import mask_phones

LONGEST_MESSAGE: Final = 500
LONGEST_NAME: Final = 100
LONGEST_NAMES: Final = 300
MOST_NAMES: Final = 20
"""Of the steps and of the checks that failed, so many are told."""


def readable(text: str, *, longest: int) -> str:
    """One line of text that may be shown to anybody.

    Args:
        text: anything.
        longest: cut to so many characters.

    Returns:
        The text without control, invisible and unassigned characters, and without phones.
    """
    line = mask_phones(" ".join("".join(map(_visible, text)).split()))
    if len(line) > longest:
        # once more, since the cut may have made ten digits of a longer number
        line = mask_phones(line[: longest - 1].rstrip() + "…")
    return line


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category.startswith("C") else character


def _listed(names: Sequence[str]) -> str:
    return readable(", ".join(names), longest=LONGEST_NAMES)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What people are told of a run that failed; made safe to show when it is made.

    Attributes:
        job: the job's name.
        run_id: Dagster's id of the run.
        covers: the partitions in words, such as `2026-11-22, chunks 00-03`; empty if it has none.
        stages: the steps that failed.
        checks: the checks that failed.
        message: what went wrong.
        chunks_asked: how many chunks each stage had to do; 0 where a run has no chunks.
        chunks_done: stage to how many chunks of it are committed, in flow order.
        phones_unknown: phones of those chunks that CCC gave no answer for; None if not known.
        link: the run's page.
    """

    job: str
    run_id: str
    covers: str = ""
    stages: Sequence[str] = ()
    checks: Sequence[str] = ()
    message: str = ""
    chunks_asked: int = 0
    chunks_done: Mapping[str, int] = field(default_factory=dict)
    phones_unknown: int | None = None
    link: str

    def __post_init__(self) -> None:
        """Make every text readable; a frozen record is changed the only way there is."""
        longest = {"message": LONGEST_MESSAGE, "job": LONGEST_NAME, "covers": LONGEST_NAME}
        for name, most in longest.items():
            object.__setattr__(self, name, readable(getattr(self, name), longest=most))
        for name in ("stages", "checks"):
            names = [
                readable(one, longest=LONGEST_NAME) for one in getattr(self, name)[:MOST_NAMES]
            ]
            object.__setattr__(self, name, tuple(names))

    @property
    def title(self) -> str:
        """What a notification shows first."""
        return f"{self.job} failed: {self.covers}" if self.covers else f"{self.job} failed"

    @property
    def text(self) -> str:
        """All of it below the title, a line a fact, the link last."""
        unknown, asked = self.phones_unknown, self.chunks_asked
        facts = {
            "failed": _listed(self.stages),
            "because": self.message,
            "checks failed": _listed(self.checks),
            "chunks done": _listed(
                [f"{stage} {done} of {asked}" for stage, done in self.chunks_done.items()]
            ),
            "phones unknown": "" if unknown is None else str(unknown),
        }
        lines = [f"{name}: {fact}" for name, fact in facts.items() if fact]
        return "\n".join([*lines, self.link])

    @property
    def line(self) -> str:
        """Title and text as one line of a log."""
        return " | ".join([self.title, *self.text.splitlines()])

    @property
    def fingerprint(self) -> str:
        """The same for alerts that say the same, whatever runs they are of."""
        said = (self.title, *self.stages, "", *self.checks, "", self.message)
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]

    @property
    def fields(self) -> dict[str, Any]:
        """Every fact by its name, for programs."""
        return {"title": self.title, **asdict(self)}
