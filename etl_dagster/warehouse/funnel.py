"""A day's leads and phones by what became of them.

Belongs here: the numbers, from the tables. Does not: how they are shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Self

from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """Leads by class: `no_phone + invalid + unknown + blocked + callable = extracted`.

    `blocked` is shared out: leads with a litigator's phone, of the others those with a phone that
    a Do-Not-Call list has, and those that only the full scrub blocks.
    """

    extracted: int = 0
    no_phone: int = 0
    invalid: int = 0
    litigator: int = 0
    dnc: int = 0
    full_scrub: int = 0
    unknown: int = 0
    blocked: int = 0
    callable: int = 0

    def __add__(self, other: Self) -> "Funnel":
        return Funnel(**{name: count + getattr(other, name) for name, count in vars(self).items()})


_COLUMNS = tuple(field.name for field in fields(Funnel))


@dataclass(frozen=True, kw_only=True)
class Day:
    """What became of a day.

    Attributes:
        lead_date: the day.
        campaigns: campaign name to its leads by class.
        phones: campaign name to its distinct phones by verdict.
        lists: DNC list to the distinct phones that it lists (a phone may be on several).
        reasons: why phones are UNKNOWN, to distinct phones.
    """

    lead_date: date
    campaigns: Mapping[str, Funnel]
    phones: Mapping[str, Mapping[str, int]]
    lists: Mapping[str, int]
    reasons: Mapping[str, int]

    @property
    def total(self) -> Funnel:
        """The leads of all campaigns by class."""
        return sum(self.campaigns.values(), Funnel())

    @property
    def classes(self) -> list[str]:
        """The classes that are shown: the full scrub only where it blocks leads."""
        return [name for name in _COLUMNS if name != "full_scrub" or self.total.full_scrub]


def read_day(session: Session, lead_date: date, campaigns: Iterable[str] = ()) -> Day:
    """Count a day's leads and phones.

    Args:
        session: any.
        lead_date: the day.
        campaigns: those to report even if they have no lead of that day.
    """
    values = {"lead_date": lead_date}
    found = {
        str(name): Funnel(**dict(zip(_COLUMNS, map(int, numbers), strict=True)))
        for name, *numbers in session.rows(sql("funnel"), values)
    }
    phones: dict[str, Counter[str]] = {}
    lists: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for campaign, verdict, listed, reason, count in session.rows(sql("count_phones"), values):
        phones.setdefault(campaign, Counter())[verdict] += int(count)
        lists.update(dict.fromkeys(filter(None, str(listed).split(",")), int(count)))
        if verdict == "UNKNOWN":
            reasons[str(reason)] += int(count)
    funnels = {name: Funnel() for name in campaigns} | found
    return Day(
        lead_date=lead_date,
        campaigns=dict(sorted(funnels.items())),
        phones=phones,
        lists=lists,
        reasons=reasons,
    )
