from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import publication, retraction
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.publication import NotProvenError
from etl_dagster_tests.warehouse.conftest import CHUNK, DAY, FRESH, NEXT, NOW, POLICY, Tables

A, B, C, D = (4075550100 + n for n in range(4))
LATER = NOW + timedelta(hours=1)


def publish(tables: Tables, chunk: Chunk = CHUNK, *, policy: Policy = POLICY, **when: Any) -> int:
    return publication.publish(
        tables.session,
        chunk,
        policy,
        ask_again=lambda phones: phones[:0],
        moment=when.get("moment", NOW),
        run_id="r",
    )


def published(tables: Tables, view: str = "CALLABLE_LEADS") -> dict[str, tuple[Any, ...]]:
    """Lead to its date and phones."""
    rows = tables.rows(f"SELECT * FROM {view}")
    assert len({(row["LEAD_ID"], row["CAMPAIGN"]) for row in rows}) == len(rows)
    return {
        row["LEAD_ID"]: (row["LEAD_DATE"], row["PHONE_1"], row["PHONE_2"], row["PHONE_3"])
        for row in rows
    }


def callable_lead(tables: Tables, name: str, *phones: int, chunk: Chunk = CHUNK) -> None:
    tables.lead(name, *phones, chunk=chunk)
    tables.judged(name, *["CALLABLE" for _ in phones], chunk=chunk)


def test_phones_that_are_not_callable_are_masked(tables: Tables) -> None:
    tables.lead("mixed", A, B, C)
    tables.judged("mixed", "BLOCKED", "CALLABLE", "UNKNOWN")
    tables.lead("blocked", A)
    tables.judged("blocked", "BLOCKED")
    tables.lead("none")
    tables.judged("none")
    tables.cleared(B)
    tables.noted("dnc", Verdict.LISTED, A)
    assert publish(tables) == 1
    assert published(tables) == {"mixed": (CHUNK.lead_date, None, B, None)}


def test_a_clear_phone_that_was_not_decided_callable_stays_masked(tables: Tables) -> None:
    tables.lead("mixed", A, B)
    tables.judged("mixed", "UNKNOWN", "CALLABLE")
    tables.cleared(A, B)
    publish(tables)
    assert published(tables) == {"mixed": (CHUNK.lead_date, None, B, None)}


def test_what_the_proof_refuses_leaves_what_was_published(tables: Tables) -> None:
    """What it refuses is in `test_every_story.py`."""
    callable_lead(tables, "before", D)
    tables.cleared(D)
    publish(tables)
    callable_lead(tables, "lead", A)
    tables.noted("dnc", Verdict.CLEAR, A)
    tables.noted("ccc", Verdict.CLEAR, A, at=NOW - timedelta(seconds=1))
    tables.noted("ccc", Verdict.LISTED, A, chunk=NEXT)
    assert publication.count_unproven(tables.session, CHUNK, POLICY) == 1
    with pytest.raises(NotProvenError, match="1 phones were decided CALLABLE without valid CLEAR"):
        publish(tables)
    assert published(tables) == {"before": (CHUNK.lead_date, D, None, None)}


def test_what_ccc_said_under_another_policy_cleared_a_phone_when_it_was_decided(
    tables: Tables,
) -> None:
    callable_lead(tables, "lead", A)
    tables.said("ccc", Verdict.CLEAR, A, policy=replace(POLICY, dnc_lists=("national",)))
    tables.said("dnc", Verdict.CLEAR, A)
    tables.said("dnc", Verdict.LISTED, A, at=LATER)
    assert publish(tables) == 0  # listed since, which is no contradiction


def test_a_decision_of_no_known_moment_is_held_to_all_that_is_on_record(tables: Tables) -> None:
    tables.lead("lead", A)
    tables.judged("lead", "CALLABLE", at=None)
    tables.cleared(A)
    assert publish(tables) == 1
    tables.noted("dnc", Verdict.LISTED, A, at=LATER)
    with pytest.raises(NotProvenError):
        publish(tables)


def test_a_decision_on_no_phone_is_a_contradiction_too(tables: Tables) -> None:
    tables.lead("lead", None, A)
    tables.judged("lead", "CALLABLE", "CALLABLE")
    tables.cleared(A)
    with pytest.raises(NotProvenError, match="chunk 00: 1 phones"):
        publish(tables)
    assert published(tables) == {}


def test_a_decision_of_two_moments_is_one_phone_without_proof(tables: Tables) -> None:
    for name, at in (("early", NOW), ("late", LATER)):
        tables.lead(name, A)
        tables.judged(name, "CALLABLE", at=at)
    assert publication.count_unproven(tables.session, CHUNK, POLICY) == 1


