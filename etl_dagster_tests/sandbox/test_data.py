import re
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.campaign_columns import resolve_columns
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.leads.phones import parse_phone, valid_phones
from etl_dagster.sandbox import lists, sidecar, snowflake
from etl_dagster.sandbox.data import (
    CONTACTS,
    LEADS_PER_DAY,
    PROPERTIES,
    SCHEMA,
    sample_contacts,
    sample_properties,
    sample_tables,
)
from etl_dagster.sandbox.geography import AREA_CODES, STATES
from etl_dagster.sandbox.properties import closing_dates
from etl_dagster.warehouse.session import Session, Warehouse
from etl_dagster_tests.embedded import config_of
from etl_dagster_tests.stand_ins import (
    covered,
    is_covered,
    is_listed,
    listed_by_state,
    listed_internally,
    listed_nationally,
)

DAY = date(2026, 11, 22)
WEEK = [DAY - timedelta(days=back) for back in range(7)]
SMALL = 20_000


def norm(text: str | None) -> str:
    return " ".join((text or "").upper().split())


def owner(row: dict[str, str]) -> tuple[str, str, str, str]:
    """The person of a property row, as the campaigns name it."""
    first = norm(row["LIEN1_BORROWER1_FIRST_NAME"]).partition(" ")[0]
    last = norm(row["LIEN1_BORROWER1_LAST_NAME"])
    return first, last, norm(row["ADDRESS"]), (row["ZIPCODE"] or "")[:5]


def contact(row: dict[str, str]) -> tuple[str, str, str, str]:
    return norm(row["FIRST_NAME"]), norm(row["LAST_NAME"]), norm(row["ADDRESS"]), row["ZIP"][:5]


@pytest.fixture(scope="module")
def properties() -> list[dict[str, str]]:
    return sample_properties(DAY).to_pylist()


@pytest.fixture(scope="module")
def contacts() -> list[dict[str, str]]:
    return sample_contacts(DAY).to_pylist()


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"), [(PROPERTIES, sample_properties), (CONTACTS, sample_contacts)]
)
def test_tables_are_as_declared(name: str, make: object) -> None:
    assert callable(make)
    table = make(DAY)
    ddl = sample_tables()[name]
    declared = dict(re.findall(r"^    (\w+) (.+?),?$", ddl, re.MULTILINE))
    assert table.column_names == list(declared)
    arrow_types = {
        "VARCHAR": pa.types.is_string,
        "NUMBER": pa.types.is_integer,
        "FLOAT": pa.types.is_floating,
        "DATE": pa.types.is_date32,
    }
    for column, declaration in declared.items():
        assert arrow_types[declaration.partition("(")[0]](table.schema.field(column).type), column
    literal = {"LIEN1_INTEREST_RATE_USED": "FLOAT", "RANK": "NUMBER(12,0)", "SOURCE_DATE": "DATE"}
    assert {name: declared[name] for name in literal if name in declared}.items() <= literal.items()
    assert {"RANK", "LIEN1_INTEREST_RATE_USED"} & set(declared)
    assert ddl.startswith(f"CREATE TABLE IF NOT EXISTS PROPERTY_DATA.{name} (")


@pytest.mark.parametrize("make", [sample_properties, sample_contacts])
def test_a_day_is_always_the_same_and_no_other(make: object) -> None:
    assert callable(make)
    day = make(DAY)
    assert day.equals(make(DAY))
    assert not day.drop(["SOURCE_DATE"]).equals(make(WEEK[1]).drop(["SOURCE_DATE"]))
    assert make(date(2020, 2, 29), leads_per_day=10).num_rows > 0


@pytest.mark.parametrize("leads", [0, -1, 20_000_000])
def test_an_impossible_size_is_refused(leads: int) -> None:
    with pytest.raises(ValueError, match="leads, not"):
        sample_properties(DAY, leads_per_day=leads)
    with pytest.raises(ValueError, match="leads, not"):
        sample_contacts(DAY, leads_per_day=leads)


def test_a_big_day_is_quick() -> None:
    started = time.process_time()
    rows = sample_properties(DAY, leads_per_day=50_000).num_rows
    rows += sample_contacts(DAY, leads_per_day=50_000).num_rows
    assert rows > 150_000
    assert time.process_time() - started < 6  # about half of one; a loop over rows: a minute


# --- dates -------------------------------------------------------------------------------------


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_closing_dates_are_as_long_ago_as_the_campaigns_ask(day: date) -> None:
    refi, fha, heloc = closing_dates(day)
    assert (day - fha).days == 210
    for years, closed in ((2, refi), (3, heloc)):
        assert (closed.year, closed.month) == (day.year - years, day.month)
        assert closed.day == day.day or (day.day, closed.day) == (29, 28)


