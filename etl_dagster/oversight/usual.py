"""A day beside the days before it: whether its size and its rates are usual.

Belongs here: what is usual, from history as numbers. Does not: what is right whatever came before
(`findings.py`), reading the history (`warehouse/statistics.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from etl_dagster.oversight.findings import Finding, Level

TIMES_THE_MEDIAN: Final = 10
"""An extract so many times the median day's is taken for a mistake."""
FEW_LEADS: Final = 100
"""Days smaller than this are never too large."""
LEAST_DAYS: Final = 5
"""Days of history that it takes to know what is usual."""
LEAST_PHONES: Final = 200
"""Phones that it takes for a rate to mean something."""
DEVIATIONS: Final = 4.0
"""Half the width of the usual band, in standard deviations: a false alarm in 16,000 days."""
FREE_MOVE: Final = 0.25
"""A rate may always move by this part of its median."""
MAD_TO_DEVIATION: Final = 1.4826
"""Median absolute deviation to standard deviation, for normal data (Rousseeuw and Croux, 1993)."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How many of the phones that a source answered about it has listed.

    Attributes:
        listed: phones that are listed.
        answered: phones that are listed or clear.
    """

    listed: int
    answered: int

    @property
    def share(self) -> float:
        """0 to 1; 0 if nothing was answered."""
        return self.listed / self.answered if self.answered else 0.0


def judge_size(
    leads: int, *, still_valid: int, may_be_empty: bool, earlier: Sequence[int]
) -> Finding:
    """Judge the number of leads of a day.

    Args:
        leads: leads of the day.
        still_valid: people left out since another day published them.
        may_be_empty: every campaign says that a day without leads is right for it.
        earlier: leads of the days before, those without any left out.
    """
    usual = median(earlier) if len(earlier) >= LEAST_DAYS else None
    numbers: dict[str, float | int | str] = {"leads": leads, "days_of_history": len(earlier)}
    if usual is not None:
        numbers["median"] = usual
    if leads == 0 and not still_valid and not may_be_empty:
        return Finding(level=Level.WRONG, says="the day has no lead", numbers=numbers)
    if usual is None:
        return Finding(
            level=Level.RIGHT,
            says=f"{leads:,} leads; it takes {LEAST_DAYS} earlier days to know what is usual",
            numbers=numbers,
        )
    says = f"{leads:,} leads, where the median of {len(earlier)} earlier days is {usual:,.0f}"
    if leads > max(TIMES_THE_MEDIAN * usual, FEW_LEADS):
        return Finding(level=Level.WRONG, says=says, numbers=numbers)
    if leads * TIMES_THE_MEDIAN < usual:
        return Finding(level=Level.WORTH_A_LOOK, says=says, numbers=numbers)
    return Finding(level=Level.RIGHT, says=says, numbers=numbers)


def judge_rate(today: Rate, earlier: Sequence[Rate]) -> Finding:
    """Judge the share of listed phones of a day by the band of the days before.

    Too low is WRONG: phones may be let through that should not be. Too high is WORTH_A_LOOK.

    The band is the median share, plus and minus `DEVIATIONS` standard deviations (that of the
    earlier shares, by their median absolute deviation, and the binomial one of today's sample
    together) or `FREE_MOVE` of the median, whichever is more.
    """
    shares = [one.share for one in earlier if one.answered >= LEAST_PHONES]
    numbers: dict[str, float | int | str] = {
        "share": round(today.share, 5),
        "listed": today.listed,
        "answered": today.answered,
        "days_of_history": len(shares),
    }
    if len(shares) < LEAST_DAYS or today.answered < LEAST_PHONES:
        return Finding(
            level=Level.RIGHT,
            says=(
                f"{today.share:.2%} of {today.answered:,} phones; it takes {LEAST_DAYS} earlier"
                f" days and {LEAST_PHONES} phones to know what is usual"
            ),
            numbers=numbers,
        )
    usual = median(shares)
    spread = MAD_TO_DEVIATION * median(abs(share - usual) for share in shares)
    chance = math.sqrt(usual * (1 - usual) / today.answered)
    half = max(DEVIATIONS * math.hypot(spread, chance), FREE_MOVE * usual)
    low, high = max(usual - half, 0.0), min(usual + half, 1.0)
    numbers |= {"usual_low": round(low, 5), "usual_high": round(high, 5)}
    level = Level.RIGHT
    if today.share < low:
        level = Level.WRONG
    elif today.share > high:
        level = Level.WORTH_A_LOOK
    return Finding(
        level=level,
        says=(
            f"{today.share:.2%} of {today.answered:,} phones are listed; usual of"
            f" {len(shares)} earlier days is {low:.2%} to {high:.2%}"
        ),
        numbers=numbers,
    )
