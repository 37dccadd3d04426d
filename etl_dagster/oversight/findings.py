"""What the checks find: judgements on numbers, as pure functions.

Belongs here: what is right, what is worth a warning, what is wrong, and the sentence that says so.
Does not: what is usual by the days before (`usual.py`), where numbers come from (`warehouse/`),
showing findings in Dagster (`defs/checks.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

UNREADABLE_MOST: Final = 0.001
"""Of the rows of a table of opt-outs, so many may be unreadable as of a list's lines."""
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
