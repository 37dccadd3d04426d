from dataclasses import replace
from datetime import datetime, timedelta

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.day_ledger import Answers, DayLedger, read_day_ledger
from etl_dagster.warehouse.funnel import read_day
from etl_dagster_tests.warehouse.conftest import DAY, NEXT, NOW, Tables, batch_of, origin

A, B, C = 4075550100, 4075550101, 4075550102
LATER = NOW + timedelta(hours=1)


def asked_lists(tables: Tables, versions: str, *phones: int, at: datetime = NOW) -> None:
    """The Do-Not-Call lists in these versions said something of phones."""
    batch = replace(batch_of(phones, Verdict.CLEAR, at=at), list_versions=versions)
    ledger.append(tables.session, [batch], origin=origin("dnc"))


def read(tables: Tables, *, scrubbed_at: datetime = NOW) -> DayLedger:
    return read_day_ledger(tables.session, DAY, scrubbed_at=scrubbed_at)


def test_phones_are_those_of_the_funnel_each_counted_once(tables: Tables) -> None:
    for campaign in ("a", "b"):
        tables.lead("one", A, B, campaign=campaign)
        tables.judged("one", "CALLABLE", "UNKNOWN", campaign=campaign)
    tables.lead("two", C, A, campaign="b")
    tables.judged("two", "BLOCKED", "CALLABLE", campaign="b")
    tables.lead("another day", 4075550103, chunk=NEXT)
    assert read(tables).phones == 3
    by_campaign = read_day(tables.session, DAY).phones
    assert [sum(counts.values()) for counts in by_campaign.values()] == [2, 3]


def test_leads_without_a_decision_are_counted(tables: Tables) -> None:
    tables.lead("decided", A)
    tables.judged("decided", "CALLABLE")
    tables.lead("lost", B)
    assert read(tables).unjudged == 1
    assert read_day(tables.session, DAY).total.unknown == 1


def test_phones_count_each_time_they_were_asked_about(tables: Tables) -> None:
    tables.said("ccc", Verdict.CLEAR, A, B)
    tables.said("ccc", Verdict.LISTED, C)
    tables.said("ccc", Verdict.CLEAR, A, at=LATER)
    tables.said("ccc", Verdict.UNKNOWN, C, at=LATER, reason="timeout")
    tables.said("ccc", Verdict.CLEAR, A, chunk=NEXT)
    tables.said("dnc", Verdict.CLEAR, A)
    found = read(tables)
    assert found.endpoints == {"nowhere": Answers(asked=5, requests=3, answered=4)}
    assert found.full == {}


def test_the_full_scrub_counts_for_itself_and_a_day_on_which_nobody_is_called_is_an_answer(
    tables: Tables,
) -> None:
    tables.said("ccc", Verdict.CLEAR, A, B, C)
    tables.said("ccc_full", Verdict.LISTED, A)
    tables.said("ccc_full", Verdict.UNKNOWN, B, reason="do_not_call_today")
    tables.said("ccc_full", Verdict.UNKNOWN, C, reason="timeout")
    found = read(tables)
    assert found.endpoints == {"nowhere": Answers(asked=3, requests=1, answered=3)}
    assert found.full == {"nowhere": Answers(asked=3, requests=2, answered=2)}


def test_a_phone_is_unanswered_as_long_as_the_newest_word_on_it_is_none(tables: Tables) -> None:
    tables.said("ccc", Verdict.UNKNOWN, A, B, reason="timeout")
    tables.said("ccc", Verdict.UNKNOWN, C, reason="breaker_open")
    tables.said("ccc", Verdict.CLEAR, A, at=LATER)
    tables.said("dnc", Verdict.UNKNOWN, A, reason="stale")
    assert read(tables).unanswered == {"timeout": 1, "breaker_open": 1}


def test_lists_are_those_of_the_days_phones_at_its_scrub(tables: Tables) -> None:
    tables.lead("one", A, B)
    tables.lead("two", C)
    asked_lists(tables, "national@1", A, B, 4075550199, at=NOW - timedelta(days=1))
    asked_lists(tables, "national@2", B, C)
    asked_lists(tables, "national@3", C, at=LATER)  # a retraction
    assert read(tables).list_versions == {"national@1": 1, "national@2": 2}
    assert read(tables, scrubbed_at=LATER).list_versions == {
        "national@1": 1,
        "national@2": 1,
        "national@3": 1,
    }


def test_a_day_of_which_nothing_is_on_record_is_empty(tables: Tables) -> None:
    assert read(tables) == DayLedger(endpoints={}, unanswered={}, list_versions={})
