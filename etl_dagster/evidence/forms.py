"""Values as `evidence.json` holds them, and sources as people call them.

Belongs here: how a moment, a day and a record are written. Does not: which there are.
"""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

SOURCES: Final = {
    "ccc": "litigator scrub (CCC)",
    "ccc_full": "full scrub (CCC)",
    "dnc": "Do-Not-Call lists",
}
"""Sources as people call them."""


class EvidenceError(ValueError):
    """There is no evidence to be had, or it cannot be written; the message says why."""


def iso(moment: datetime) -> str:
    """A moment in UTC, to the microsecond: 2026-11-20T06:00:00.000000Z; without a zone it is UTC.

    `verify.py` reads exactly this form, because digests cover microseconds.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def plain(value: Any) -> Any:
    """A record, or any part of one, as JSON can hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, Decimal) else value
