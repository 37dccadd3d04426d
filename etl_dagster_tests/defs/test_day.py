"""A day of the sample from end to end, against an oracle that sees everything."""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from etl_dagster.cli import main
from etl_dagster.leads.phones import parse_phone
from etl_dagster.leads.policy import Policy
from etl_dagster.sandbox.data import sample_contacts
from etl_dagster.sandbox.local import SAMPLE_DAYS
from etl_dagster.warehouse.funnel import read_day
from etl_dagster_tests.calling.oracle import (
    UnplacedError,
    call_window,
    may_call,
    of_address,
    of_phone,
)
from etl_dagster_tests.defs.conftest import SAMPLE_NUMBERS
from etl_dagster_tests.defs.line import DAY, TODAY, Line
from etl_dagster_tests.stand_ins import is_covered, is_listed, is_litigator

Row = dict[str, Any]
PLACES = (1, 2, 3)


def key(text: str | None) -> str:
    """What the identity of a person keeps of a name or street."""
    return re.sub(r"[\s!-/:-@\[-`{-~]+", " ", (text or "").upper()).strip(" ")


def zip_key(text: str | None) -> str:
    digits = re.search("[0-9]+", text or "")
    return digits[0].rjust(5, "0")[:5] if digits else ""


def identity(row: Row) -> tuple[str, str, str, str]:
    names = (key(row["FIRST_NAME"]), key(row["LAST_NAME"]), key(row["ADDRESS"]))
    return (*names, zip_key(row["ZIP"]))


@cache
def lists_of(phone: int) -> frozenset[str]:
    return is_listed(phone, numbers=SAMPLE_NUMBERS)


@cache
def verdict(phone: int) -> str:
    """What must be decided on a phone, by whoever knows the sandbox's and the lists' secrets."""
    if is_litigator(phone) or lists_of(phone):
        return "BLOCKED"
    return "CALLABLE" if is_covered(phone) else "UNKNOWN"


def lead_verdict(verdicts: list[str]) -> str:
    if not verdicts:
        return "INVALID"
    return next(one for one in ("CALLABLE", "UNKNOWN", "BLOCKED") if one in verdicts)


@pytest.fixture(scope="module")
def leads(sample: Line) -> list[Row]:
    return sample.rows("SELECT * FROM LEADS")


@pytest.fixture(scope="module")
def judged(sample: Line) -> dict[tuple[str, str], Row]:
    rows = sample.rows("SELECT * FROM DNC_FILTERED")
    assert len({(row["LEAD_ID"], row["CAMPAIGN"]) for row in rows}) == len(rows)
    return {(row["LEAD_ID"], row["CAMPAIGN"]): row for row in rows}


def phones_of(lead: Row) -> list[int | None]:
    """The lead's phones by place, read in Python from the text; a repeated one counts once."""
    numbers: list[int | None] = []
    for place in PLACES:
        raw = lead[f"PHONE_{place}_RAW"]
        number = None if raw is None else parse_phone(raw)
        numbers.append(None if number in numbers else number)
    return numbers


def test_a_lead_is_its_normalised_identity_in_the_chunk_of_its_id(leads: list[Row]) -> None:
    assert len(leads) > 2_000
    for lead in leads:
        text = "|".join(identity(lead))
        if "" in identity(lead)[2:]:  # no street, or no ZIP
            raw = (lead[f"PHONE_{place}_RAW"] or "" for place in PLACES)
            text = "|".join([text, *(re.sub("[^0-9]", "", phone) for phone in raw)])
        assert lead["LEAD_ID"] == hashlib.sha256(text.encode()).hexdigest()
        assert lead["CHUNK"] == int(lead["LEAD_ID"][:4], 16) % 4


def test_every_phone_is_read_as_python_reads_it(leads: list[Row]) -> None:
    for lead in leads:
        assert [lead[f"PHONE_{place}"] for place in PLACES] == phones_of(lead)


