"""What the checks find: judgements on numbers, as pure functions.

Belongs here: what is right, what is worth a warning, what is wrong, and the sentence that says so.
Does not: where numbers come from (`warehouse/`), showing findings in Dagster (`defs/checks.py`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import median
from typing import Final

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
UNREADABLE_MOST: Final = 0.001
"""Of opt-outs, so many may be unreadable as in files of them (dnc/refusals.py)."""
OPT_OUT_DAYS: Final = 10
"""Business days within which an opt-out has to be honoured: 47 CFR 64.1200(d)(3), "not [to] exceed
ten business days from the receipt of such request" (in force since 2025-04-11; 30 days before)."""
OPT_OUT_DAYS_WARN: Final = 5


class Level(IntEnum):
    """How bad a finding is; a blocking check stops what follows at WRONG."""

    RIGHT = 0
    WORTH_A_LOOK = 1
    WRONG = 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        level: how bad it is.
        says: one sentence with the numbers, nobody's data.
        numbers: the numbers by name.
    """

    level: Level
    says: str
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


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


def judge_unknown(unknown: int, phones: int, *, warn: float, error: float) -> Finding:
    """Judge the share of phones that are UNKNOWN: they are not dialled, so leads are lost."""
    share = unknown / phones if phones else 0.0
    level = Level.RIGHT
    if unknown and share >= error:
        level = Level.WRONG
    elif unknown and share >= warn:
        level = Level.WORTH_A_LOOK
    return Finding(
        level=level,
        says=f"{unknown:,} of {phones:,} phones ({share:.2%}) are UNKNOWN",
        numbers={"unknown": unknown, "phones": phones, "share": round(share, 5)},
    )


def judge_coverage(by_area_code: Mapping[int, int]) -> Finding:
    """Judge which area codes no list covers.

    Args:
        by_area_code: area code to the number of phones in it, for those that are not covered.
    """
    if not by_area_code:
        return Finding(level=Level.RIGHT, says="every area code is covered by a list")
    named = ", ".join(f"{code} ({count:,})" for code, count in sorted(by_area_code.items()))
    return Finding(
        level=Level.WORTH_A_LOOK,
        says=f"no list covers the area codes of {sum(by_area_code.values()):,} phones: {named}",
        numbers={"phones": sum(by_area_code.values()), "area_codes": len(by_area_code)},
    )


def judge_staleness(stale: int) -> Finding:
    """Judge the number of phones that are UNKNOWN because a list is too old to clear them."""
    if stale:
        return Finding(
            level=Level.WRONG,
            says=f"{stale:,} phones are UNKNOWN because a list, or the copy of it, is too old",
            numbers={"phones": stale},
        )
    return Finding(level=Level.RIGHT, says="no list is too old")


def judge_readable(unreadable: int, rows: int, *, table: str) -> Finding:
    """Judge how many rows of a table of opt-outs have a phone that cannot be read."""
    numbers = {"rows": rows, "unreadable": unreadable}
    if not unreadable:
        says = f"{rows:,} rows of {table} can be read"
        return Finding(level=Level.RIGHT, says=says, numbers=numbers)
    return Finding(
        level=Level.WRONG if unreadable > UNREADABLE_MOST * rows else Level.WORTH_A_LOOK,
        says=(
            f"the phone of {unreadable:,} of {rows:,} rows of {table} cannot be read (expected: ten"
            " digits, grouped in any way), so who asked to be left alone in them is not known"
        ),
        numbers=numbers,
    )


def judge_opt_outs(waiting: Mapping[str, Sequence[int]], *, recorded: Sequence[int]) -> Finding:
    """Judge how long opt-outs have waited for their effect.

    Args:
        waiting: where they wait, and the business days that each has waited so far.
        recorded: the business days that each which was recorded of late took to be.
    """
    ages = [days for each in waiting.values() for days in each]
    oldest, worst_recorded = max(ages, default=0), max(recorded, default=0)
    late = sum(days > OPT_OUT_DAYS for days in recorded)
    level = Level.RIGHT
    if oldest > OPT_OUT_DAYS:
        level = Level.WRONG
    elif oldest >= OPT_OUT_DAYS_WARN or late:
        level = Level.WORTH_A_LOOK
    says = "no opt-out waits"
    if ages:
        where = ", ".join(
            f"{len(each):,} {name.replace('_', ' ')}" for name, each in waiting.items() if each
        )
        says = (
            f"{len(ages):,} opt-outs wait ({where}), the oldest for {oldest} business days of the"
            f" {OPT_OUT_DAYS} that are allowed"
        )
    if late:
        says += (
            f"; {late:,} of those recorded of late were older than that by then, at most"
            f" {worst_recorded} business days"
        )
    return Finding(
        level=level,
        says=says,
        numbers={
            "waiting": len(ages),
            "oldest_waiting_business_days": oldest,
            **{f"waiting_{name}": len(each) for name, each in waiting.items()},
            "recorded_of_late": len(recorded),
            "worst_business_days_to_record": worst_recorded,
        },
    )


def judge_columns(differences: Sequence[str]) -> Finding:
    """Judge how tables differ from what the project declares."""
    if differences:
        return Finding(
            level=Level.WRONG,
            says="; ".join(differences),
            numbers={"differences": len(differences)},
        )
    return Finding(level=Level.RIGHT, says="the tables are as they are declared")


def worst(findings: Sequence[Finding]) -> Finding:
    """The worst of some findings, the first of equals; RIGHT if there are none."""
    if not findings:
        return Finding(level=Level.RIGHT, says="there was nothing to check")
    return max(findings, key=lambda finding: finding.level)
