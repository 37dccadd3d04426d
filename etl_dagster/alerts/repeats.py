"""When a failure is not told again: what is launched every few minutes fails the same way.

Belongs here: the decision, from what became of earlier runs. Does not: where that stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What became of an earlier run of the same job and partition.

    Attributes:
        succeeded: whether it did its work.
        told: the fingerprint of the alert that told of it; '' if nobody was told.
        told_at: when that was, aware; None if nobody was told.
    """

    succeeded: bool
    told: str = ""
    told_at: datetime | None = None


def is_repeat(
    fingerprint: str, earlier: Iterable[Earlier], *, now: datetime, quiet_for: timedelta
) -> bool:
    """Whether people know of a failure already and it has neither changed nor been over since.

    Args:
        fingerprint: of the alert that would be told.
        earlier: the runs before, newest first.
        now: aware.
        quiet_for: after so long even the same failure is told again, as long as it lasts.
    """
    for one in earlier:
        if one.succeeded:
            return False
        if one.told_at is not None:
            return one.told == fingerprint and now - one.told_at < quiet_for
    return False
