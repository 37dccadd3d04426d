"""What a source says of a phone, and what the policy makes of it.

Belongs here: the three-valued verdict, the decision, and the pure function between them. Does
not: how a source is asked, where verdicts are stored. Everything fails closed: the zero of both
enumerations is UNKNOWN, so an array that nobody filled in dials nobody.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray


class Verdict(enum.IntEnum):
    """What one source says of one phone; the ledger stores the name, arrays the number."""

    UNKNOWN = 0
    CLEAR = 1
    LISTED = 2


class Decision(enum.IntEnum):
    """What the policy makes of a phone's verdicts; only CALLABLE may be dialled."""

    UNKNOWN = 0
    CALLABLE = 1
    BLOCKED = 2


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One source's verdicts on n phones.

    Attributes:
        verdicts: int8, shape (n,), `Verdict` codes.
        valid_until: datetime64[us] UTC, shape (n,); NaT where nothing is valid.
    """

    verdicts: NDArray[np.int8]
    valid_until: NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """The policy's decision on n phones.

    Attributes:
        decisions: int8, shape (n,), `Decision` codes.
        callable_until: datetime64[us] UTC, shape (n,); NaT unless the phone is CALLABLE.
    """

    decisions: NDArray[np.int8]
    callable_until: NDArray[np.datetime64]


def decide(
    evidence: Mapping[str, Evidence], *, required: Sequence[str], moment: datetime
) -> Decisions:
    """Decide on phones from what each source said of them.

    LISTED by any source blocks, required or not, expired or not: time makes nobody callable.
    CALLABLE takes a CLEAR that is still valid at `moment` from every required source.
    All else, a required source without evidence included, is UNKNOWN.

    Args:
        evidence: source name to its verdicts; all of the same n phones in the same order.
        required: names of the sources that must clear a phone; at least one.
        moment: the moment of the decision, aware.

    Raises:
        ValueError: no source is required, or the sources do not speak of equally many phones.
    """
    sizes = {e.verdicts.shape for e in evidence.values()} | {
        e.valid_until.shape for e in evidence.values()
    }
    if not required:
        raise ValueError("a decision needs at least one required source")
    if len(sizes) != 1:
        raise ValueError(f"evidence of one length per source expected, found {sorted(sizes)}")
    (size,) = sizes
    now = np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
    listed = np.zeros(size, np.bool_)
    for source in evidence.values():
        listed |= source.verdicts == Verdict.LISTED
    clear = ~listed
    until = np.full(size, np.datetime64("9999-12-31", "us"))
    for name in required:
        if name not in evidence:
            clear[:] = False
            continue
        source = evidence[name]
        # NaT compares False with everything, so missing validity is no validity
        clear &= (source.verdicts == Verdict.CLEAR) & (source.valid_until > now)
        until = np.fmin(until, source.valid_until)
    decisions = np.full(size, Decision.UNKNOWN, np.int8)
    decisions[clear] = Decision.CALLABLE
    decisions[listed] = Decision.BLOCKED
    return Decisions(
        decisions=decisions, callable_until=np.where(clear, until, np.datetime64("NaT", "us"))
    )
