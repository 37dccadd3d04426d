from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl_dagster.leads.campaign_errors import (
    CampaignColumnError,
    CampaignEmptyError,
    CampaignSqlError,
)
from etl_dagster.leads.campaigns import Campaign, load_campaign
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.extraction import ExtractCount, Extraction
from etl_dagster_tests.warehouse.conftest import CHUNK, DAY, FRESH, NOW, Tables

EARLIER = DAY - timedelta(days=1)
A, B, C, D, E = (4075550100 + n for n in range(5))
COLUMNS = ("first_name", "last_name", "address", "zip", "phone_1", "phone_2", "phone_3", "email_1")


@pytest.fixture
def contacts(tables: Tables) -> Tables:
    tables.session.execute(
        "CREATE OR REPLACE TABLE CONTACTS (first_name VARCHAR, last_name VARCHAR, address VARCHAR,"
        " zip VARCHAR, phone VARCHAR, email VARCHAR, rank NUMBER(3, 0))"
    )
    return tables


@pytest.fixture
def campaign(tmp_path: Path, contacts: Tables) -> Any:
    """Make a campaign that returns these rows, as text."""

    def make(
        *rows: dict[str, Any], name: str = "walk_in", columns: Sequence[str] = COLUMNS
    ) -> Campaign:
        table = f"SOURCE_{name.upper()}"
        declared = ", ".join(f"{column} VARCHAR" for column in columns)
        contacts.session.execute(f"CREATE OR REPLACE TABLE {table} ({declared})")
        if rows:
            filled = [{column.upper(): row.get(column) for column in columns} for row in rows]
            contacts.insert(table, *filled)
        return sql_campaign(tmp_path, f"SELECT * FROM {table}", name=name)

    return make


def sql_campaign(folder: Path, text: str, *, name: str = "walk_in") -> Campaign:
    path = folder / f"{name}.sql"
    path.write_text(text, encoding="utf-8")
    return load_campaign(path)


def contact(tables: Tables, phone: str | None, rank: int, **changes: Any) -> None:
    row = {**ADA, "phone": phone, "email": None, "rank": rank, **changes}
    kept = {
        name.upper(): row[name]
        for name in ("first_name", "last_name", "address", "zip", "phone", "email", "rank")
    }
    tables.insert("CONTACTS", kept)


ADA = {
    "first_name": "Ada", "last_name": "Quackenbush", "address": "1 Larkspur Row", "zip": "02139",
}  # fmt: skip


def extraction(tables: Tables, *campaigns: Campaign, **changes: Any) -> Extraction:
    options: dict[str, Any] = {
        "chunks": 1,
        "contacts_table": "CONTACTS",
        "policy_hash": "p",
        "force": False,
        "moment": NOW,
        "run_id": "r1",
        **changes,
    }
    day = options.pop("day", DAY)
    return Extraction(tables.session, day, campaigns, **options)


def extract(tables: Tables, *campaigns: Campaign, **changes: Any) -> list[ExtractCount]:
    work = extraction(tables, *campaigns, **changes)
    counts = work.stage()
    for number in range(changes.get("chunks", 1)):
        work.write(Chunk(changes.get("day", DAY), number))
    return counts


def leads(tables: Tables, day: date = DAY) -> list[dict[str, Any]]:
    return tables.rows(
        f"SELECT * FROM LEADS WHERE lead_date = '{day}' ORDER BY first_name, campaign"
    )


def test_counts_add_up_to_the_leads_written(contacts: Tables, campaign: Any) -> None:
    walk_in = campaign(
        {**ADA, "phone_1": str(A)},
        {**ADA, "first_name": " ada ", "address": "1 LARKSPUR row."},  # Ada again
        {**ADA, "first_name": "Bea", "phone_1": str(B)},
        {**ADA, "first_name": None},
        {**ADA, "last_name": " - "},
    )
    mailing = campaign({**ADA}, name="mailing")
    counts = extract(contacts, mailing, walk_in)
    assert [str(count) for count in counts] == [
        "campaign mailing: 1 rows, 0 without names, 0 duplicates, 0 still valid, 1 leads",
        "campaign walk_in: 5 rows, 2 without names, 1 duplicates, 0 still valid, 2 leads",
    ]
    assert contacts.count("LEADS") == sum(count.leads for count in counts) == 3
    # of two rows of one person the one with more phones stands for both
    assert [row["PHONE_1"] for row in leads(contacts) if row["CAMPAIGN"] == "walk_in"] == [A, B]
    assert len({row["LEAD_ID"] for row in leads(contacts)}) == 2