def test_an_answer_is_valid_no_longer_than_the_policy_in_force_allows(tables: Tables) -> None:
    callable_lead(tables, "lead", A)
    three, two = (replace(POLICY, ccc_ttl_days=days) for days in (3, 2))
    tables.cleared(A, at=NOW - timedelta(days=2), policy=three)
    assert publish(tables, policy=three) == 1
    assert tables.session.rows("SELECT callable_until FROM CALLABLE_LEADS") == [
        (NOW + timedelta(days=1),)
    ]
    tables.noted("dnc", Verdict.CLEAR, A, at=NOW, policy=two)
    assert publish(tables, policy=two) == 0
    assert published(tables) == {}


def test_what_the_lists_said_under_another_policy_proves_nothing(tables: Tables) -> None:
    callable_lead(tables, "lead", A)
    tables.cleared(A)
    longer = replace(POLICY, dnc_lists=("national",))
    with pytest.raises(NotProvenError, match=longer.hash[:8]):
        publish(tables, policy=longer)
    tables.noted("dnc", Verdict.CLEAR, A, at=LATER, policy=longer)
    assert publish(tables, policy=longer) == 1  # what CCC said is of no policy


def test_what_the_lists_blocked_under_another_policy_stays_blocked(tables: Tables) -> None:
    callable_lead(tables, "lead", A)
    tables.noted("ccc", Verdict.CLEAR, A)
    other = replace(POLICY, required_sources=("ccc",))
    tables.noted("dnc", Verdict.LISTED, A)
    with pytest.raises(NotProvenError):
        publish(tables, policy=other)


def test_every_phone_of_a_lead_is_proved(tables: Tables) -> None:
    callable_lead(tables, "lead", A, B, C)
    tables.cleared(A, B)
    with pytest.raises(NotProvenError, match="chunk 00: 1 phones"):
        publish(tables)
    tables.cleared(C)
    assert publish(tables) == 1


def test_a_source_that_is_not_required_blocks_but_need_not_clear(tables: Tables) -> None:
    callable_lead(tables, "lead", A)
    tables.noted("ccc", Verdict.CLEAR, A)
    ccc_alone = replace(POLICY, required_sources=("ccc",))
    assert publish(tables, policy=ccc_alone) == 1
    tables.noted("dnc", Verdict.LISTED, A)
    with pytest.raises(NotProvenError):
        publish(tables, policy=ccc_alone)


def test_callable_until_is_the_first_end_of_the_published_phones(tables: Tables) -> None:
    first = FRESH - timedelta(days=3)
    tables.lead("lead", A, B, C)
    tables.judged("lead", "CALLABLE", "CALLABLE", "BLOCKED")
    tables.noted("ccc", Verdict.CLEAR, A, B)
    tables.noted("dnc", Verdict.CLEAR, A, C)
    tables.noted("dnc", Verdict.CLEAR, B, until=first)
    tables.noted("ccc", Verdict.CLEAR, C, until=NOW + timedelta(minutes=1))  # masked: no matter
    tables.noted("dnc", Verdict.LISTED, C)
    publish(tables)
    assert tables.session.rows("SELECT callable_until FROM CALLABLE_LEADS") == [(first,)]


def test_callable_until_heeds_a_source_that_is_not_required_as_the_view_does(
    tables: Tables,
) -> None:
    first = FRESH - timedelta(days=3)
    callable_lead(tables, "lead", A)
    tables.noted("ccc", Verdict.CLEAR, A, until=first)
    lists_alone = replace(POLICY, required_sources=("dnc",))
    tables.noted("dnc", Verdict.CLEAR, A, policy=lists_alone)
    assert publish(tables, policy=lists_alone) == 1
    assert tables.session.rows("SELECT callable_until FROM CALLABLE_LEADS") == [(first,)]


def test_publishing_again_keeps_the_moment_unless_phones_changed(tables: Tables) -> None:
    tables.lead("lead", A, B)
    tables.judged("lead", "CALLABLE", "BLOCKED")
    tables.cleared(A, B)
    publish(tables)
    publish(tables, moment=LATER)
    assert tables.session.rows("SELECT published_at FROM CALLABLE_LEADS") == [(NOW,)]
    tables.session.execute("UPDATE DNC_FILTERED SET phone_2_verdict = 'CALLABLE'")
    publish(tables, moment=LATER)
    assert tables.session.rows("SELECT published_at FROM CALLABLE_LEADS") == [(LATER,)]


def test_who_is_no_longer_callable_or_no_longer_a_lead_is_retracted(tables: Tables) -> None:
    for name, phone in (("stays", A), ("turns", B), ("leaves", C)):
        callable_lead(tables, name, phone)
    tables.cleared(A, B, C)
    assert publish(tables) == 3
    tables.session.execute("DELETE FROM LEADS WHERE lead_id = 'leaves'")
    tables.session.execute("DELETE FROM DNC_FILTERED WHERE lead_id <> 'stays'")
    tables.judged("turns", "BLOCKED")
    assert publish(tables) == 1
    assert set(published(tables)) == {"stays"}