def test_contacts_fill_in_the_three_best_phones(leads: list[Row]) -> None:
    people: dict[tuple[str, str, str, str], set[tuple[bool, int, str]]] = defaultdict(set)
    for back in range(1, SAMPLE_DAYS + 1):
        for row in sample_contacts(TODAY - timedelta(days=back)).to_pylist():
            raw = (row["PHONE"] or "").strip(" ")
            if raw:
                people[identity(row)].add((parse_phone(raw) is None, row["RANK"], raw))
    compared = 0
    for lead in leads:
        if lead["CAMPAIGN"] != "refi_high_rate":  # brings no phones of its own
            continue
        best: list[str] = []
        seen: set[int | str] = set()
        contacts = people[identity(lead)] if all(identity(lead)) else ()
        for _, _, raw in sorted(contacts):
            number = parse_phone(raw) or raw
            if number not in seen:
                seen.add(number)
                best.append(raw)
        expected = [*best, None, None, None][:3]
        assert [lead[f"PHONE_{place}_RAW"] for place in PLACES] == expected
        compared += bool(best)
    assert compared > 500


def test_every_lead_and_phone_is_decided_as_the_oracle_says(
    leads: list[Row], judged: dict[tuple[str, str], Row]
) -> None:
    kinds: Counter[str] = Counter()
    for lead in leads:
        row = judged[lead["LEAD_ID"], lead["CAMPAIGN"]]
        expected = [None if phone is None else verdict(phone) for phone in phones_of(lead)]
        assert [row[f"PHONE_{place}_VERDICT"] for place in PLACES] == expected
        assert row["LEAD_VERDICT"] == lead_verdict([one for one in expected if one])
        for place, phone in zip(PLACES, phones_of(lead), strict=True):
            named = row[f"PHONE_{place}_LISTS"]
            listed = frozenset() if phone is None else lists_of(phone)
            assert set((named or "").split(",")) - {""} == listed
        kinds.update([row["LEAD_VERDICT"]])
    assert min(kinds[kind] for kind in ("CALLABLE", "BLOCKED", "UNKNOWN", "INVALID")) > 0


def test_exactly_the_callable_leads_and_phones_are_published(
    sample: Line, leads: list[Row]
) -> None:
    expected = {}
    for lead in leads:
        phones = [p if p and verdict(p) == "CALLABLE" else None for p in phones_of(lead)]
        if any(phones):
            expected[lead["LEAD_ID"], lead["CAMPAIGN"]] = phones
    published = {
        (row["LEAD_ID"], row["CAMPAIGN"]): [row[f"PHONE_{place}"] for place in PLACES]
        for row in sample.rows("SELECT * FROM CALLABLE_LEADS")
    }
    assert published == expected
    assert sample.count("CALLABLE_LEADS") == len(expected) == sample.count("CALLABLE_NOW")


def test_the_view_to_dial_from_shows_just_whom_the_hours_allow_now(sample: Line) -> None:
    def may(lead: Row, phone: int, moment: datetime) -> bool:
        try:
            places = of_address(lead["STATE"], lead["ZIP"]), of_phone(phone)
        except UnplacedError:
            return False
        days = (moment.date() + timedelta(days=n) for n in (-1, 0, 1))
        windows = [call_window(day, hours, *places) for day in days]
        return any(may_call(window, moment) for window in windows if window)

    hours = Policy.load().hours
    before = datetime.now(UTC)
    rows = sample.rows("SELECT * FROM CALLABLE_WITHIN_HOURS")
    after = datetime.now(UTC)
    shown = {(row["LEAD_ID"], row["CAMPAIGN"]): row for row in rows}
    for lead in sample.rows("SELECT * FROM CALLABLE_NOW"):
        row = shown.pop((lead["LEAD_ID"], lead["CAMPAIGN"]), {})
        for place in PLACES:
            phone = lead[f"PHONE_{place}"]
            if phone is not None:
                found = row.get(f"PHONE_{place}") == phone
                assert found in {may(lead, phone, before), may(lead, phone, after)}
    assert not shown
    days = sample.rows("SELECT MIN(call_date) AS first, MAX(call_date) AS last FROM CALL_WINDOWS")
    assert days == [{"FIRST": TODAY - timedelta(days=1), "LAST": TODAY + timedelta(days=32)}]


def test_litigators_are_told_by_ccc(sample: Line) -> None:
    rows = sample.rows("SELECT DISTINCT phone, verdict FROM PHONE_VERDICTS WHERE source = 'ccc'")
    assert rows
    assert all((row["VERDICT"] == "LISTED") == is_litigator(row["PHONE"]) for row in rows)
    assert sample.bought() == {row["PHONE"] for row in rows}
    assert not sample.bought_twice()