def test_of_rows_of_one_person_the_one_with_the_most_phones_stands_for_all(
    contacts: Tables, campaign: Any
) -> None:
    places = {place: {f"phone_{place}": str(A + place)} for place in (1, 2, 3)}
    first = {**ADA, "first_name": "ADA"}  # in their order, of as many phones
    for place, phone in places.items():
        others = [one for other, one in places.items() if other != place]
        two = {**ADA, **others[0], **others[1]}
        extract(
            contacts,
            campaign({**first, **others[0], **others[1]}, {**two, **phone}, name="three"),
            campaign({**first, **phone}, two, name="two"),
        )
        three, without = ([row[f"PHONE_{other}"] for other in places] for row in leads(contacts))
        assert three == [A + other for other in places]
        assert without == [None if other == place else A + other for other in places]


def test_who_is_the_same_person(contacts: Tables, campaign: Any) -> None:
    same = [
        {"first_name": "ADA"},
        {"last_name": "Quackenbush "},
        {"address": "1  Larkspur Row,"},
        {"zip": "2139"},
        {"zip": "02139-1234"},
    ]
    others = [
        {"first_name": "Bob"},  # co-residents
        {"address": "2 Larkspur Row"},
        {"zip": "02138"},
        {"zip": None},
    ]
    each = [
        campaign(ADA, {**ADA, **changes}, name=f"case_{number}")
        for number, changes in enumerate([*same, *others])
    ]
    written = [1] * len(same) + [2] * len(others)
    assert [count.leads for count in extract(contacts, *each)] == written
    assert contacts.count("LEADS") == sum(written)


@pytest.mark.parametrize("lacks", [{"address": " - "}, {"zip": None}, {"address": None, "zip": ""}])
def test_who_has_no_whole_address_is_known_by_phones_alone(
    contacts: Tables, campaign: Any, lacks: dict[str, Any]
) -> None:
    ada = {**ADA, **lacks}
    contact(contacts, str(D), 1, **lacks)  # of somebody of that name
    walk_in = campaign(
        {**ada, "phone_1": str(A)},
        {**ada, "phone_1": f"(407) 555-{A % 10_000:04d}"},  # the same person
        {**ada, "phone_1": str(B)},
        {**ada, "phone_2": str(A)},
        {**ada, "phone_3": str(A)},
        ada,
    )
    (count,) = extract(contacts, walk_in)
    assert (count.duplicates, count.leads) == (1, 5)
    phones = [[row[f"PHONE_{place}"] for place in (1, 2, 3)] for row in leads(contacts)]
    assert sorted(phones, key=str) == sorted(
        [[A, None, None], [B, None, None], [None, A, None], [None, None, A], [None] * 3], key=str
    )


def test_a_numeric_zip_and_phone_are_read_like_text(contacts: Tables, tmp_path: Path) -> None:
    number = sql_campaign(
        tmp_path,
        "SELECT 'Ada' AS first_name, 'Quackenbush' AS last_name, '1 Larkspur Row' AS address,"
        f" 2139::NUMBER(9, 0) AS zip, {A}::NUMBER(10, 0) AS phone, 7.5::FLOAT AS score",
    )
    text = sql_campaign(
        tmp_path,
        "SELECT 'Ada' AS first_name, 'Quackenbush' AS last_name, '1 Larkspur Row' AS address,"
        f" '02139' AS zip, '{A}' AS phone",
        name="text",
    )
    extract(contacts, number, text)
    first, second = leads(contacts)
    assert first["LEAD_ID"] == second["LEAD_ID"]
    assert first["ZIP"] == second["ZIP"] == "02139"
    assert first["PHONE_1"] == second["PHONE_1"] == A


