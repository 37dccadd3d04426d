import random
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.oversight.findings import (
    Finding,
    Level,
    judge_columns,
    judge_coverage,
    judge_opt_outs,
    judge_readable,
    judge_staleness,
    judge_unknown,
    worst,
)
from etl_dagster.oversight.usual import LEAST_DAYS, Rate, judge_rate, judge_size

RIGHT, LOOK, WRONG = Level.RIGHT, Level.WORTH_A_LOOK, Level.WRONG
WEEK = [1_000, 1_100, 900, 1_050, 950, 1_000, 980]


@pytest.mark.parametrize(
    ("leads", "still_valid", "may_be_empty", "earlier", "level"),
    [
        (1_000, 0, False, WEEK, RIGHT),
        (0, 0, False, WEEK, WRONG),
        (0, 0, False, [], WRONG),
        (0, 12, False, WEEK, LOOK),
        (0, 0, True, WEEK, LOOK),
        (0, 0, True, [], RIGHT),
        (10_000, 0, False, WEEK, RIGHT),
        (10_001, 0, False, WEEK, WRONG),
        (100, 0, False, WEEK, RIGHT),
        (99, 0, False, WEEK, LOOK),
        # too little is known
        (50_000, 0, False, WEEK[:4], RIGHT),
        # small numbers jump
        (90, 0, False, [2] * 7, RIGHT),
        (101, 0, False, [2] * 7, WRONG),
    ],
)
def test_an_extract_is_judged_by_the_median_day(
    leads: int, still_valid: int, earlier: Sequence[int], level: Level, *, may_be_empty: bool
) -> None:
    found = judge_size(leads, still_valid=still_valid, may_be_empty=may_be_empty, earlier=earlier)
    assert found.level is level, found.says


def rates(share: float, *, days: int = 10, answered: int = 5_000) -> list[Rate]:
    return [Rate(listed=round(share * answered) + wobble % 3, answered=answered)
            for wobble in range(days)]  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "answered", "earlier", "level"),
    [
        (1_500, 5_000, rates(0.3), RIGHT),
        (1_600, 5_000, rates(0.3), RIGHT),
        (0, 5_000, rates(0.3), WRONG),
        (800, 5_000, rates(0.3), WRONG),
        (2_500, 5_000, rates(0.3), LOOK),
        # rare things: a small sample says nothing, a large one does
        (0, 500, rates(0.007), RIGHT),
        (0, 50_000, rates(0.007), WRONG),
        # too little is known
        (0, 5_000, rates(0.3, days=LEAST_DAYS - 1), RIGHT),
        (0, 100, rates(0.3), RIGHT),
        (0, 5_000, rates(0.3, answered=100), RIGHT),
        (0, 0, rates(0.3), RIGHT),
        # no share is more than all
        (200, 200, rates(0.9, answered=200), RIGHT),
    ],
)
def test_a_rate_is_judged_by_its_band(
    listed: int, answered: int, earlier: list[Rate], level: Level
) -> None:
    found = judge_rate(Rate(listed=listed, answered=answered), earlier)
    assert found.level is level, found.says


def test_days_of_one_and_the_same_rate_rarely_alarm() -> None:
    draws = random.Random(5)

    def draw() -> Rate:
        return Rate(listed=sum(draws.random() < 0.03 for _ in range(1_000)), answered=1_000)

    history = [draw() for _ in range(30)]
    alarms = sum(judge_rate(draw(), history).level is not RIGHT for _ in range(300))
    assert alarms <= 1


shares = st.builds(Rate, listed=st.integers(0, 1_000), answered=st.integers(1_000, 100_000))


@given(today=shares, earlier=st.lists(shares, max_size=40), more=st.integers(1, 500))
def test_more_listed_phones_are_never_judged_to_be_too_few(
    today: Rate, earlier: list[Rate], more: int
) -> None:
    fewer = judge_rate(today, earlier)
    higher = judge_rate(Rate(listed=today.listed + more, answered=today.answered), earlier)
    if fewer.level is not WRONG:
        assert higher.level is not WRONG
    if not earlier:
        assert fewer.level is RIGHT


