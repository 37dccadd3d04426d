"""Where somebody is, and the reviewed tables against the sources that they were made from.

What a table adds to a source makes windows narrower, which is always allowed; what it leaves out
must be named here, with the reason.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from phonenumbers.tzdata import TIMEZONE_DATA

from etl_dagster.calling import Place
from etl_dagster.calling.places import ADDRESSES, AREA_CODES
from etl_dagster.sandbox.geography import STATES
from etl_dagster_tests.calling.oracle import UnplacedError, of_address, of_phone

LIBPHONENUMBER_ERRS = {
    ("689", "America/Chicago"),  # an overlay of 407, Orlando
    ("907", "Pacific/Honolulu"),  # the Aleutians keep daylight time
}


@pytest.mark.parametrize(
    ("area_code", "reason"),
    [
        (800, "toll-free"),
        (888, "toll-free"),
        (416, "not known in the United States"),
        (999, "not known in the United States"),
    ],
)
def test_a_phone_that_may_be_anywhere_is_nowhere(area_code: int, reason: str) -> None:
    with pytest.raises(UnplacedError, match=f"area code {area_code} is {reason}"):
        of_phone(area_code * 10_000_000 + 5_550_100)


@pytest.mark.parametrize(
    ("state", "zip_code", "reason"),
    [
        (None, None, "neither state nor ZIP"),
        (" ", "", "neither state nor ZIP"),
        ("Florida", "32501", "not one of the United States' postal codes"),
        ("ON", None, "not one of the United States' postal codes"),
        ("324", None, "not one of the United States' postal codes"),
        ("NY", "90001", "ZIP prefix 900 is not in NY"),
        (None, "34001", "first three digits are not known"),  # armed forces
        (None, "FL", "first three digits are not known"),
        ("FL", "00000", "first three digits are not known"),
    ],
)
def test_an_address_that_makes_no_sense_is_nowhere(
    state: str | None, zip_code: str | None, reason: str
) -> None:
    with pytest.raises(UnplacedError, match=reason):
        of_address(state, zip_code)


def test_either_of_state_and_zip_is_enough_and_stands_for_all_that_it_may_mean() -> None:
    assert of_address("fl ", None) == Place(
        frozenset({"FL"}), frozenset({"America/New_York", "America/Chicago"})
    )
    assert of_address(None, "96799-1234") == Place(
        frozenset({"HI", "AS"}), frozenset({"Pacific/Honolulu", "Pacific/Pago_Pago"})
    )


def test_no_area_code_or_prefix_is_in_a_zone_that_its_state_is_not() -> None:
    for key, place in (*AREA_CODES.items(), *ADDRESSES.items()):
        zones = {zone for state in place.states for zone in ADDRESSES[f"{state}-"].zones}
        assert place.zones <= zones, key


def test_every_zone_is_one_that_python_knows() -> None:
    for place in (*AREA_CODES.values(), *ADDRESSES.values()):
        for zone in place.zones:
            assert ZoneInfo(zone).key == zone


@cache
def clock(zone: str) -> tuple[timedelta | None, ...]:
    """What tells zones apart today: their offsets in winter and in summer."""
    moments = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (1, 7))
    return tuple(moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments)


def test_an_area_code_has_every_zone_that_libphonenumber_gives_it() -> None:
    theirs: defaultdict[str, set[str]] = defaultdict(set)
    for prefix, zones in TIMEZONE_DATA.items():
        if prefix[0] == "1" and len(prefix) >= 4:
            theirs[prefix[1:4]].update(zones)
    missing = {
        (area_code, zone)
        for area_code, place in AREA_CODES.items()
        for zone in theirs[area_code]
        if clock(zone) not in {clock(ours) for ours in place.zones}
    }
    assert missing == LIBPHONENUMBER_ERRS


def test_every_area_code_of_the_sample_is_in_its_state() -> None:
    for state in STATES:
        for area_code in state.area_codes:
            assert AREA_CODES[str(area_code)].states == {state.code}
