from dataclasses import replace
from datetime import timedelta

from etl_dagster.report.changes import WEEK, changes_section, rates
from etl_dagster.warehouse.funnel import Day, Funnel
from etl_dagster_tests.report.days import DAY, WEEK_BEFORE


def day(*, weeks_back: int = 0, **campaigns: Funnel) -> Day:
    date = DAY.lead_date - timedelta(weeks=weeks_back)
    return replace(DAY, lead_date=date, campaigns=campaigns)


def test_it_is_the_same_weekday_the_week_before() -> None:
    assert DAY.lead_date - WEEK == WEEK_BEFORE.lead_date
    assert DAY.lead_date.weekday() == WEEK_BEFORE.lead_date.weekday()


def test_every_number_has_its_signed_difference() -> None:
    now = day(
        a=Funnel(extracted=200, callable=100, litigator=10, dnc=20, blocked=30, unknown=70),
        b=Funnel(extracted=50, callable=50),
    )
    then = day(
        weeks_back=1,
        a=Funnel(extracted=250, callable=150, litigator=5, dnc=25, blocked=30, unknown=0),
        b=Funnel(extracted=50, callable=50),
    )
    title, _, table = changes_section(now, then)
    assert title == "## Compared with Friday, 2026-11-13"
    assert table.splitlines()[2:] == [
        "| a | 200 (-50) | 50.0% (-10.0) | 5.0% (+3.0) | 10.0% (0.0) | 35.0% (+35.0) |",
        "| b | 50 (0) | 100.0% (0.0) | 0.0% (0.0) | 0.0% (0.0) | 0.0% (0.0) |",
        "| **all** | 250 (-50) | 60.0% (-6.7) | 4.0% (+2.3) | 8.0% (-0.3) | 28.0% (+28.0) |",
    ]


def test_campaigns_that_came_or_went_are_told_as_such() -> None:
    now, then = (
        day(new=Funnel(extracted=4, callable=3)),
        day(gone=Funnel(extracted=9), weeks_back=1),
    )
    lines = changes_section(now, then)[2].splitlines()
    assert lines[2] == "| gone (none now) | 0 (-9) | — | — | — | — |"
    assert lines[3] == "| new (none then) | 4 (+4) | 75.0% | 0.0% | 0.0% | 0.0% |"
    assert lines[4].startswith("| **all** | 4 (-5) | 75.0% (+75.0) |")


def test_a_day_without_leads_the_week_before_is_said_plainly() -> None:
    assert changes_section(DAY, WEEK_BEFORE) == [
        "## Compared with Friday, 2026-11-13",
        "There are no leads of 2026-11-13, so nothing to compare with.",
    ]


def test_rates_are_shares_of_the_extracted() -> None:
    funnel = Funnel(extracted=8, callable=4, litigator=1, dnc=2, blocked=3, unknown=1)
    assert rates(funnel) == {
        "callable_rate": 0.5,
        "litigator_rate": 0.125,
        "dnc_rate": 0.25,
        "unknown_rate": 0.125,
    }
    assert rates(Funnel()) == {}