def test_a_phone_that_a_lead_has_twice_is_one_phone(contacts: Tables, campaign: Any) -> None:
    extract(
        contacts,
        campaign({**ADA, "phone_1": f"({str(A)[:3]}) 555-0100", "phone_2": str(A), "phone_3": "x"}),
    )
    (lead,) = leads(contacts)
    assert [lead[f"PHONE_{place}"] for place in (1, 2, 3)] == [A, None, None]
    assert lead["PHONE_3_RAW"] == "x"


def test_contacts_fill_in_for_leads_without_a_phone(contacts: Tables, campaign: Any) -> None:
    contact(contacts, "n/a", 1)
    contact(contacts, f"1-{A}", 5, first_name=" ada", zip="02139-9999", email="b@example.org")
    contact(contacts, str(B), 2, address="1 LARKSPUR ROW", email="a@example.org")
    contact(contacts, str(A), 9)  # Ada's A again, with a worse rank
    contact(contacts, str(C), 3, email="c@example.org")
    contact(contacts, str(D), 4)
    contact(contacts, str(E), 1, first_name="Bob")  # who lives with her
    contact(contacts, str(E), 1, zip="02138")
    own = {f"email_{place}": f"own_{place}@example.org" for place in (1, 2, 3)}
    columns = (*COLUMNS, "email_2", "email_3")
    extract(
        contacts,
        campaign({**ADA, **own}, name="emails", columns=columns),
        campaign({**ADA, "email_2": "own_2@example.org"}, name="email", columns=columns),
        campaign({**ADA, "phone_2": "own"}, name="phone"),
        campaign(ADA, {**ADA, "first_name": "Cem"}),  # of whom no contact is known
    )
    one, three, phone, ada, cem = leads(contacts)
    assert [ada[f"PHONE_{place}"] for place in (1, 2, 3)] == [B, C, D]
    emails = [[lead[f"EMAIL_{at}"] for at in (1, 2, 3)] for lead in (three, one, ada)]
    assert [" ".join(some).replace("@example.org", "") for some in emails] == [
        "own_1 own_2 own_3", "a own_2 b", "a c b",
    ]  # fmt: skip
    assert [phone[f"PHONE_{place}_RAW"] for place in (1, 2, 3)] == [None, "own", None]
    assert [cem[f"PHONE_{place}_RAW"] for place in (1, 2, 3)] == [None, None, None]


def test_all_other_columns_become_attributes(contacts: Tables, tmp_path: Path) -> None:
    text = (
        "SELECT 'Ada' AS first_name, 'Q' AS last_name, '1' AS address, '1' AS zip,"
        " 12.5 AS \"It's 'quoted' \\\\ %s {x}\", NULL AS nothing, '2026-01-02'::DATE AS day"
    )
    extract(contacts, sql_campaign(tmp_path, text))
    found = contacts.session.scalar(
        "SELECT attributes['DAY']::VARCHAR || '|' || OBJECT_KEYS(attributes)[1]::VARCHAR FROM LEADS"
    )
    assert found.startswith("2026-01-02|")


def test_partition_variables_are_the_days(contacts: Tables, tmp_path: Path) -> None:
    text = (
        "SELECT 'Ada' AS first_name, 'Q' AS last_name, '1' AS zip,"
        " $PARTITION_DATE || ' ' || $PARTITION_START || ' ' || $PARTITION_END AS address"
    )
    extract(contacts, sql_campaign(tmp_path, text))
    expected = "2026-11-20 2026-11-20 00:00:00 2026-11-21 00:00:00"
    assert [row["ADDRESS"] for row in leads(contacts)] == [expected]


def still_valid(tables: Tables, campaign: Campaign, **changes: Any) -> int:
    """How many leads an extraction leaves out; it writes none."""
    (count,) = extraction(tables, campaign, **changes).stage()
    assert count.leads + count.still_valid == count.rows
    return count.still_valid


