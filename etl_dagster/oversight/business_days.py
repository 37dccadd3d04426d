"""Business days, by the federal holidays of the United States (5 U.S.C. 6103), observed ones too.

Belongs here: counting them. Does not: what is due within how many.
"""

import numpy as np
from numpy.typing import NDArray


def business_days(first: NDArray[np.datetime64], last: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Count the business days after one moment's day, up to and with another's.

    Args:
        first: datetime64 in UTC, shape (n,); none is NaT.
        last: the same; where it is before its `first`, the count is 0.

    Returns:
        int64, shape (n,): 0 on the day itself, 1 on the next business day.
    """
    begin, end = (moments.astype("datetime64[D]") for moments in (first, last))
    if not len(begin):
        return np.empty(0, np.int64)
    import holidays  # noqa: PLC0415  a third of a second; only who counts needs it

    days = np.concatenate([begin, end])
    years = range(days.min().item().year, days.max().item().year + 2)
    free = np.array(sorted(holidays.country_holidays("US", years=years)), "datetime64[D]")
    tomorrow = begin + np.timedelta64(1, "D")
    counted = np.busday_count(tomorrow, end + np.timedelta64(1, "D"), holidays=free)
    return np.maximum(counted, 0).astype(np.int64)
