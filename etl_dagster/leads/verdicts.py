"""What a source says of a phone, and what the policy makes of it.

Belongs here: the three-valued verdict, the decision with its causes, and the pure function between
them. Does not: how a source is asked, where verdicts are stored. Everything fails closed: the zero
of verdict and decision is UNKNOWN, so an array that nobody filled in dials nobody.
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


class Cause(enum.IntEnum):
    """Why a source keeps a phone from being CALLABLE.

    LISTED blocks, and then is the only cause told. The others are of required sources: UNKNOWN is
    what the source itself says, EXPIRED a CLEAR that is not valid (any more), MISSING no evidence
    from the source at all.
    """

    NONE = 0
    LISTED = 1
    UNKNOWN = 2
    EXPIRED = 3
    MISSING = 4


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
        causes: of each source asked or required, int8, shape (n,), `Cause` codes: together, all
            that led to the decision, so that of a CALLABLE phone all are NONE and of any other
            at least one is not.
    """

    decisions: NDArray[np.int8]
    callable_until: NDArray[np.datetime64]
    causes: Mapping[str, NDArray[np.int8]]

    def counts(self) -> dict[str, int]:
        """Why phones are not CALLABLE, such as `dnc:listed`, to phones; zeros are left out.

        A phone with two causes counts under both.
        """
        return {
            f"{source}:{cause.name.lower()}": count
            for source, codes in sorted(self.causes.items())
            for cause in Cause
            if cause and (count := int(np.count_nonzero(codes == cause)))
        }


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
    sizes = {array.shape for e in evidence.values() for array in (e.verdicts, e.valid_until)}
    if not required:
        raise ValueError("a decision needs at least one required source")
    if len(sizes) != 1:
        raise ValueError(f"evidence of one length per source expected, found {sorted(sizes)}")
    (size,) = sizes
    now = np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
    listed = np.zeros(size, np.bool_)
    causes = {}
    for name, source in evidence.items():
        here = source.verdicts == Verdict.LISTED
        listed |= here
        causes[name] = _codes(here, Cause.LISTED)
    in_doubt = np.zeros(size, np.bool_)
    until = np.full(size, np.datetime64("9999-12-31", "us"))
    for name in dict.fromkeys(required):
        if name not in evidence:
            in_doubt[:] = True
            causes[name] = _codes(~listed, Cause.MISSING)
            continue
        source = evidence[name]
        said = source.verdicts == Verdict.CLEAR
        # NaT compares False with everything, so missing validity is no validity
        bad = ~(said & (source.valid_until > now))
        in_doubt |= bad
        bad &= ~listed
        causes[name] += _codes(bad & ~said, Cause.UNKNOWN) + _codes(bad & said, Cause.EXPIRED)
        until = np.fmin(until, source.valid_until)
    clear = ~(listed | in_doubt)
    return Decisions(
        # what is neither is UNKNOWN, which is 0
        decisions=_codes(clear, Decision.CALLABLE) + _codes(listed, Decision.BLOCKED),
        callable_until=np.where(clear, until, np.datetime64("NaT", "us")),
        causes=causes,
    )


def _codes(where: NDArray[np.bool_], code: Cause | Decision) -> NDArray[np.int8]:
    """A code where something holds, else 0; multiplied, which is much faster than assigned."""
    return where.view(np.int8) * np.int8(code)
