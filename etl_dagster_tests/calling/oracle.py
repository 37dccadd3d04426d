"""Whether one call may be made, in Python: what the warehouse's SQL is held to.

Belongs here: the look-up of one phone and one address, and the window of their places. Does not:
the tables and the law, which are the program's (`etl_dagster.calling`).
"""

from datetime import date, datetime
from typing import Final

from etl_dagster.calling import CallWindow, Place, Rule, day_window
from etl_dagster.calling.places import ADDRESSES, AREA_CODES
from etl_dagster.leads.hours import Hours

TOLL_FREE: Final = frozenset({"800", "822", "833", "844", "855", "866", "877", "888"})
"""Codes that say nothing of where a phone is (47 CFR 52.101; 822 is set aside as the next)."""
_PREFIX: Final = 3
"""Digits of an area code, and of the part of a ZIP that names a place."""


class UnplacedError(ValueError):
    """Where somebody is cannot be said; the message is the reason, without any personal data."""


def of_phone(phone: int) -> Place:
    """Where the area code of a ten-digit phone is.

    Raises:
        UnplacedError: the area code is toll-free, foreign, or not in the table.
    """
    area_code = str(phone)[:_PREFIX]
    if area_code in TOLL_FREE:
        raise UnplacedError(f"area code {area_code} is toll-free, its owner may be anywhere")
    try:
        return AREA_CODES[area_code]
    except KeyError:
        raise UnplacedError(f"area code {area_code} is not known in the United States") from None


def of_address(state: str | None, zip_code: str | None) -> Place:
    """Where an address is.

    Args:
        state: its postal code in any case; None or blank if missing.
        zip_code: five digits or more, as text; None or blank if missing.

    Raises:
        UnplacedError: state and ZIP are missing, unknown, or do not belong together.
    """
    code, prefix = (state or "").strip(" ").upper(), (zip_code or "").strip(" ")[:_PREFIX]
    try:
        return ADDRESSES[f"{code}-{prefix}"]
    except KeyError:
        raise UnplacedError(_why_nowhere(code, prefix)) from None


def _why_nowhere(code: str, prefix: str) -> str:
    if not code and not prefix:
        return "the address has neither state nor ZIP"
    if code and f"{code}-" not in ADDRESSES:
        return "the state is not one of the United States' postal codes"
    if prefix and f"-{prefix}" not in ADDRESSES:
        return "the ZIP's first three digits are not known"
    return f"ZIP prefix {prefix} is not in {code}"


def call_window(day: date, hours: Hours, *places: Place) -> CallWindow | None:
    """When on a local calendar day somebody may be called who may be in any of these places.

    Args:
        day: the calendar day; it is the same day in each zone.
        hours: the policy's hours.
        places: the place of the address, that of the area code.

    Returns:
        The window, or None if no minute of the day is within the hours in every zone.
    """
    rules = [Rule.of(hours, place) for place in places]
    known = [rule for rule in rules if rule is not None]
    return day_window(day, *known) if len(known) == len(rules) else None


def may_call(window: CallWindow, moment: datetime) -> bool:
    """Whether a call may be made at this moment (aware)."""
    return window.opens <= moment < window.closes