def test_no_row_closed_on_a_date_that_another_day_of_the_week_asks_for() -> None:
    asked = {day: {d.isoformat() for d in closing_dates(day)} for day in WEEK}
    for day in WEEK:
        texts = set(sample_properties(day)["LAST_CLOSE_DATE"].to_pylist())
        plain = {f"{t[6:]}-{t[:2]}-{t[3:5]}" if "/" in t else t for t in texts}
        assert asked[day] <= plain
        assert not any(asked[other] & plain for other in WEEK if other != day)


def test_some_dates_are_written_otherwise_and_some_wrongly(
    properties: list[dict[str, str]],
) -> None:
    dates = Counter(row["LAST_CLOSE_DATE"] for row in properties)
    iso = sum(dates[d.isoformat()] for d in closing_dates(DAY))
    slashed = sum(dates[f"{d:%m/%d/%Y}"] for d in closing_dates(DAY))
    assert 0.05 < slashed / (iso + slashed) < 0.15
    assert {"", "0000-00-00", "2019-02-30", "13/45/2018"} <= set(dates)


# --- dirt --------------------------------------------------------------------------------------


def test_property_rows_are_as_dirty_as_real_ones(properties: list[dict[str, str]]) -> None:
    firsts = [row["LIEN1_BORROWER1_FIRST_NAME"] for row in properties]
    assert {None, "", " "} <= set(firsts)
    assert 0.01 < sum(not norm(first) for first in firsts) / len(firsts) < 0.05
    assert any(len((first or "").split()) == 2 for first in firsts), "middle initials"
    zips = [row["ZIPCODE"] for row in properties if norm(row["ZIPCODE"])]
    assert all(re.fullmatch(r"\d{5}(-\d{4})?", code) for code in zips)
    assert any(code.startswith("0") for code in zips)
    assert any("-" in code for code in zips)
    rows = Counter(tuple(row.values()) for row in properties)
    assert 0.01 < (len(properties) - len(rows)) / len(properties) < 0.04
    by_address: dict[str, set[str]] = {}
    for row in properties:
        if norm(row["ADDRESS"]):
            by_address.setdefault(norm(row["ADDRESS"]) + row["STATE"], set()).add(owner(row)[0])
    assert sum(len(names - {""}) > 1 for names in by_address.values()) > 50, "co-residents"


def test_about_one_row_in_twenty_is_somebody_of_the_days_before() -> None:
    people = [{owner(row) for row in sample_properties(day).to_pylist()} for day in WEEK]
    again = people[0] & set().union(*people[1:])
    assert 0.03 < len(again) / len(people[0]) < 0.08


def test_contacts_belong_to_the_owners_spelt_otherwise(
    properties: list[dict[str, str]], contacts: list[dict[str, str]]
) -> None:
    complete = {
        owner(row) for row in properties if all(owner(row)) and "TRUST" not in owner(row)[1]
    }
    reached = {contact(row) for row in contacts}
    assert 0.88 < len(complete & reached) / len(complete) < 0.96
    exact = {(r["FIRST_NAME"], r["LAST_NAME"], r["ADDRESS"]) for r in contacts}
    assert any(first != first.strip() for first, _, _ in exact)
    assert any(first.isupper() for first, _, _ in exact)
    assert any("  " in address.strip() for _, _, address in exact)


def test_contacts_are_numbered_from_one_and_some_have_more_than_three(
    contacts: list[dict[str, str]],
) -> None:
    ranks: dict[tuple[str, ...], set[int]] = {}
    for row in contacts:
        ranks.setdefault(contact(row), set()).add(int(row["RANK"]))
    assert all(min(found) == 1 and max(found) == len(found) for found in ranks.values())
    assert 0.1 < sum(len(found) > 3 for found in ranks.values()) / len(ranks) < 0.25


def test_a_person_has_the_same_contacts_on_every_day() -> None:
    def by_person(day: date) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
        people: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for row in sample_contacts(day).drop(["SOURCE_DATE"]).to_pylist():
            people.setdefault(contact(row), set()).add(tuple(row.values()))
        return people

    today, yesterday = by_person(DAY), by_person(WEEK[1])
    both = today.keys() & yesterday.keys()
    assert len(both) > 10
    assert all(today[person] == yesterday[person] for person in both)


