"""What other policies published, held to the one in force; taking out: `test_publication.py`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import retraction
from etl_dagster_tests.warehouse.conftest import CHUNK, FRESH, NEXT, NOW, POLICY, Tables

SOON, LATE = FRESH - timedelta(microseconds=1), FRESH + timedelta(microseconds=1)
ASIDE = Chunk(CHUNK.lead_date, 1)
OTHER = "of another policy"


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(4075550100, 4075550199))


def one(
    phone: int, slot: int = 0, *, until: datetime = FRESH, chunk: Chunk = CHUNK, policy: str = OTHER
) -> dict[str, Any]:
    """A row of CALLABLE_LEADS: a lead that a policy published with one phone."""
    numbered = {f"PHONE_{place}": phone if place == slot + 1 else None for place in (1, 2, 3)}
    name = f"{phone} {slot} {until} {policy}"
    place = {"LEAD_ID": name, "CAMPAIGN": "walk_in", "LEAD_DATE": chunk.lead_date}
    rest = {"CALLABLE_UNTIL": until, "PUBLISHED_AT": NOW, "POLICY_HASH": policy, "RUN_ID": "r"}
    return {**place, "CHUNK": chunk.number, **numbered, **rest}


def published(tables: Tables, *rows: dict[str, Any]) -> None:
    """Publish leads, which are leads of the day, too."""
    tables.insert("CALLABLE_LEADS", *rows)
    gone = {"CALLABLE_UNTIL", "PUBLISHED_AT", "POLICY_HASH"}
    leads = [{key: row[key] for key in row.keys() - gone} for row in rows]
    tables.insert("LEADS", *({**lead, "EXTRACTED_AT": NOW} for lead in leads))


@pytest.mark.parametrize("slot", range(3))
def test_a_phone_is_held_to_what_the_services_clear_now(
    tables: Tables, numbers: Iterator[int], slot: int
) -> None:
    expected, rows = {}, []

    def case(*, clear: list[datetime | None], ends: list[datetime], unproven: bool) -> None:
        phone = next(numbers)
        rows.extend(one(phone, slot, until=until) for until in ends)
        for until in clear:
            tables.noted("ccc", Verdict.CLEAR, phone, until=until)
        expected[phone] = (max(ends), unproven)

    case(clear=[FRESH], ends=[FRESH], unproven=False)  # the lists are asked afterwards
    case(clear=[LATE], ends=[FRESH], unproven=False)
    case(clear=[SOON], ends=[FRESH], unproven=True)
    case(clear=[], ends=[FRESH], unproven=True)
    case(clear=[None], ends=[FRESH], unproven=True)
    case(clear=[FRESH], ends=[SOON, FRESH], unproven=False)
    case(clear=[FRESH], ends=[LATE, SOON], unproven=True)
    case(clear=[FRESH], ends=[FRESH], unproven=True)
    listed = max(expected)
    tables.noted("dnc", Verdict.LISTED, listed, at=NOW + timedelta(hours=1))
    for chunk in (ASIDE, NEXT):  # the same phones, and others, are published elsewhere for longer
        rows.append(one(min(expected), slot, until=LATE, chunk=chunk))
        rows.append(one(next(numbers), slot, chunk=chunk))
    rows.append(one(next(numbers), slot, policy=POLICY.hash))
    published(tables, *rows)

    found = retraction.published_by_others(tables.session, CHUNK, POLICY)
    assert {
        phone: (until.astype("datetime64[us]").tolist(), unproven)
        for phone, until, unproven in zip(
            found.phones.tolist(), found.until, found.unproven.tolist(), strict=True
        )
    } == {
        phone: (end.replace(tzinfo=None), unproven) for phone, (end, unproven) in expected.items()
    }
    assert len(found.phones) == len(expected)
    for chunk in (ASIDE, NEXT):
        assert len(retraction.published_by_others(tables.session, chunk, POLICY).phones) == 2


def test_a_policy_that_asks_no_service_leaves_phones_to_the_lists(
    tables: Tables, numbers: Iterator[int]
) -> None:
    phone = next(numbers)
    published(tables, one(phone))
    tables.noted("dnc", Verdict.CLEAR, phone)
    for policy, unproven in ((POLICY, True), (replace(POLICY, required_sources=("dnc",)), False)):
        found = retraction.published_by_others(tables.session, CHUNK, policy)
        assert found.unproven.tolist() == [unproven]


def test_the_chunks_that_are_published_are_those_with_leads_that_may_still_be_dialled(
    tables: Tables, numbers: Iterator[int]
) -> None:
    places = [NEXT, ASIDE, CHUNK]
    over, ours = Chunk(NEXT.lead_date, 1), Chunk(NEXT.lead_date, 2)
    published(
        tables,
        *(one(next(numbers), chunk=chunk) for chunk in (*places, *places)),
        one(next(numbers), chunk=over, until=NOW),
        one(next(numbers), chunk=ours, policy=POLICY.hash),
    )

    before, at = NOW - timedelta(microseconds=1), NOW
    chunks = [CHUNK, ASIDE, NEXT]
    assert retraction.published_chunks(tables.session, moment=before) == [*chunks, over, ours]
    assert retraction.published_chunks(tables.session, moment=at) == [*chunks, ours]
    others = retraction.published_chunks(tables.session, moment=at, other_than=POLICY.hash)
    assert others == chunks


@pytest.mark.parametrize("slot", range(3))
def test_the_phones_that_are_published_are_those_of_the_chunk_that_have_not_run_out(
    tables: Tables, numbers: Iterator[int], slot: int
) -> None:
    here = [next(numbers), next(numbers)]
    published(
        tables,
        *(one(phone, slot) for phone in here),
        one(next(numbers), slot, until=NOW),
        *(one(next(numbers), slot, chunk=chunk) for chunk in (ASIDE, NEXT)),
    )
    found = retraction.published_phones(tables.session, CHUNK, moment=NOW)
    assert sorted(found.tolist()) == here


def test_a_phone_that_two_leads_have_is_asked_about_once(
    tables: Tables, numbers: Iterator[int]
) -> None:
    phone = next(numbers)
    published(tables, *(one(phone, slot) for slot in range(3)), one(phone, until=LATE))
    found = retraction.published_phones(tables.session, CHUNK, moment=NOW)
    assert found.tolist() == [phone]
