"""Business days around weekends and federal holidays."""

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.oversight.business_days import business_days

DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))


def count(first: str | date, last: str | date) -> int:
    start, end = (np.array([str(day)], "datetime64[us]") for day in (first, last))
    return int(business_days(start, end)[0])


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-11-24T00:00", "2026-11-24T23:59", 0),
        ("2026-11-24T23:59", "2026-11-25T00:00", 1),
        ("2026-11-20", "2026-11-22", 0),  # Friday to Sunday
        ("2026-11-21", "2026-11-23", 1),  # Saturday to Monday
        ("2026-11-25", "2026-11-26", 0),  # Thanksgiving
        ("2026-11-25", "2026-11-27", 1),  # the day after is a business day
        ("2026-11-20", "2026-12-07", 10),
        ("2026-11-20", "2026-12-08", 11),
        ("2026-06-18", "2026-06-19", 0),  # Juneteenth, a Friday
        ("2026-06-18", "2026-06-22", 1),
        ("2020-06-18", "2020-06-19", 1),  # it is a holiday since 2021 only
        ("2026-07-02", "2026-07-03", 0),  # July 4 is a Saturday: Friday is free
        ("2026-07-02", "2026-07-06", 1),
        ("2027-07-02", "2027-07-05", 0),  # July 4 is a Sunday: Monday is free
        ("2027-07-02", "2027-07-06", 1),
        ("2027-12-30", "2027-12-31", 0),  # New Year's Day is a Saturday of the next year
        ("2027-12-30", "2028-01-03", 1),
        ("2026-12-24", "2026-12-28", 1),  # Christmas, a Friday
        ("2026-01-16", "2026-01-20", 1),  # Martin Luther King
        ("2026-10-09", "2026-10-13", 1),  # Columbus Day
        ("2026-11-10", "2026-11-12", 1),  # Veterans Day
        ("2026-11-27", "2026-11-24", 0),  # a clock that was put back
    ],
)
def test_weekends_and_federal_holidays_do_not_count(first: str, last: str, expected: int) -> None:
    assert count(first, last) == expected


def test_a_year_has_its_weekdays_but_eleven_holidays() -> None:
    assert count("2025-12-31", "2026-12-31") == 261 - 11


@given(DAYS, st.integers(0, 60), st.integers(0, 60))
def test_spans_add_up_and_no_weekend_counts(first: date, more: int, further: int) -> None:
    middle = first + timedelta(more)
    last = middle + timedelta(further)
    assert count(first, last) == count(first, middle) + count(middle, last)
    if middle.weekday() >= 5:
        assert count(middle - timedelta(1), middle) == 0


def test_many_at_once_and_none() -> None:
    firsts = np.array(["2026-11-20", "2026-11-24"], "datetime64[us]")
    now = np.array(["2026-11-27"], "datetime64[us]")
    assert business_days(firsts, np.broadcast_to(now, 2)).tolist() == [4, 2]
    assert business_days(firsts[:0], firsts[:0]).tolist() == []


def test_the_holidays_are_not_loaded_at_the_start() -> None:
    code = (
        "import sys, etl_dagster.definitions as d; d.build_defs(); print('holidays' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "False"