@pytest.mark.parametrize(
    ("unknown", "phones", "level"),
    [(0, 100, RIGHT), (0, 0, RIGHT), (4, 100, RIGHT), (5, 100, LOOK), (50, 100, WRONG)],
)
def test_unknown_phones_are_judged_by_their_share(unknown: int, phones: int, level: Level) -> None:
    assert judge_unknown(unknown, phones, warn=0.05, error=0.5).level is level
    assert judge_unknown(0, phones, warn=0, error=0).level is RIGHT


def test_area_codes_without_a_list_are_named_and_phones_are_not() -> None:
    found = judge_coverage({505: 2, 212: 1_200})
    assert found.level is LOOK
    assert found.says == ("no list covers the area codes of 1,202 phones: 212 (1,200), 505 (2)")
    assert judge_coverage({}).level is RIGHT


def test_phones_that_wait_for_a_newer_list_are_wrong() -> None:
    assert judge_staleness(0).level is RIGHT
    assert judge_staleness(1).level is WRONG


@pytest.mark.parametrize(
    ("unreadable", "rows", "level"),
    [(0, 0, RIGHT), (0, 9, RIGHT), (1, 1_000, LOOK), (1, 999, WRONG), (1, 1, WRONG)],
)
def test_opt_outs_that_cannot_be_read_are_never_right(
    unreadable: int, rows: int, level: Level
) -> None:
    found = judge_readable(unreadable, rows, table="CRM.OPT_OUTS")
    assert found.level is level
    assert found.numbers == {"rows": rows, "unreadable": unreadable}


@pytest.mark.parametrize(
    ("waiting", "recorded", "level"),
    [
        ({"published": []}, [], RIGHT),
        ({"published": [4]}, [10], RIGHT),
        ({"published": [4], "in_table": [5]}, [0], LOOK),
        ({"published": [10]}, [], LOOK),
        ({"published": [0, 11, 0]}, [], WRONG),
        ({"in_files": [11]}, [], WRONG),
        ({"in_files": []}, [11], LOOK),
    ],
)
def test_opt_outs_are_due_within_ten_business_days(
    waiting: dict[str, list[int]], recorded: list[int], level: Level
) -> None:
    found = judge_opt_outs(waiting, recorded=recorded)
    assert found.level is level, found.says
    assert found.numbers["waiting"] == sum(map(len, waiting.values()))


def test_columns_that_differ_are_all_named() -> None:
    assert judge_columns([]).level is RIGHT
    found = judge_columns(["LEADS has no column ZIP", "LEADS has no column CITY"])
    assert found.level is WRONG
    assert "ZIP" in found.says
    assert "CITY" in found.says


def test_the_worst_finding_counts_and_of_equals_the_first() -> None:
    right = Finding(level=RIGHT, says="a")
    look, wrong, also = (
        Finding(level=LOOK, says="b"),
        Finding(level=WRONG, says="c"),
        Finding(level=WRONG, says="d"),
    )
    assert worst([]).level is RIGHT
    assert worst([right, look]) is look
    assert worst([look, wrong, also, right]) is wrong


