"""The numbers of a day and of the thirty days before it."""

from datetime import timedelta

import pytest

from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight.usual import Rate
from etl_dagster.warehouse.statistics import lead_counts, listed_rates
from etl_dagster_tests.warehouse.conftest import DAY, Tables

WORDS = [
    (0, ("LISTED", "CLEAR", "UNKNOWN"), ("CLEAR", "CLEAR", None)),
    (0, ("CLEAR", None, None), ("LISTED", "LISTED", "LISTED")),
    (1, ("UNKNOWN", None, None), ("UNKNOWN", None, "CLEAR")),
    (30, ("CLEAR", "CLEAR", "LISTED"), ("CLEAR", None, None)),
    (31, ("LISTED", None, None), ("LISTED", None, None)),
    (-1, ("LISTED", None, None), ("LISTED", None, None)),
]
"""Days before the day, and what CCC and the lists said of a lead's phones."""


def before(days: int) -> Chunk:
    return Chunk(DAY - timedelta(days=days), 0)


@pytest.fixture
def said(tables: Tables) -> Tables:
    for number, (days, ccc, dnc) in enumerate(WORDS):
        name, chunk = f"lead {number}", before(days)
        tables.lead(name, chunk=chunk)
        place = {"LEAD_DATE": chunk.lead_date, "CHUNK": 0, "LEAD_ID": name, "CAMPAIGN": "walk_in"}
        other = {"PHONE_1_CCC": "LISTED", "PHONE_2_CCC": "LISTED", "PHONE_3_CCC": "LISTED"}
        mine = dict(zip(other, ccc, strict=True))
        for source, words in (("ccc_full", other), (None if number % 2 else "ccc", mine)):
            tables.insert("CCC_ENRICHED", {**place, **words, "RUN_ID": "r", "SOURCE": source})
        lists = {f"PHONE_{slot}_DNC": word for slot, word in enumerate(dnc, 1)}
        rest = {"LEAD_VERDICT": "UNKNOWN", "LEAD_REASON": "", "POLICY_HASH": "p", "RUN_ID": "r"}
        tables.insert("DNC_FILTERED", {**place, **lists, **rest})
    return tables


def test_leads_are_counted_by_day(said: Tables) -> None:
    assert lead_counts(said.session, DAY) == (2, [1, 1])
    assert lead_counts(said.session, before(2).lead_date) == (0, [1, 1])
    assert lead_counts(said.session, before(100).lead_date) == (0, [])


def test_who_is_listed_is_counted_among_those_that_a_source_answered_about(said: Tables) -> None:
    assert listed_rates(said.session, "ccc", DAY) == (
        Rate(listed=1, answered=3),
        [Rate(listed=1, answered=3), Rate(listed=0, answered=0)],
    )
    assert listed_rates(said.session, "dnc", DAY) == (
        Rate(listed=3, answered=5),
        [Rate(listed=0, answered=1), Rate(listed=0, answered=1)],
    )
    everybody = Rate(listed=3, answered=3)
    assert listed_rates(said.session, "ccc_full", DAY) == (
        Rate(listed=6, answered=6),
        [everybody, everybody],
    )
    nobody = Rate(listed=0, answered=0)
    assert listed_rates(said.session, "dnc", before(100).lead_date) == (nobody, [])