def test_a_lead_that_its_day_has_no_longer_is_extracted_on_its_new_day(
    contacts: Tables, campaign: Any
) -> None:
    walk_in = campaign(ADA)
    extract(contacts, walk_in)
    published(contacts, leads(contacts)[0]["LEAD_ID"], until=FRESH)
    contacts.cleared(A)
    assert still_valid(contacts, walk_in) == 1
    extract(contacts, campaign({**ADA, "first_name": "Bob"}), day=EARLIER)  # not published yet
    assert still_valid(contacts, campaign(ADA)) == 0


def published(
    tables: Tables,
    lead_id: str,
    *,
    until: datetime,
    day: date = EARLIER,
    phone: int = A,
    slot: int = 1,
) -> None:
    phones = ", ".join(str(phone) if place == slot else "NULL" for place in (1, 2, 3))
    tables.session.execute(
        f"INSERT INTO CALLABLE_LEADS SELECT '{lead_id}', 'walk_in', '{day}', 0, {phones},"
        f" '{until.replace(tzinfo=None)}', '2026-11-19', 'p', 'r'"
    )
    if day != DAY:
        tables.session.execute(
            "INSERT INTO LEADS (lead_date, chunk, lead_id, campaign, extracted_at, run_id)"
            f" SELECT '{day}', 0, '{lead_id}', 'walk_in', '2026-11-19', 'r'"
        )


def test_leads_that_another_day_published_are_left_out_while_valid(
    contacts: Tables, campaign: Any
) -> None:
    walk_in = campaign(ADA, {**ADA, "first_name": "Bob"})
    extract(contacts, walk_in)
    ada = leads(contacts)[0]["LEAD_ID"]
    later = datetime(2026, 11, 25, tzinfo=UTC)
    published(contacts, ada, until=later, day=DAY)  # this day's own
    assert still_valid(contacts, walk_in) == 0
    contacts.session.execute("DELETE FROM CALLABLE_LEADS")
    published(contacts, ada, until=later)
    (count,) = extract(contacts, walk_in)
    assert (count.still_valid, count.leads) == (1, 1)
    assert [row["FIRST_NAME"] for row in leads(contacts)] == ["Bob"]
    assert still_valid(contacts, walk_in, force=True) == 0
    assert still_valid(contacts, walk_in, policy_hash="another policy") == 0
    for moment, left_out in ((timedelta(days=1, microseconds=1), 1), (timedelta(days=1), 0)):
        # what runs out too soon is not valid
        assert still_valid(contacts, walk_in, moment=later - moment) == left_out