def test_phones_come_in_the_formats_of_exports(contacts: list[dict[str, str]]) -> None:
    texts = [row["PHONE"] for row in contacts]
    shapes = Counter(re.sub(r"\d", "9", text) for text in texts)
    for shape in ("(999) 999-9999", "999.999.9999", "+9 999 999 9999", "9999999999.9"):
        assert shapes[shape] > 100
    for shape in ("(999) 999-9999 ext. 99", "999999999", "n/a", ""):
        assert shapes[shape] > 5
    valid = [phone for text in texts if (phone := parse_phone(text)) is not None]
    assert 0.95 < len(valid) / len(texts) < 0.99
    assert all(
        phone // 10_000 % 1_000 == 555 and phone // 10_000_000 in AREA_CODES for phone in valid
    )
    owners: dict[int, set[tuple[str, ...]]] = {}
    for row in contacts:
        phone = parse_phone(row["PHONE"])
        if phone:
            owners.setdefault(phone, set()).add(contact(row))
    assert sum(len(people) > 1 for people in owners.values()) > 100


def test_mail_goes_to_reserved_domains_only(contacts: list[dict[str, str]]) -> None:
    mails = [row["EMAIL"] for row in contacts if row["EMAIL"]]
    assert 0.6 < len(mails) / len(contacts) < 0.8
    domains = {mail.lower().partition("@")[2] for mail in mails}
    assert {re.sub(r"^mail\.", "", domain) for domain in domains} == {
        "example.com",
        "example.net",
        "example.org",
        "",
    }


def test_area_codes_are_those_of_a_numbering_plan() -> None:
    codes = np.array(AREA_CODES, dtype=np.int64)
    assert len(np.unique(codes)) == len(codes) > 330
    assert valid_phones(codes * 10_000_000 + 5_550_100).all()
    assert len(STATES) == 51


# --- the sample campaigns on the sample --------------------------------------------------------


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    home = tmp_path_factory.mktemp("sample")
    server = snowflake.start_snowflake(home)
    warehouse = Warehouse(config_of(server, "LEAD_SCRUB", database="SAMPLE"))
    try:
        warehouse.ensure_schema()
        with warehouse.session() as lent:
            lent.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            for name, ddl in sample_tables().items():
                lent.execute(ddl)
                make = sample_properties if name == PROPERTIES else sample_contacts
                for day in WEEK[:2]:
                    lent.load(f"{SCHEMA}.{name}", make(day))
            yield lent
    finally:
        warehouse.close()
        sidecar.stop(snowflake.NAME, home)


@pytest.mark.slow
def test_campaigns_select_each_day_its_own_leads(session: Session) -> None:
    for day in WEEK[:3]:
        session.set_variables(
            {
                "PARTITION_DATE": day.isoformat(),
                "PARTITION_START": f"{day} 00:00:00",
                "PARTITION_END": f"{day + timedelta(days=1)} 00:00:00",
            }
        )
        rows = {}
        for campaign in load_campaigns(Path(__file__).parents[2] / "campaigns"):
            columns = resolve_columns(campaign.path, session.describe(campaign.sql))
            phones = [columns.lead[f"phone_{place}"] is not None for place in (1, 2, 3)]
            assert phones == [campaign.name == "heloc_equity"] * 3
            assert len(columns.attributes) >= 5
            sources = [source.quoted for source in columns.lead.values() if source]
            named = ", ".join(sources + [source.quoted for source in columns.attributes])
            found = session.arrow_table(f"SELECT {named} FROM (\n{campaign.sql}\n) AS campaign")
            rows[campaign.name] = found.num_rows
            if day in WEEK[:2]:
                assert 500 < found.num_rows < 1_500
                names = found["First Name"].to_pylist()
                assert 0 < sum(not norm(name) for name in names) < 0.1 * len(names)
                if campaign.name == "heloc_equity":
                    assert 0.05 < found["Phone 1"].null_count / found.num_rows < 0.2
        total = sum(rows.values())
        if day in WEEK[:2]:
            assert 0.95 * LEADS_PER_DAY < total < 1.05 * LEADS_PER_DAY
        else:
            assert total == 0, "a day that is not loaded"


@pytest.mark.slow
def test_payments_are_those_of_an_annuity(session: Session) -> None:
    session.set_variables({"PARTITION_DATE": DAY.isoformat()})
    refi = next(
        campaign
        for campaign in load_campaigns(Path(__file__).parents[2] / "campaigns")
        if campaign.name == "refi_high_rate"
    )
    found = session.arrow_table(
        f'SELECT "Loan Amount", "Current Rate", "Current Payment" FROM (\n{refi.sql}\n) AS campaign'
    )
    for amount, rate, payment in zip(*found.to_pydict().values(), strict=True):
        owed, months = float(amount), 0
        while owed > payment:
            owed, months = owed * (1 + float(rate) / 1200) - float(payment), months + 1
        assert min(abs(months - term) for term in (180, 240, 360)) <= 1


