"""The calling hours in the warehouse.

A test chooses the moment by moving the stored windows to now, never the clock: what the view says
of a moment does not depend on the hour at which the tests run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from etl_dagster.leads.hours import Hours
from etl_dagster.warehouse import call_windows
from etl_dagster_tests.calling.oracle import (
    UnplacedError,
    call_window,
    may_call,
    of_address,
    of_phone,
)
from etl_dagster_tests.warehouse.conftest import Tables
from etl_dagster_tests.warehouse.hours import (
    HONOLULU,
    HOURS,
    LOS_ANGELES,
    MIAMI,
    NEW_YORK,
    NOON,
    TOLL_FREE,
    TORONTO,
    WINTER,
    Lead,
    any_leads,
    at,
    publish_leads,
)


def shown(tables: Tables) -> dict[str, tuple[int | None, ...]]:
    """Each lead that may be called now, and its phones."""
    rows = tables.rows("SELECT * FROM CALLABLE_WITHIN_HOURS")
    assert len({row["LEAD_ID"] for row in rows}) == len(rows)
    return {row["LEAD_ID"]: (row["PHONE_1"], row["PHONE_2"], row["PHONE_3"]) for row in rows}


# --- the view ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 15, 12, 58, tzinfo=UTC), False),
        (datetime(2026, 1, 15, 13, 2, tzinfo=UTC), True),
        (datetime(2026, 1, 16, 0, 58, tzinfo=UTC), True),  # the next day in UTC
        (datetime(2026, 1, 16, 1, 2, tzinfo=UTC), False),
        (datetime(2026, 7, 15, 12, 2, tzinfo=UTC), True),
        (datetime(2026, 7, 16, 0, 2, tzinfo=UTC), False),
    ],
)
def test_a_lead_is_shown_just_within_the_hours(
    tables: Tables, moment: datetime, *, expected: bool
) -> None:
    publish_leads(tables, ("lead", "FL", "33101", (MIAMI,)))
    at(tables, moment)
    assert ("lead" in shown(tables)) is expected


def test_the_rest_of_a_lead_is_as_callable_now_has_it(tables: Tables) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON)
    columns = ["first_name", "last_name", "address", "city", "email_1", "email_2", "email_3"]
    filled = ", ".join(f"{column} = 'its {column}'" for column in columns)
    tables.session.execute(f"UPDATE LEADS SET {filled}")
    (now,) = tables.rows("SELECT * FROM CALLABLE_NOW")
    (row,) = tables.rows("SELECT * FROM CALLABLE_WITHIN_HOURS")
    assert {name: row[name] for name in now} == now
    assert [row[column.upper()] for column in columns] == [f"its {column}" for column in columns]


def test_the_window_of_address_and_area_code_is_told(tables: Tables) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (LOS_ANGELES,)))
    moved = at(tables, NOON)
    (row,) = tables.session.rows(
        "SELECT call_from_utc, call_to_utc, first_name FROM CALLABLE_WITHIN_HOURS"
    )
    expected = call_window(WINTER, HOURS, of_address("NY", "10001"), of_phone(LOS_ANGELES))
    assert expected is not None
    assert row == (expected.opens + moved, expected.closes + moved, "lead")


def test_a_phone_whose_hours_are_over_is_masked_and_the_span_holds_for_the_rest(
    tables: Tables,
) -> None:
    publish_leads(
        tables,
        ("mixed", "NY", "10001", (HONOLULU, NEW_YORK, MIAMI)),
        ("none", "NY", "10001", (HONOLULU, TOLL_FREE)),
    )
    moved = at(tables, NOON)  # 7 o'clock in Honolulu
    assert shown(tables) == {"mixed": (None, NEW_YORK, MIAMI)}
    assert tables.session.rows("SELECT call_from_utc, call_to_utc FROM CALLABLE_WITHIN_HOURS") == [
        (
            datetime(2026, 1, 15, 13, tzinfo=UTC) + moved,
            datetime(2026, 1, 16, 1, tzinfo=UTC) + moved,  # Florida's end
        )
    ]


def test_the_span_ends_when_the_verdicts_run_out(tables: Tables) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    tables.session.execute(
        "UPDATE CALLABLE_LEADS SET callable_until = %(soon)s::TIMESTAMP_NTZ", {"soon": soon}
    )
    assert tables.session.scalar("SELECT call_to_utc FROM CALLABLE_WITHIN_HOURS") == soon


def test_who_has_no_place_is_not_shown(tables: Tables) -> None:
    publish_leads(
        tables,
        ("no address", None, None, (NEW_YORK,)),
        ("wrong state", "NY", "90001", (NEW_YORK,)),
        ("no state of this country", "ON", None, (NEW_YORK,)),
        ("armed forces", None, "34001", (NEW_YORK,)),
        ("toll-free", "NY", "10001", (TOLL_FREE,)),
        ("foreign", "NY", "10001", (TORONTO,)),
        ("state alone", "NY", None, (NEW_YORK,)),
        ("ZIP alone", None, "10001", (NEW_YORK,)),
        ("lower case", " ny", "10001", (NEW_YORK,)),
    )
    at(tables, NOON)
    assert set(shown(tables)) == {"state alone", "ZIP alone", "lower case"}


@pytest.mark.parametrize("table", ["CALL_PLACES", "CALL_WINDOWS"])
def test_without_its_tables_nobody_is_shown(tables: Tables, table: str) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON)
    assert set(shown(tables)) == {"lead"}
    tables.session.execute(f"DELETE FROM {table}")
    assert shown(tables) == {}


def test_the_view_shows_no_one_whom_callable_now_does_not(tables: Tables) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON)
    tables.session.execute("UPDATE CALLABLE_LEADS SET callable_until = '2026-01-01'")
    assert shown(tables) == {}


def test_rows_stored_twice_show_a_lead_once_and_the_narrower_window_counts(
    tables: Tables,
) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    moved = at(tables, NOON)
    tables.session.execute("INSERT INTO CALL_PLACES SELECT * FROM CALL_PLACES")
    tables.session.execute(
        "INSERT INTO CALL_WINDOWS SELECT call_date, address_rule, area_rule, from_utc,"
        " DATEADD(hour, -1, to_utc), 'other' FROM CALL_WINDOWS"
    )
    assert set(shown(tables)) == {"lead"}
    until = tables.session.scalar("SELECT call_to_utc FROM CALLABLE_WITHIN_HOURS")
    assert until == datetime(2026, 1, 16, 1, tzinfo=UTC) + moved


@pytest.mark.parametrize(("opens", "closes"), [(6, 0), (0, -9)])  # 14 to 21, 8 to 12 o'clock
def test_of_windows_stored_twice_the_one_that_is_closed_counts(
    tables: Tables, opens: int, closes: int
) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON + timedelta(hours=1))
    assert set(shown(tables)) == {"lead"}
    tables.session.execute(
        "INSERT INTO CALL_WINDOWS SELECT call_date, address_rule, area_rule,"
        f" DATEADD(hour, {opens}, from_utc), DATEADD(hour, {closes}, to_utc), 'other'"
        " FROM CALL_WINDOWS"
    )
    assert shown(tables) == {}


def test_a_place_with_two_rules_has_none(tables: Tables) -> None:
    publish_leads(tables, ("lead", "NY", "10001", (NEW_YORK,)))
    at(tables, NOON)
    tables.session.execute(
        "INSERT INTO CALL_PLACES SELECT kind, place, 'another', basis FROM CALL_PLACES"
        " WHERE place = 'NY-100'"
    )
    assert shown(tables) == {}


# --- SQL and Python say the same ----------------------------------------------------------------


def expected(leads: Sequence[Lead], moment: datetime) -> dict[str, tuple[int | None, ...]]:
    """What Python says: each lead that may be called at the moment, and its phones."""

    def may(state: str | None, zip_code: str | None, phone: int | None) -> bool:
        if phone is None:
            return False
        try:
            places = of_address(state, zip_code), of_phone(phone)
        except UnplacedError:
            return False
        days = [moment.date() + timedelta(days=n) for n in (-1, 0, 1)]
        windows = [call_window(day, HOURS, *places) for day in days]
        return any(may_call(window, moment) for window in windows if window)

    found = {
        name: tuple(phone if may(state, zip_code, phone) else None for phone in own)
        for name, state, zip_code, own in leads
    }
    return {name: phones for name, phones in found.items() if any(phones)}


@pytest.mark.slow
def test_the_view_shows_whom_python_would_call_at_any_moment(tables: Tables) -> None:
    leads = list(any_leads(1, 120))
    publish_leads(tables, *leads)
    counts = []
    for moment in (
        datetime(2026, 1, 15, 13, 30, tzinfo=UTC),
        datetime(2026, 1, 16, 1, 30, tzinfo=UTC),
        datetime(2026, 1, 16, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 8, 12, 30, tzinfo=UTC),  # the first morning of daylight time
        datetime(2026, 3, 8, 15, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 12, 30, tzinfo=UTC),  # the first without
        datetime(2026, 11, 2, 1, 30, tzinfo=UTC),
        datetime(2026, 7, 15, 20, 30, tzinfo=UTC),
    ):
        at(tables, moment)
        assert shown(tables) == expected(leads, moment), moment
        counts.append(len(shown(tables)))
    assert min(counts) == 0 < max(counts)


# --- keeping the tables up ----------------------------------------------------------------------


def stored(tables: Tables) -> list[dict[str, Any]]:
    return tables.rows("SELECT MIN(call_date), MAX(call_date), COUNT(*) FROM CALL_WINDOWS")


def test_what_is_up_to_date_is_left_alone(tables: Tables) -> None:
    assert call_windows.keep_up(tables.session, HOURS, today=WINTER)
    before = stored(tables)
    assert not call_windows.keep_up(tables.session, HOURS, today=WINTER)
    assert stored(tables) == before
    days = tables.session.rows("SELECT MIN(call_date), MAX(call_date) FROM CALL_WINDOWS")
    assert days == [(WINTER - timedelta(days=1), WINTER + timedelta(days=32))]


@pytest.mark.parametrize("damage", ["a place", "a window", "all windows", "hours", "day"])
def test_what_differs_is_replaced(tables: Tables, damage: str) -> None:
    call_windows.keep_up(tables.session, HOURS, today=WINTER)
    before = stored(tables)
    statement = {
        "a place": "DELETE FROM CALL_PLACES WHERE place = '212'",
        "a window": "DELETE FROM CALL_WINDOWS WHERE call_date = '2026-01-15'",
        "all windows": "DELETE FROM CALL_WINDOWS",
    }.get(damage)
    if statement:
        tables.session.execute(statement)
    hours = Hours(default=(time(9), time(18))) if damage == "hours" else HOURS
    today = WINTER + timedelta(days=damage == "day")
    assert call_windows.keep_up(tables.session, hours, today=today)
    assert not call_windows.keep_up(tables.session, hours, today=today)
    assert (stored(tables) == before) is bool(statement)


def test_a_day_is_refused_on_which_nobody_can_be_called_any_more(tables: Tables) -> None:
    first, days = WINTER - timedelta(days=call_windows.DAYS_BEFORE), timedelta(days=1)
    last = WINTER + timedelta(days=call_windows.DAYS_AHEAD)
    with pytest.raises(call_windows.NoHoursError, match="no calling hours are stored yet"):
        call_windows.check_day(tables.session, WINTER)
    at(tables, datetime.combine(WINTER, time(12), UTC))
    for day in (first - days, last + days):
        with pytest.raises(call_windows.NoHoursError, match=f"for {day}.* of {first} to {last}"):
            call_windows.check_day(tables.session, day)
    with pytest.raises(call_windows.NoHoursError, match=f"hours of {first} are over everywhere"):
        call_windows.check_day(tables.session, first)
    for day in (WINTER, last):
        call_windows.check_day(tables.session, day)


def test_no_stored_window_is_outside_the_federal_hours_anywhere() -> None:
    rows = call_windows.CallWindows.of(HOURS, WINTER, WINTER)
    for *_, window in rows.windows:
        assert timedelta(0) < window.closes - window.opens <= timedelta(hours=13)
    assert {rule for *_, rule in rows.places} >= {
        "08:00-20:00 America/Chicago America/New_York",
        "08:00-21:00 America/New_York",
    }


def test_states_that_share_no_hour_leave_their_places_without_a_rule() -> None:
    hours = Hours(states={"HI": (time(8), time(9)), "AS": (time(20), time(21))})
    places = {place for _, place, _ in call_windows.CallWindows.of(hours, WINTER, WINTER).places}
    assert "-967" not in places
    assert {"HI-967", "AS-967"} <= places