@pytest.mark.parametrize(
    ("judge", "says", "numbers"),
    [
        (
            partial(judge_size, 0, still_valid=0, may_be_empty=False, earlier=WEEK),
            "the day has no lead",
            {"leads": 0, "days_of_history": 7, "median": 1_000},
        ),
        (
            partial(judge_size, 1_234, still_valid=0, may_be_empty=False, earlier=WEEK[:4]),
            "1,234 leads; it takes 5 earlier days to know what is usual",
            {"leads": 1_234, "days_of_history": 4},
        ),
        (
            partial(judge_size, 1_234, still_valid=0, may_be_empty=False, earlier=WEEK[:5]),
            "1,234 leads, where the median of 5 earlier days is 1,000",
            {"leads": 1_234, "days_of_history": 5, "median": 1_000},
        ),
        (
            partial(judge_size, 12_345, still_valid=0, may_be_empty=False, earlier=[1_234] * 5),
            "12,345 leads, where the median of 5 earlier days is 1,234",
            {"leads": 12_345, "days_of_history": 5, "median": 1_234},
        ),
        (
            partial(judge_size, 123, still_valid=0, may_be_empty=False, earlier=[1_231] * 5),
            "123 leads, where the median of 5 earlier days is 1,231",
            {"leads": 123, "days_of_history": 5, "median": 1_231},
        ),
        (
            partial(judge_rate, Rate(listed=1, answered=3), rates(0.3)),
            "33.33% of 3 phones; it takes 5 earlier days and 200 phones to know what is usual",
            {"share": 0.33333, "listed": 1, "answered": 3, "days_of_history": 10},
        ),
        (
            # the least that is known: phones, days, phones of a day
            partial(judge_rate, Rate(listed=70, answered=200), rates(0.3, days=5, answered=200)),
            "35.00% of 200 phones are listed; usual of 5 earlier days is 17.14% to 43.86%",
            {"share": 0.35, "listed": 70, "answered": 200, "days_of_history": 5}
            | {"usual_low": 0.17144, "usual_high": 0.43856},
        ),
        (
            partial(judge_unknown, 1_234, 9_876, warn=0.05, error=0.5),
            "1,234 of 9,876 phones (12.49%) are UNKNOWN",
            {"unknown": 1_234, "phones": 9_876, "share": 0.12495},
        ),
        (partial(judge_coverage, {}), "every area code is covered by a list", {}),
        (
            partial(judge_coverage, {505: 2, 212: 1_200}),
            "no list covers the area codes of 1,202 phones: 212 (1,200), 505 (2)",
            {"phones": 1_202, "area_codes": 2},
        ),
        (partial(judge_staleness, 0), "no list is too old", {}),
        (
            partial(judge_staleness, 1_234),
            "1,234 phones are UNKNOWN because a list, or the copy of it, is too old",
            {"phones": 1_234},
        ),
        (
            partial(judge_readable, 0, 1_234, table="T"),
            "1,234 rows of T can be read",
            {"rows": 1_234, "unreadable": 0},
        ),
        (
            partial(judge_readable, 1_234, 5_678, table="T"),
            (
                "the phone of 1,234 of 5,678 rows of T cannot be read (expected: ten digits,"
                " grouped in any way), so who asked to be left alone in them is not known"
            ),
            {"rows": 5_678, "unreadable": 1_234},
        ),
        (
            partial(judge_opt_outs, {"in_a": [1, 7], "b": []}, recorded=[10, 11, 3]),
            (
                "2 opt-outs wait (2 in a), the oldest for 7 business days of the 10 that are"
                " allowed; 1 of those recorded of late were older than that by then, at most 11"
                " business days"
            ),
            {"waiting": 2, "oldest_waiting_business_days": 7, "waiting_in_a": 2, "waiting_b": 0}
            | {"recorded_of_late": 3, "worst_business_days_to_record": 11},
        ),
        (
            partial(judge_opt_outs, {"a": []}, recorded=[]),
            "no opt-out waits",
            {"waiting": 0, "oldest_waiting_business_days": 0, "waiting_a": 0}
            | {"recorded_of_late": 0, "worst_business_days_to_record": 0},
        ),
        (partial(judge_columns, []), "the tables are as they are declared", {}),
        (partial(judge_columns, ["x", "y"]), "x; y", {"differences": 2}),
        (partial(worst, []), "there was nothing to check", {}),
    ],
)
def test_a_finding_says_what_was_found(
    judge: partial[Finding], says: str, numbers: dict[str, object]
) -> None:
    found = judge()
    assert (found.says, found.numbers) == (says, numbers)
