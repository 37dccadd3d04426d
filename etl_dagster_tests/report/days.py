"""Days for the tests of the page, and strategies that make more of them."""

from datetime import date

from hypothesis import strategies as st

from etl_dagster.warehouse.day_ledger import Answers, DayLedger
from etl_dagster.warehouse.funnel import Day, Funnel

DAY = Day(
    lead_date=date(2026, 11, 20),
    campaigns={
        "mailing": Funnel(extracted=1_000, unknown=1_000),
        "walk_in": Funnel(extracted=234, dnc=34, blocked=34, callable=200),
    },
    phones={"walk_in": {"CALLABLE": 1_250, "BLOCKED": 3}},
    lists={"national": 2, "internal": 1},
    reasons={"dnc:stale": 12_345},
)
EMPTY = Day(lead_date=DAY.lead_date, campaigns={}, phones={}, lists={}, reasons={})
WEEK_BEFORE = Day(lead_date=date(2026, 11, 13), campaigns={}, phones={}, lists={}, reasons={})
LEDGER = DayLedger(
    phones=1_253,
    endpoints={
        "https://ccc.example/v1.5/Scrub/litigator": Answers(asked=2_540, requests=3, answered=2_500)
    },
    unanswered={"timeout": 40},
    list_versions={"internal@3;national@12": 1_253},
)
NOTHING = DayLedger(endpoints={}, unanswered={}, list_versions={})

HOSTILE = (
    "a|b",
    "a\\|b",
    "`a|b`",
    "x\n| y | z |",
    "![i](http://a)",
    "<img src=x>",
    "**b**",
    "&#124;",
)
"""Names that would break a table, or become something else than text."""
names = st.text(min_size=1, max_size=40) | st.sampled_from(HOSTILE)


@st.composite
def funnels(draw: st.DrawFn) -> Funnel:
    few = st.integers(0, 5) | st.integers(0, 1_000_000)
    no_phone, invalid, litigator, dnc, full, unknown, callable_ = (draw(few) for _ in range(7))
    return Funnel(
        extracted=no_phone + invalid + litigator + dnc + full + unknown + callable_,
        no_phone=no_phone,
        invalid=invalid,
        litigator=litigator,
        dnc=dnc,
        full_scrub=full,
        unknown=unknown,
        blocked=litigator + dnc + full,
        callable=callable_,
    )


def days() -> st.SearchStrategy[Day]:
    """Days of campaigns with whatever names."""
    return st.builds(
        Day,
        lead_date=st.just(DAY.lead_date),
        campaigns=st.dictionaries(names, funnels(), max_size=5),
        phones=st.dictionaries(names, st.just({"CALLABLE": 1}), max_size=3),
        lists=st.dictionaries(names, st.integers(0, 10**6), max_size=3),
        reasons=st.dictionaries(names, st.integers(0, 10**6), max_size=3),
    )