# --- lists -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lead_phones() -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    texts = pc.drop_null(sample_contacts(DAY, leads_per_day=SMALL)["PHONE"]).to_pylist()
    return np.array([phone for text in texts if (phone := parse_phone(text))], dtype=np.int64)


def test_leads_hit_the_lists_in_the_shares_promised(lead_phones: lists.Phones) -> None:
    assert 0.28 < listed_nationally(lead_phones).mean() < 0.32
    assert 0.02 < listed_by_state(lead_phones).mean() < 0.04
    assert 0.003 < listed_internally(lead_phones).mean() < 0.007
    assert 0.003 < 1 - covered(lead_phones).mean() < 0.015


def read_national(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.namelist()
        text = archive.read(member).decode("ascii")
    assert text.endswith("\n")
    assert all(re.fullmatch(r"\d{3},555\d{4}", line) for line in text.splitlines()[::1_000])
    return np.array(text.replace(",", "").split(), dtype=np.int64)


def test_the_files_hold_what_the_oracle_says(tmp_path: Path, lead_phones: lists.Phones) -> None:
    numbers = 400_000
    written = lists.write_dnc_lists(tmp_path, as_of=DAY, numbers=numbers)
    assert [(one.name, one.kind, one.as_of) for one in written] == [
        ("national", "national", DAY),
        ("state_fl", "state", DAY),
        ("internal", "internal", DAY),
    ]
    national = read_national(written[0].path)
    assert numbers <= len(national) < numbers + len(AREA_CODES)
    assert (np.diff(national) > 0).all()
    root = ET.parse(written[1].path).getroot()  # noqa: S314 - our own file
    state = np.array([int(ac.get("val", "") + ph.get("val", "")) for ac in root for ph in ac])
    internal = np.array(written[2].path.read_text("ascii").split(), dtype=np.int64)
    every = np.unique(np.concatenate([lead_phones, national[::50], internal]))
    for inside, mask in (
        (national, listed_nationally(every, numbers=numbers)),
        (state, listed_by_state(every)),
        (internal, listed_internally(every)),
    ):
        assert mask.any()
        assert (np.isin(every, inside) == mask).all()
    for one, inside in zip(written, (national, state, internal), strict=True):
        assert set(np.unique(inside // 10_000_000).tolist()) == one.covers
    assert written[0].covers == frozenset(AREA_CODES) - lists.UNCOVERED
    phone = int(internal[0])
    assert lists.INTERNAL in is_listed(phone, numbers=numbers)


def test_two_million_numbers_are_written_quickly_and_alike(tmp_path: Path) -> None:
    started = time.process_time()
    first = lists.write_dnc_lists(tmp_path / "a" / "b", as_of=DAY)
    assert time.process_time() - started < 8  # about 2 alone
    second = lists.write_dnc_lists(tmp_path / "c", as_of=DAY)
    for one, other in zip(first, second, strict=True):
        assert one.path.name == other.path.name
        assert str(DAY) in one.path.name
        assert one.path.read_bytes() == other.path.read_bytes()
    with zipfile.ZipFile(first[0].path) as archive:
        written = archive.read(archive.namelist()[0]).count(b"\n")
    assert lists.NUMBERS <= written < lists.NUMBERS + len(AREA_CODES)


@given(st.sampled_from(AREA_CODES), st.integers(0, 9_999))
def test_one_phone_is_judged_as_many_are(area_code: int, subscriber: int) -> None:
    phone = area_code * 10_000_000 + 5_550_000 + subscriber
    many = np.array([phone, phone], dtype=np.int64)
    names = is_listed(phone)
    assert is_covered(phone) == (area_code not in lists.UNCOVERED)
    assert (lists.NATIONAL in names) == listed_nationally(many)[1]
    assert (lists.STATE in names) == listed_by_state(many)[1]
    assert (lists.INTERNAL in names) == listed_internally(many)[1]
    assert lists.NATIONAL not in names or is_covered(phone)
    assert is_listed(phone - 10_000) == frozenset()


@pytest.mark.parametrize("numbers", [0, -5, 4_000_000])
def test_a_list_of_an_impossible_size_is_refused(tmp_path: Path, numbers: int) -> None:
    with pytest.raises(ValueError, match="sample list has"):
        lists.write_dnc_lists(tmp_path, as_of=DAY, numbers=numbers)
