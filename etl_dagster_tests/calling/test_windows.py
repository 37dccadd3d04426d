"""Which windows the law gives, against cases worked out by hand and every minute of a day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.calling import Place
from etl_dagster.calling.places import ADDRESSES, AREA_CODES
from etl_dagster.calling.windows import strictest
from etl_dagster.leads.hours import FEDERAL, Hours
from etl_dagster.leads.policy import Policy
from etl_dagster_tests.calling.oracle import call_window, may_call, of_address, of_phone

HOURS = Hours(states={"FL": (time(8), time(20))})
WINTER = date(2026, 1, 15)
SUMMER = date(2026, 7, 15)
SPRING_FORWARD = date(2026, 3, 8)
"""At 2 o'clock, where daylight time is kept."""
FALL_BACK = date(2026, 11, 1)


def window(day: date, address: str, area_code: int, hours: Hours = HOURS) -> str | None:
    """The window in UTC as text; one that closes at an earlier hour closes on the next day."""
    state, _, zip_code = address.partition(" ")
    phone = area_code * 10_000_000 + 5_550_100
    found = call_window(day, hours, of_address(state, zip_code), of_phone(phone))
    return found and f"{found.opens:%H:%M}-{found.closes:%H:%M}"


@pytest.mark.parametrize(
    ("case", "day", "address", "area_code", "expected"),
    [
        ("New York", WINTER, "NY 10001", 212, "13:00-02:00"),
        ("New York in summer", SUMMER, "NY 10001", 212, "12:00-01:00"),
        ("the day before daylight time", date(2026, 3, 7), "NY 10001", 212, "13:00-02:00"),
        ("the day it begins", SPRING_FORWARD, "NY 10001", 212, "12:00-01:00"),
        ("the day before it ends", date(2026, 10, 31), "NY 10001", 212, "12:00-01:00"),
        ("the day it ends", FALL_BACK, "NY 10001", 212, "13:00-02:00"),
        ("a New York phone, a Californian address", WINTER, "CA 90001", 212, "16:00-02:00"),
        ("and the reverse", WINTER, "NY 10001", 213, "16:00-02:00"),
        ("Florida closes at 20", WINTER, "FL 33101", 305, "13:00-01:00"),
        ("the panhandle opens an hour later", WINTER, "FL 32501", 305, "14:00-01:00"),
        ("its area code has both zones", WINTER, "FL 32501", 850, "14:00-01:00"),
        ("its ZIP prefix with both zones", WINTER, "FL 32401", 305, "14:00-01:00"),
        ("Florida's hours go with its phones", WINTER, "GA 30301", 305, "13:00-01:00"),
        ("and with its addresses", WINTER, "FL 33101", 212, "13:00-01:00"),
        ("wherever the phone is from", WINTER, "FL 33101", 213, "16:00-01:00"),
        ("Indiana, Eastern", WINTER, "IN 46201", 317, "13:00-02:00"),
        ("Indiana, Central", WINTER, "IN 46401", 219, "14:00-02:00"),
        ("Indiana, a prefix of both", WINTER, "IN 46534", 317, "14:00-02:00"),
        ("Indiana without a ZIP", WINTER, "IN ", 317, "14:00-02:00"),
        ("Kentucky, Eastern", WINTER, "KY 40202", 502, "13:00-02:00"),
        ("Kentucky, an area code of both", WINTER, "KY 40202", 270, "14:00-02:00"),
        ("Tennessee, an area code of both", WINTER, "TN 37402", 423, "14:00-02:00"),
        ("Arizona in winter", WINTER, "AZ 85001", 602, "15:00-04:00"),
        ("Arizona in summer", SUMMER, "AZ 85001", 602, "15:00-04:00"),
        ("the Navajo Nation in winter", WINTER, "AZ 86515", 928, "15:00-04:00"),
        ("the Navajo Nation in summer", SUMMER, "AZ 86515", 928, "15:00-03:00"),
        ("Phoenix, a phone of the Nation's code", SUMMER, "AZ 85001", 928, "15:00-03:00"),
        ("Hawaii", WINTER, "HI 96813", 808, "18:00-07:00"),
        ("Hawaii in summer", SUMMER, "HI 96813", 808, "18:00-07:00"),
        ("Alaska's code has the Aleutians", WINTER, "AK 99701", 907, "18:00-06:00"),
        ("the Aleutians in summer", SUMMER, "AK 99546", 907, "17:00-05:00"),
        ("Texas, El Paso", WINTER, "TX 79901", 915, "15:00-03:00"),
        ("South Dakota", WINTER, "SD 57101", 605, "15:00-03:00"),
        ("North Dakota, west", WINTER, "ND 58601", 701, "15:00-03:00"),
        ("Nebraska, west", WINTER, "NE 69361", 308, "15:00-03:00"),
        ("Kansas, west", WINTER, "KS 67735", 785, "15:00-03:00"),
        ("Idaho, south", WINTER, "ID 83702", 208, "16:00-04:00"),
        ("Oregon, Malheur County", WINTER, "OR 97914", 541, "16:00-04:00"),
        ("Michigan, west of the Upper Peninsula", WINTER, "MI 49938", 906, "14:00-02:00"),
        ("Puerto Rico", SUMMER, "PR 00901", 787, "12:00-01:00"),
        ("New York and Honolulu", WINTER, "NY 10001", 808, "18:00-02:00"),
        ("Guam and New York share no hour", WINTER, "GU 96910", 212, None),
    ],
)
def test_windows_worked_out_by_hand(
    case: str, day: date, address: str, area_code: int, expected: str | None
) -> None:
    assert window(day, address, area_code) == expected, case