def test_the_newest_day_has_a_lead_and_an_older_one_does_not_take_it_back(tables: Tables) -> None:
    for chunk in (CHUNK, NEXT):
        callable_lead(tables, "both", A, chunk=chunk)
    callable_lead(tables, "old", B)
    tables.cleared(A, B)
    publish(tables)
    assert published(tables)["both"][0] == CHUNK.lead_date
    publish(tables, NEXT)
    expected = {
        "both": (NEXT.lead_date, A, None, None),
        "old": (CHUNK.lead_date, B, None, None),
    }
    assert published(tables) == expected
    publish(tables)
    assert published(tables) == expected


def test_a_newer_day_that_blocks_a_lead_retracts_the_older_row(tables: Tables) -> None:
    callable_lead(tables, "both", A)
    callable_lead(tables, "old", B)
    tables.cleared(A, B)
    publish(tables)
    tables.lead("both", A, chunk=NEXT)
    tables.judged("both", "BLOCKED", chunk=NEXT)
    publish(tables, NEXT)
    assert set(published(tables)) == {"old"}


def test_a_lead_of_two_campaigns_is_published_for_each(tables: Tables) -> None:
    for campaign in ("walk_in", "mailing"):
        tables.lead("lead", A, campaign=campaign)
        tables.judged("lead", "CALLABLE", campaign=campaign)
    tables.cleared(A)
    assert publish(tables) == 2


def test_a_publication_that_fails_half_way_leaves_what_was_published(tables: Tables) -> None:
    callable_lead(tables, "lead", A)
    tables.cleared(A)
    publish(tables)
    before = published(tables)
    tables.session.execute("ALTER TABLE CALLABLE_LEADS ADD COLUMN surplus VARCHAR")
    try:
        with pytest.raises(WarehouseError):
            publish(tables)
    finally:
        tables.session.execute("ALTER TABLE CALLABLE_LEADS DROP COLUMN surplus")
    assert published(tables) == before != {}


# --- the view to dial from --------------------------------------------------------------------


def now_callable(tables: Tables) -> None:
    """Two leads that may be dialled at the moment of the query."""
    far = NOW + timedelta(days=36_500)
    callable_lead(tables, "one", A, B)
    callable_lead(tables, "two", C)
    tables.cleared(A, B, C, until=far)
    publish(tables)
    assert set(published(tables, "CALLABLE_NOW")) == {"one", "two"}


def test_callable_now_drops_what_has_run_out(tables: Tables) -> None:
    now_callable(tables)
    tables.session.execute(
        "UPDATE CALLABLE_LEADS SET callable_until = DATEADD(second, -1, SYSDATE())"
        " WHERE lead_id = 'one'"
    )
    assert set(published(tables, "CALLABLE_NOW")) == {"two"}


def test_a_source_that_is_asked_no_more_hides_only_whom_it_did_not_clear(tables: Tables) -> None:
    now_callable(tables)
    tables.noted("ccc_full", Verdict.CLEAR, A, at=NOW, until=NOW)  # and ran out long ago
    tables.noted("ccc_full", Verdict.LISTED, B, at=LATER)
    assert publish(tables) == 2
    assert published(tables, "CALLABLE_NOW") == {
        "one": (CHUNK.lead_date, A, None, None),
        "two": (CHUNK.lead_date, C, None, None),
    }


def test_an_unknown_after_a_listing_brings_nobody_back(tables: Tables) -> None:
    now_callable(tables)
    tables.noted("ccc", Verdict.LISTED, C, at=LATER)
    tables.noted("ccc", Verdict.UNKNOWN, C, at=LATER + timedelta(hours=1))
    assert set(published(tables, "CALLABLE_NOW")) == {"one"}


def test_a_lead_that_two_hosts_published_at_once_is_shown_once(tables: Tables) -> None:
    now_callable(tables)
    tables.session.execute(
        "INSERT INTO CALLABLE_LEADS SELECT lead_id, campaign, DATEADD(day, -1, lead_date), chunk,"
        " phone_1, phone_2, phone_3, callable_until, published_at, policy_hash, run_id"
        " FROM CALLABLE_LEADS"
    )
    assert published(tables, "CALLABLE_NOW")["two"] == (CHUNK.lead_date, C, None, None)


