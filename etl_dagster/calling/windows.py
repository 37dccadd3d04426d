"""The window of a day: from when until when a person may be called, in UTC.

Belongs here: the strictest of several states' hours, and a local day's hours as UTC. Does not:
where people are (`places.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from etl_dagster.calling.places import Place
from etl_dagster.leads.hours import FEDERAL, Hours, Window, format_window


@dataclass(frozen=True)
class CallWindow:
    """A span of time in which a call may be made: from `opens` up to, and without, `closes`."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True)
class Rule:
    """All that counts of a place: local hours that must hold in every one of its zones."""

    local: Window
    zones: frozenset[str]

    @classmethod
    def of(cls, hours: Hours, place: Place) -> Self | None:
        """The rule of a place, or None if its states' hours share no minute."""
        local = strictest(hours, place.states)
        return None if local is None or not place.zones else cls(local, place.zones)

    def __str__(self) -> str:
        return " ".join([format_window(self.local), *sorted(self.zones)])


def strictest(hours: Hours, states: Iterable[str]) -> Window | None:
    """The local hours that lie within those of each state, and within the federal ones.

    Returns:
        The hours, or None if there is no minute that all of them allow.
    """
    return _common([FEDERAL, *(hours.states.get(state, hours.default) for state in states)])


def joint(*rules: Rule) -> Rule | None:
    """The rule that keeps all of these, or None if they share no minute.

    The hours that all rules share hold in all their zones: the law of the area code's state may
    protect a person wherever they are.
    """
    local = _common([rule.local for rule in rules]) if rules else None
    if local is None:
        return None
    return Rule(local, frozenset(zone for rule in rules for zone in rule.zones))


def day_window(day: date, *rules: Rule) -> CallWindow | None:
    """When on a local calendar day a call keeps all the rules."""
    rule = joint(*rules)
    if rule is None:
        return None
    opens = max(_utc(day, rule.local[0], zone) for zone in rule.zones)
    closes = min(_utc(day, rule.local[1], zone) for zone in rule.zones)
    return CallWindow(opens, closes) if opens < closes else None


def _common(windows: list[Window]) -> Window | None:
    opens, closes = max(one[0] for one in windows), min(one[1] for one in windows)
    return (opens, closes) if opens < closes else None


@lru_cache(maxsize=10_000)
def _utc(day: date, clock: time, zone: str) -> datetime:
    # Zones change their clocks at night, outside the federal hours: no hour here comes twice.
    return datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)
