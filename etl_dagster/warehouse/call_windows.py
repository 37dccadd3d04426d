"""The calling hours as two small tables, which the view CALLABLE_WITHIN_HOURS and exports join.

Belongs here: what stands in CALL_PLACES and CALL_WINDOWS, keeping them up, and whether a day can be
called on. Does not: which window a day has (`calling/`), who may be called at all, the join itself
(`sql/fragments/within_hours.sql`), for which no address leaves the warehouse.

A row for each pair of area code and address would be hundreds of thousands a day. Only their rules
count, some fifty of each kind, so CALL_PLACES has the rule of each and CALL_WINDOWS the windows
of each pair of rules.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final, Self

from etl_dagster.calling import CallWindow, Place, Rule, day_window, joint
from etl_dagster.calling.places import ADDRESSES, AREA_CODES
from etl_dagster.leads.hours import Hours, Window
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

if TYPE_CHECKING:
    import pyarrow as pa

AREA_CODE: Final = "area code"
ADDRESS: Final = "address"
DAYS_BEFORE: Final = 1
"""When a day begins in UTC, it is still the day before in all of the United States."""
DAYS_AHEAD: Final = 32
"""No published lead can be called for longer: FEDERAL_MAX_AGE_DAYS, and a day more."""


class NoHoursError(WarehouseError):
    """Nobody can be called on that day; the message says why."""


_Places = tuple[str, str, str]
_Windows = tuple[date, str, str, CallWindow]


@dataclass(frozen=True)
class CallWindows:
    """The rows of both tables.

    Attributes:
        places: kind, place and rule of each area code and address.
        windows: call date, the rules of address and area code, and their window.
    """

    places: list[_Places]
    windows: list[_Windows]

    @classmethod
    def of(cls, hours: Hours, first: date, last: date) -> Self:
        """The rows for the calls of these days."""
        areas, addresses = _rules(hours, AREA_CODES), _rules(hours, ADDRESSES)
        pairs = [(a, p) for a in set(addresses.values()) for p in set(areas.values())]
        named = {rule: str(rule) for pair in pairs for rule in pair}
        alike: dict[Rule, list[tuple[str, str]]] = {}  # pairs have far fewer rules in common
        for address, area in pairs:
            if (rule := joint(address, area)) is not None:
                alike.setdefault(rule, []).append((named[address], named[area]))
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return cls(
            places=sorted(
                (kind, place, str(rule))
                for kind, rules in ((AREA_CODE, areas), (ADDRESS, addresses))
                for place, rule in rules.items()
            ),
            windows=sorted(
                (
                    (day, address, area, window)
                    for day in days
                    for rule, names in alike.items()
                    if (window := day_window(day, rule)) is not None
                    for address, area in names
                ),
                key=lambda row: row[:3],
            ),
        )

    @cached_property
    def basis(self) -> str:
        """SHA-256 of all rows: tables with the same basis say the same."""
        return hashlib.sha256(repr((self.places, self.windows)).encode()).hexdigest()


def keep_up(session: Session, hours: Hours, *, today: date) -> bool:
    """See to it that the tables have the windows of all days on which a lead can be called.

    What is there already is left alone; else both tables are replaced in one transaction.

    Args:
        session: a session without an open transaction.
        hours: the policy's hours.
        today: the date in UTC.

    Returns:
        Whether they had to be written.
    """
    first, last = today - timedelta(days=DAYS_BEFORE), today + timedelta(days=DAYS_AHEAD)
    rows = _stored(hours.default, tuple(sorted(hours.states.items())), first, last)
    wanted = {
        ("CALL_PLACES", rows.basis, len(rows.places)),
        ("CALL_WINDOWS", rows.basis, len(rows.windows)),
    }
    if {(table, of, int(n)) for table, of, n in session.rows(sql("count_call_windows"))} == wanted:
        return False
    with session.transaction():
        session.execute(sql("delete_call_places"))
        session.execute(sql("delete_call_windows"))
        places, windows = _tables(rows)
        session.load("CALL_PLACES", places)
        session.load("CALL_WINDOWS", windows)
    return True


@lru_cache(maxsize=1)
def _stored(
    default: Window, states: tuple[tuple[str, Window], ...], first: date, last: date
) -> CallWindows:
    """The rows of these days; a process that runs one day after the other reckons them once."""
    return CallWindows.of(Hours(default=default, states=dict(states)), first, last)


def check_day(session: Session, call_date: date) -> None:
    """See to it that on a local calendar day somebody, somewhere, may still be called.

    Raises:
        NoHoursError: no hours are stored for that day, or they are over everywhere.
    """
    ((first, last, windows, left),) = session.rows(sql("select_call_day"), {"call_date": call_date})
    if first is None:
        raise NoHoursError("no calling hours are stored yet: publish a day first (etl-dagster run)")
    if not windows:
        raise NoHoursError(
            f"no calling hours are stored for {call_date}, there are those of {first} to {last}:"
            " choose another day of the calls; each run of callable_leads stores those from the"
            f" day before it to {DAYS_AHEAD} days after it"
        )
    if not left:
        raise NoHoursError(
            f"the calling hours of {call_date} are over everywhere: choose a later day of the calls"
        )


def _rules(hours: Hours, places: Mapping[str, Place]) -> dict[str, Rule]:
    rules = {key: Rule.of(hours, place) for key, place in places.items()}
    return {key: rule for key, rule in rules.items() if rule is not None}


def _tables(rows: CallWindows) -> "tuple[pa.Table, pa.Table]":
    import pyarrow as pa  # noqa: PLC0415 - only who writes needs it

    places = pa.table(
        {
            "KIND": [kind for kind, _, _ in rows.places],
            "PLACE": [place for _, place, _ in rows.places],
            "RULE": [rule for _, _, rule in rows.places],
            "BASIS": [rows.basis] * len(rows.places),
        }
    )
    moment = pa.timestamp("us")
    opens = [window.opens.replace(tzinfo=None) for *_, window in rows.windows]
    closes = [window.closes.replace(tzinfo=None) for *_, window in rows.windows]
    windows = pa.table(
        {
            "CALL_DATE": pa.array([day for day, *_ in rows.windows], pa.date32()),
            "ADDRESS_RULE": [address for _, address, _, _ in rows.windows],
            "AREA_RULE": [area for _, _, area, _ in rows.windows],
            "FROM_UTC": pa.array(opens, moment),
            "TO_UTC": pa.array(closes, moment),
            "BASIS": [rows.basis] * len(rows.windows),
        }
    )
    return places, windows