def test_leads_that_are_no_longer_shown_are_extracted_again(
    contacts: Tables, campaign: Any
) -> None:
    since = [
        (Verdict.CLEAR, NOW, False),
        (Verdict.CLEAR, NOW + timedelta(days=1), False),  # runs out too soon
        (Verdict.CLEAR, FRESH, True),
        (Verdict.UNKNOWN, None, False),
        (Verdict.LISTED, FRESH, False),
    ]
    cases = [(source, *said) for source in ("ccc", "dnc") for said in since]
    # a source that not every run asks may have said so long ago, as for CALLABLE_NOW
    cases += [("ccc_full", *said[:2], said[0] is Verdict.CLEAR) for said in since]
    walk_in = campaign(*({**ADA, "first_name": f"Ada {at}"} for at in range(len(cases))))
    extract(contacts, walk_in)
    people = {row["LEAD_ID"]: phone for phone, row in enumerate(leads(contacts), A)}
    for at, (lead_id, phone) in enumerate(people.items()):
        slot = 1 + (at + at // len(since)) % 3  # what is said of each source is of each place
        published(contacts, lead_id, until=FRESH, phone=phone, slot=slot)
    contacts.cleared(*people.values())
    assert still_valid(contacts, walk_in) == len(people)
    for phone, (source, verdict, until, _) in zip(people.values(), cases, strict=True):
        contacts.noted(source, verdict, phone, at=NOW + timedelta(hours=1), until=until)
    extract(contacts, walk_in)
    assert {row["LEAD_ID"] for row in leads(contacts)} == {
        lead_id for lead_id, (*_, valid) in zip(people, cases, strict=True) if not valid
    }
    other = A + len(people)
    contacts.session.execute(
        f"UPDATE CALLABLE_LEADS SET phone_1 = IFF(phone_3 IS NULL, phone_1, {other}),"
        f" phone_2 = IFF(phone_1 IS NULL, phone_2, {other}),"
        f" phone_3 = IFF(phone_2 IS NULL, phone_3, {other})"
    )
    assert still_valid(contacts, walk_in) == len(people)  # by their other phones


def test_only_the_chunk_and_day_written_are_replaced(contacts: Tables, campaign: Any) -> None:
    people = [{**ADA, "first_name": f"Ada{letter}"} for letter in "abcdefgh"]
    for name in ("walk_in", "mailing"):
        work = extraction(contacts, campaign(*people, name=name), chunks=2)
        work.stage()
        for number in (0, 1):
            work.write(Chunk(DAY, number), everything=False)
    assert contacts.count("LEADS") == 16
    work = extraction(contacts, campaign(people[0], name="walk_in"), chunks=2, run_id="r2")
    work.stage()
    written = [work.write(Chunk(DAY, number), everything=False) for number in (0, 1)]
    assert sum(written) == 1
    assert contacts.count("LEADS", "campaign = 'mailing' AND run_id = 'r1'") == 8
    assert contacts.count("LEADS", "campaign = 'walk_in'") == 1
    work.write(Chunk(DAY, 0))
    assert contacts.count("LEADS", "campaign = 'mailing' AND chunk = 0") == 0
    assert contacts.count("LEADS", "campaign = 'mailing'") > 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SELECT 'Ada' AS first_name, 'Q' AS last_name, '1' AS zip", CampaignColumnError),
        ("SELECT * FROM NO_SUCH_TABLE", CampaignSqlError),
        ("SELECT first_name FROM CONTACTS WHERE", CampaignSqlError),
        (f"SELECT {', '.join(COLUMNS[:4])} FROM CONTACTS", CampaignEmptyError),
        (
            (
                "SELECT CAST(first_name AS NUMBER)::VARCHAR AS first_name, last_name, address, zip"
                " FROM CONTACTS"
            ),
            CampaignSqlError,
        ),
    ],
)
def test_a_campaign_that_fails_leaves_leads_alone(
    contacts: Tables, campaign: Any, tmp_path: Path, text: str, error: type[Exception]
) -> None:
    good = campaign(ADA, name="good")
    extract(contacts, good)
    before = leads(contacts)
    if error is CampaignSqlError:
        contact(contacts, str(A), 1)
    with pytest.raises(error, match=r"zzz\.sql") as caught:
        extract(contacts, good, sql_campaign(tmp_path, text, name="zzz"))
    assert "Ada" not in str(caught.value)
    assert leads(contacts) == before


def test_campaigns_without_rows_can_be_told_instead_of_refused(
    contacts: Tables, campaign: Any
) -> None:
    empty, good = campaign(name="empty"), campaign(ADA)
    told: list[CampaignEmptyError] = []
    counts = extraction(contacts, empty, good).stage(on_empty=told.append)
    assert [(count.campaign, count.rows) for count in counts] == [("empty", 0), ("walk_in", 1)]
    assert [error.path for error in told] == [empty.path]


def test_extracting_twice_gives_the_same_rows(contacts: Tables, campaign: Any) -> None:
    twins = [
        {**ADA, "phone_1": str(phone), "email_1": f"{phone}@example.org"} for phone in (B, A, C)
    ]
    walk_in = campaign(*twins)
    extract(contacts, walk_in)
    before = leads(contacts)
    again = campaign(*reversed(twins))
    extract(contacts, again)
    assert leads(contacts) == before
    assert before[0]["CHUNK"] == CHUNK.number


def test_a_write_that_fails_half_way_leaves_the_chunk_as_it_was(
    contacts: Tables, campaign: Any
) -> None:
    extract(contacts, campaign(ADA))
    before = leads(contacts)
    work = extraction(contacts, campaign({**ADA, "first_name": "Bob"}))
    work.stage()
    contacts.session.execute("DROP TABLE DAY_LEADS")  # what is written after the old is deleted
    with pytest.raises(WarehouseError):
        work.write(CHUNK)
    assert leads(contacts) == before