def test_a_lead_that_two_chunks_of_a_day_published_is_shown_as_the_later_did(
    tables: Tables,
) -> None:
    now_callable(tables)
    tables.session.execute(
        "INSERT INTO CALLABLE_LEADS SELECT lead_id, campaign, lead_date, 1, phone_1, NULL, NULL,"
        " callable_until, DATEADD(second, IFF(lead_id = 'one', 1, -1), published_at),"
        " policy_hash, run_id FROM CALLABLE_LEADS"
    )
    for name in ("one", "two"):
        tables.lead(name, A, chunk=Chunk(CHUNK.lead_date, 1))
    assert published(tables, "CALLABLE_NOW") == {
        "one": (CHUNK.lead_date, A, None, None),
        "two": (CHUNK.lead_date, C, None, None),
    }
    rows = tables.session.rows("SELECT lead_id, published_at FROM CALLABLE_NOW ORDER BY lead_id")
    assert rows == [("one", NOW + timedelta(seconds=1)), ("two", NOW)]


def test_callable_now_has_nobody_whose_lead_is_gone(tables: Tables) -> None:
    now_callable(tables)
    tables.session.execute("DELETE FROM LEADS WHERE lead_id = 'one'")
    assert set(published(tables, "CALLABLE_NOW")) == {"two"}


# --- retraction -------------------------------------------------------------------------------


def test_retraction_takes_out_phones_and_leads_without_any_left(tables: Tables) -> None:
    now_callable(tables)
    assert retraction.published_chunks(tables.session, moment=NOW) == [CHUNK]
    assert set(retraction.published_phones(tables.session, CHUNK, moment=NOW)) == {A, B, C}
    assert retraction.retract(tables.session, CHUNK, np.array([A, C, D])) == 1
    assert published(tables) == {"one": (CHUNK.lead_date, None, B, None)}
    assert set(retraction.published_phones(tables.session, CHUNK, moment=NOW)) == {B}


def test_retraction_leaves_a_lead_its_last_phone_wherever_it_stands(tables: Tables) -> None:
    for name, phones in (("first", (A, B, B)), ("second", (B, A, B)), ("third", (B, B, A))):
        callable_lead(tables, name, *phones)
    tables.cleared(A, B)
    publish(tables)
    assert retraction.retract(tables.session, CHUNK, np.array([B])) == 0
    assert {name: phones for name, (_, *phones) in published(tables).items()} == {
        "first": [A, None, None],
        "second": [None, A, None],
        "third": [None, None, A],
    }


def test_retraction_leaves_other_chunks_and_what_has_run_out_alone(tables: Tables) -> None:
    callable_lead(tables, "one", A)
    callable_lead(tables, "two", A, chunk=NEXT)
    tables.cleared(A)
    publish(tables)
    publish(tables, NEXT)
    assert retraction.published_chunks(tables.session, moment=FRESH) == []
    assert not len(retraction.published_phones(tables.session, CHUNK, moment=FRESH))
    assert retraction.retract(tables.session, CHUNK, np.array([A])) == 1
    assert set(published(tables)) == {"two"}


def test_callable_now_has_the_people_and_only_once(tables: Tables) -> None:
    now_callable(tables)
    callable_lead(tables, "one", A, chunk=NEXT)  # the same lead in another day's partition
    rows = tables.rows("SELECT lead_id, first_name FROM CALLABLE_NOW ORDER BY lead_id")
    assert [row["FIRST_NAME"] for row in rows] == ["one", "two"]


# --- conservation -----------------------------------------------------------------------------


def test_conservation_holds_where_each_lead_is_judged_once(tables: Tables) -> None:
    for kind in ("CALLABLE", "BLOCKED", "UNKNOWN", "INVALID"):
        tables.lead(kind, A)
        tables.judged(kind, lead=kind)
    found = publication.check_conservation(tables.session, CHUNK)
    assert (found.leads, found.judged, found.violations) == (4, 4, 0)
    assert publication.check_conservation(tables.session, NEXT).violations == 0


def test_conservation_finds_what_is_lost_twice_or_of_no_class(tables: Tables) -> None:
    lost, twice, stranger, no_class, lead_twice, elsewhere = (Chunk(DAY, n) for n in range(6))
    for chunk in (lost, twice, stranger, no_class, lead_twice, elsewhere):
        for name in ("a", "b"):
            tables.lead(name, A, chunk=chunk)
        tables.judged("a", "BLOCKED", chunk=chunk)
    for chunk in (twice, stranger, lead_twice):
        tables.judged("b", "BLOCKED", chunk=chunk)
    tables.judged("b", "CALLABLE", chunk=twice)
    tables.judged("c", "BLOCKED", chunk=stranger)
    tables.judged("b", lead="PERHAPS", chunk=no_class)
    tables.lead("b", B, chunk=lead_twice)
    tables.judged("b", "BLOCKED", campaign="mailing", chunk=elsewhere)
    for chunk in (lost, twice, stranger, no_class, lead_twice, elsewhere):
        assert publication.check_conservation(tables.session, chunk).violations > 0, chunk