def test_every_lead_ends_in_exactly_one_class(
    sample: Line, leads: list[Row], judged: dict[tuple[str, str], Row]
) -> None:
    assert {(lead["LEAD_ID"], lead["CAMPAIGN"]) for lead in leads} == set(judged)
    with sample.session() as session:
        day = read_day(session, DAY)
    by_campaign = Counter(lead["CAMPAIGN"] for lead in leads)
    assert {name: funnel.extracted for name, funnel in day.campaigns.items()} == by_campaign
    for funnel in [*day.campaigns.values(), day.total]:
        classes = funnel.no_phone + funnel.invalid + funnel.unknown + funnel.blocked
        assert classes + funnel.callable == funnel.extracted
        assert funnel.litigator + funnel.dnc == funnel.blocked
        assert min(number for name, number in vars(funnel).items() if name != "full_scrub") > 0
    verdicts = Counter(row["LEAD_VERDICT"] for row in judged.values())
    assert day.total.callable == verdicts["CALLABLE"]
    assert day.total.blocked == verdicts["BLOCKED"]
    assert day.total.unknown == verdicts["UNKNOWN"]
    assert day.total.no_phone + day.total.invalid == verdicts["INVALID"]


def test_the_funnel_counts_distinct_phones_by_verdict_and_list(
    sample: Line, leads: list[Row]
) -> None:
    with sample.session() as session:
        day = read_day(session, DAY)
    pairs = {(lead["CAMPAIGN"], phone) for lead in leads for phone in phones_of(lead) if phone}
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    listed: Counter[str] = Counter()
    for campaign, phone in pairs:
        expected[campaign][verdict(phone)] += 1
        listed.update(lists_of(phone))
    assert {name: dict(counts) for name, counts in day.phones.items()} == expected
    assert day.lists == listed
    unknown = sum(counts["UNKNOWN"] for counts in expected.values())
    assert day.reasons == {"dnc:not_covered": unknown}


def test_each_chunk_tells_why_its_phones_are_not_callable(sample: Line) -> None:
    key = dg.AssetKey("dnc_filtered")
    events = sample.instance.fetch_materializations(key, limit=100).records
    assert len({event.partition_key for event in events}) == 4
    for event in events:
        found = event.asset_materialization
        assert found is not None
        numbers = {name: value.value for name, value in found.metadata.items()}
        rows = re.findall(r"\| (\S+:\S+) \| ([\d,]+) \|", numbers["why_not_callable"])
        causes = {cause: int(count.replace(",", "")) for cause, count in rows}
        assert set(causes) == {"ccc:listed", "dnc:listed", "dnc:unknown"}
        assert causes["dnc:listed"] == numbers["phones_dnc_listed"]
        assert causes["dnc:unknown"] == numbers["phones_unknown"]
        blocked = numbers["phones_blocked"]
        assert max(causes["ccc:listed"], causes["dnc:listed"]) < blocked
        assert blocked <= causes["ccc:listed"] + causes["dnc:listed"]


def test_the_command_line_says_of_every_phone_what_the_run_said(sample: Line) -> None:
    said = {
        row["PHONE"]: row["VERDICT"].lower()
        for row in sample.rows(
            "SELECT TO_VARCHAR(phone) AS phone, verdict FROM PHONE_VERDICTS WHERE source = 'dnc'"
        )
    }
    answer = CliRunner().invoke(
        main,
        ["dnc", "check", "-"],
        input="\n".join(said),
        env={**sample.environment, "ETL_POLICY_FILE": None, "DNC_DB_PATH": None},
    )
    assert answer.exit_code == 0, answer.output
    told = {row["phone"]: row["verdict"] for row in csv.DictReader(answer.stdout.splitlines())}
    assert told == said
    assert set(said.values()) == {"clear", "listed", "unknown"}


def test_zips_are_five_digits_and_attributes_keep_the_other_columns(leads: list[Row]) -> None:
    zips = [lead["ZIP"] for lead in leads if lead["ZIP"] is not None]
    assert all(re.fullmatch("[0-9]{5}", text) for text in zips)
    assert any(text.startswith("0") for text in zips)
    assert len(zips) > 0.95 * len(leads)
    assert all('"Balance"' in lead["ATTRIBUTES"] for lead in leads if "refi" in lead["CAMPAIGN"])
