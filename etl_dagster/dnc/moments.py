"""Moments as the store keeps them, and the text that names list versions.

Belongs here: conversions. Does not: what a moment means for a list.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from etl_dagster.dnc.errors import DncUsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000_000
"""Microseconds."""
_VERSION = re.compile(r"([a-z0-9][a-z0-9_-]*)@([0-9]{1,9})")


def micros(moment: datetime) -> int:
    """Count microseconds since 1970.

    Raises:
        DncUsageError: the moment has no time zone, so that nobody knows when it is.
    """
    if moment.tzinfo is None:
        raise DncUsageError("a moment without a time zone: pass an aware datetime, such as UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Return the moment, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def utc_now() -> datetime:
    """Tell the time; the clock of a store unless another one is given."""
    return datetime.now(UTC)


def parse_moment(text: str, *, end_of_day: bool = False) -> datetime:
    """Read a date or an ISO 8601 time; without a zone it is UTC.

    Args:
        text: such as `2026-08-29` or `2026-08-29T08:00:00-04:00`.
        end_of_day: a mere date means its last moment instead of its first: right for a
            question (what held on that day?), wrong for a list's age.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if end_of_day and len(text.strip()) <= len("2026-08-29"):
            moment = datetime.combine(date(moment.year, moment.month, moment.day), time.max)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and last days of all have no UTC everywhere
        raise DncUsageError(
            "expected a date (2026-08-29) or an ISO 8601 time (2026-08-29T08:00:00)"
        ) from None


def parse_versions(versions: str) -> dict[str, int]:
    """Read what `Lookup.list_versions` wrote, such as `internal@3;national@12`."""
    out: dict[str, int] = {}
    for part in versions.split(";"):
        match = _VERSION.fullmatch(part)
        if match is None or match[1] in out:
            raise DncUsageError(f"{versions!r} is not of the form `internal@3;national@12`")
        out[match[1]] = int(match[2])
    return out