def test_the_stricter_state_counts_in_the_zone_of_the_other() -> None:
    """If Washington closes at 20, then at 20 in New York, too, and not only at 20 in Seattle."""
    hours = Hours(states={"WA": (time(9), time(20))})
    assert window(WINTER, "NY 10001", 206, hours) == "17:00-01:00"


def test_the_built_in_policy_knows_florida() -> None:
    assert window(WINTER, "FL 33101", 305, Policy.load().hours) == "13:00-01:00"


def test_the_window_opens_with_its_first_moment_and_is_shut_at_its_last() -> None:
    found = call_window(WINTER, HOURS, of_address("NY", "10001"))
    assert found is not None
    assert may_call(found, found.opens)
    assert not may_call(found, found.opens - timedelta(microseconds=1))
    assert may_call(found, found.closes - timedelta(microseconds=1))
    assert not may_call(found, found.closes)


def test_no_place_no_window() -> None:
    assert call_window(WINTER, HOURS) is None
    assert call_window(WINTER, HOURS, Place(frozenset({"NY"}), frozenset())) is None


def test_states_whose_hours_share_no_minute_have_no_window() -> None:
    hours = Hours(states={"AA": (time(8), time(12)), "BB": (time(12), time(20))})
    assert strictest(hours, ["AA", "BB"]) is None
    place = Place(frozenset({"AA", "BB"}), frozenset({"America/New_York"}))
    assert call_window(WINTER, hours, place) is None


def test_no_hours_are_wider_than_the_federal_ones() -> None:
    assert strictest(Hours(default=(time(6), time(23))), ["NY"]) == FEDERAL


# --- properties -------------------------------------------------------------------------------

PLACES = st.sampled_from(
    sorted({*AREA_CODES.values(), *ADDRESSES.values()}, key=lambda one: sorted(one.zones))
)
DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31)) | st.sampled_from(
    [SPRING_FORWARD, FALL_BACK, date(2028, 3, 12), date(2028, 11, 5)]
)


@st.composite
def any_hours(draw: st.DrawFn) -> Hours:
    def one() -> tuple[time, time]:
        opens = draw(st.integers(8 * 60, 20 * 60))
        closes = draw(st.integers(opens + 1, 21 * 60))
        return time(*divmod(opens, 60)), time(*divmod(closes, 60))

    states = draw(st.lists(st.sampled_from(["FL", "IN", "NY", "CA", "AK"]), unique=True))
    return Hours(states={state: one() for state in states})


@given(day=DAYS, hours=any_hours(), address=PLACES, phone=PLACES)
def test_a_minute_is_in_the_window_just_if_every_zone_and_state_allows_it(
    day: date, hours: Hours, address: Place, phone: Place
) -> None:
    found = call_window(day, hours, address, phone)
    zones = [ZoneInfo(name) for name in address.zones | phone.zones]
    allowed = [hours.states.get(state, hours.default) for state in address.states | phone.states]
    allowed.append(FEDERAL)
    start = datetime.combine(day, time(), UTC) - timedelta(hours=14)
    first = day.toordinal() % 7  # every seventh minute, each in one of seven days
    for minute in range(first, 54 * 60, 7):
        moment = start + timedelta(minutes=minute)
        there = [moment.astimezone(zone) for zone in zones]
        may = all(
            local.date() == day and opens <= local.time() < closes
            for local in there
            for opens, closes in allowed
        )
        assert may == (found is not None and may_call(found, moment))


@given(day=DAYS, hours=any_hours(), address=PLACES, phone=PLACES)
def test_the_window_of_two_places_is_inside_that_of_each(
    day: date, hours: Hours, address: Place, phone: Place
) -> None:
    both = call_window(day, hours, address, phone)
    for place in (address, phone):
        alone = call_window(day, hours, place)
        if both is not None:
            assert alone is not None
            assert alone.opens <= both.opens < both.closes <= alone.closes
