"""How long opt-outs took, or have waited: moments out of the requests on record.

Belongs here: whose request stands since when, what was recorded lately. Does not: business days
(`business_days.py`), whether a phone is still published, what is too long (`findings.py`).
"""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.moments import micros
from etl_dagster.dnc.requests import OPT_OUT, Request

Moments = NDArray[np.datetime64]


def standing(requests: Iterable[Request]) -> tuple[NDArray[np.int64], Moments]:
    """Whose requests stand, and since when.

    Args:
        requests: those of one list in the order written.

    Returns:
        Phones, ascending, int64; and per phone when it first asked, since it was opted in last if
        it ever was: datetime64[us] in UTC.
    """
    since: dict[int, int] = {}
    for row in requests:
        if row.action == OPT_OUT:
            since[row.phone] = min(row.effective, since.get(row.phone, row.effective))
        else:
            since.pop(row.phone, None)
    phones = np.array(sorted(since), np.int64)
    return phones, _moments([since[phone] for phone in phones.tolist()])


def recorded(requests: Iterable[Request], *, since: datetime) -> tuple[Moments, Moments]:
    """When each opt-out that was recorded since a moment was asked for, and when recorded."""
    earliest = micros(since)
    rows = [row for row in requests if row.action == OPT_OUT and row.recorded_at >= earliest]
    return _moments([row.effective for row in rows]), _moments([row.recorded_at for row in rows])


def _moments(values: list[int]) -> Moments:
    return np.array(values, np.int64).view("datetime64[us]")
