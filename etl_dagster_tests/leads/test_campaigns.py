import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.campaign_columns import LEAD_COLUMNS, Column, resolve_columns
from etl_dagster.leads.campaign_errors import (
    CampaignColumnError,
    CampaignError,
    CampaignFileError,
    CampaignSqlError,
)
from etl_dagster.leads.campaign_sql import SqlTextError, read_query
from etl_dagster.leads.campaigns import (
    Campaign,
    check_query,
    choose,
    find_campaigns,
    load_campaigns,
)

SAMPLES = Path(__file__).parents[2] / "campaigns"
CAMPAIGN = Campaign(name="spring", path=Path("spring.sql"), sql="SELECT 1", code_version="1")


def column_of(
    name: str, type_: str = "TEXT", precision: int | None = None, scale: int | None = None
) -> Column:
    return Column(name, type_, precision, scale)


IDENTITY = tuple(column_of(name) for name in ("First Name", "Last Name", "Address", "Zip"))


def write(folder: Path, text: str | bytes, name: str = "spring.sql") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- the files ---------------------------------------------------------------------------------


def test_the_sample_campaigns_are_read_by_name() -> None:
    campaigns = load_campaigns(SAMPLES)
    names = [campaign.name for campaign in campaigns]
    assert names == ["fha_streamline", "heloc_equity", "refi_high_rate"]
    assert len({campaign.code_version for campaign in campaigns}) == 3
    for campaign in campaigns:
        assert campaign.sql[-1] not in "; \n"
        assert "\r" not in campaign.sql


def test_the_samples_show_what_real_campaigns_have() -> None:
    fha, heloc, refi = ((SAMPLES / f"{c.name}.sql").read_bytes() for c in load_campaigns(SAMPLES))
    assert fha.count(b"\r\n") == fha.count(b"\n") > 20, "checked out with other line ends"
    assert b"\r" not in heloc + refi
    assert b"'%FHA%'" in fha
    assert b"; " in fha
    assert b'"Phone 1"' in heloc
    assert b"Phone 1" not in fha + refi


@pytest.mark.parametrize(
    ("stem", "name"), [("Spring Refi-2", "spring_refi_2"), ("q1_2026", "q1_2026")]
)
def test_the_file_name_is_the_campaign_name(tmp_path: Path, stem: str, name: str) -> None:
    path = write(tmp_path, "SELECT 1", f"{stem}.SQL")
    (campaign,) = load_campaigns(tmp_path)
    assert (campaign.name, campaign.path) == (name, path)


def test_only_sql_files_count(tmp_path: Path) -> None:
    write(tmp_path, "SELECT 1")
    write(tmp_path, b"\xff", ".spring.sql")
    write(tmp_path, "not a campaign", "notes.txt")
    (tmp_path / "old.sql").mkdir()
    assert len(load_campaigns(tmp_path)) == 1


@pytest.mark.parametrize("name", ["2026.sql", "spring!.sql", "prêt.sql", "_.sql", "a.b.sql"])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "SELECT 1", name)
    with pytest.raises(CampaignFileError, match="letters, digits"):
        load_campaigns(tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "SELECT 1", "spring-refi.sql")
    write(tmp_path, "SELECT 2", "spring_refi.sql")
    write(tmp_path, "SELECT 3", "autumn.sql")
    with pytest.raises(CampaignFileError, match=r"spring_refi.sql.*already in spring-refi.sql"):
        load_campaigns(tmp_path)
    found, faults = find_campaigns(tmp_path)
    assert [one.path.name for one in found] == ["autumn.sql", "spring-refi.sql"]
    assert [one.path.name for one in faults] == ["spring_refi.sql"]


def test_no_campaign_and_no_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CampaignFileError, match="at least one"):
        load_campaigns(tmp_path)
    with pytest.raises(CampaignFileError, match="no such folder"):
        load_campaigns(tmp_path / "nowhere")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_refused_by_file(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "SELECT 'Muñoz' AS x".encode(encoding))
    with pytest.raises(CampaignFileError, match="not UTF-8") as caught:
        load_campaigns(tmp_path)
    assert caught.value.path == path
    assert caught.value.__cause__ is None


def test_an_unreadable_file_is_refused_by_file(tmp_path: Path) -> None:
    (tmp_path / "gone.sql").symlink_to(tmp_path / "nothing.sql")
    with pytest.raises(CampaignFileError, match=r"gone\.sql: cannot be read"):
        load_campaigns(tmp_path)


def test_errors_name_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "SELECT 1;\r\n\r\nDELETE FROM leads;\r\n")
    with pytest.raises(CampaignSqlError, match=r"spring\.sql:3: .*DELETE") as caught:
        load_campaigns(tmp_path)
    assert caught.value.path == path
    assert isinstance(caught.value, CampaignError)
    assert isinstance(caught.value.__cause__, SqlTextError)


# --- the text ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "query"),
    [
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1 ; ;\n;", "SELECT 1"),
        ("\ufeffSELECT 1", "SELECT 1"),
        ("SELECT 1 -- one; two\n;-- end; \n/* ; */", "SELECT 1"),
        ("SELECT 1 // one", "SELECT 1"),
        ("-- first; line\r\nSELECT 1\r\nFROM t;\r\n", "-- first; line\nSELECT 1\nFROM t"),
        ("SELECT 'a;b' AS x;", "SELECT 'a;b' AS x"),
        ("SELECT '--' AS x;", "SELECT '--' AS x"),
        ("SELECT 'https://x' AS x;", "SELECT 'https://x' AS x"),
        ("SELECT 'it''s; /*' AS x;", "SELECT 'it''s; /*' AS x"),
        (r"SELECT 'it\'s; --' AS x;", r"SELECT 'it\'s; --' AS x"),
        ('SELECT 1 AS "a;""--";', 'SELECT 1 AS "a;""--"'),
        ("SELECT $$it's; --$$ AS x;", "SELECT $$it's; --$$ AS x"),
        ("SELECT 1 /* ; ' \" */ + 1;", "SELECT 1 /* ; ' \" */ + 1"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("((select 1) union all (select 2));", "((select 1) union all (select 2))"),
        ("SELECT x FROM t WHERE x LIKE '%FHA%%';", "SELECT x FROM t WHERE x LIKE '%FHA%%'"),
        ("SELECT ')' , (1), a[0], $1 FROM t", "SELECT ')' , (1), a[0], $1 FROM t"),
        ("SELECT UPPER(INSERT('a', 1, 0, 'b')) AS x", "SELECT UPPER(INSERT('a', 1, 0, 'b')) AS x"),
        ("SELECT COUNT(update), a AS delete FROM t", "SELECT COUNT(update), a AS delete FROM t"),
        ("SELECT FILTER(a, x -> x > 1) FROM t", "SELECT FILTER(a, x -> x > 1) FROM t"),
        ("SELECT $partition_date, $PARTITION_END", "SELECT $partition_date, $PARTITION_END"),
    ],
)
def test_a_file_is_trimmed_to_its_query(source: str, query: str) -> None:
    assert read_query(source).text == query


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        ("", 1, "no SQL"),
        ("-- SELECT 1\n;", 2, "no SQL"),
        (";;", 1, "no SQL"),
        ("; SELECT 1", 1, "no SQL"),
        ("SELECT 1;\nSELECT 2", 2, "second statement.*SELECT"),
        ("SELECT 1; 'x'", 1, "second statement starts here with quoted text"),
        ("SELECT 1 /*\n*/; -- x\nDROP TABLE leads", 3, "second statement.*DROP"),
        ("\n\nINSERT INTO t SELECT 1", 3, "INSERT; expected is one query"),
        ("(DELETE FROM t)", 1, "DELETE"),
        ("SELECTED", 1, "SELECTED"),
        ("'SELECT'", 1, "starts with quoted text"),
        ("((", 1, "expected is one query"),
        ("SELECT 1) AS a, (SELECT 2", 1, "closes nothing"),
        ("SELECT (1,\n[2)]", 2, "closes nothing"),
        ("SELECT (\n(1)", 1, "never closed"),
        ("SELECT\n'it", 2, "never closed"),
        ("SELECT 'it\\'", 1, "never closed"),
        ('SELECT 1 AS "a', 1, "never closed"),
        ("SELECT 1\n/* /* */ */ * /*", 2, "comment.*never closed"),
        ("SELECT $$it", 1, "never closed"),
        ("SELECT\n$PARTITION_DAY", 2, r"\$PARTITION_DAY; there are \$PARTITION_DATE"),
        ("SELECT 1\n\0", 2, "NUL"),
        ("SELECT 1\n->> DROP TABLE leads", 2, "->> chains"),
        ("WITH a AS (SELECT 1)\nDELETE FROM leads", 2, "DELETE writes"),
        ("WITH a AS (SELECT 1) insert into leads SELECT 1", 1, "INSERT writes"),
        ('WITH a AS (SELECT 1) UPDATE "leads" SET x = 1', 1, "UPDATE writes"),
        ("WITH a AS (SELECT 1)DELETE(SELECT 1)", 1, "DELETE writes"),
        ("WITH a AS (MERGE INTO leads USING b ON 1 = 1) SELECT 1", 1, "MERGE writes"),
    ],
)
def test_anything_but_one_query_is_refused(source: str, line: int, problem: str) -> None:
    with pytest.raises(SqlTextError, match=problem) as caught:
        read_query(source)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("-- may be empty\nSELECT 1", True),
        ("SELECT 1; /* May be empty */", True),
        ("SELECT '-- may be empty'", False),
        ("-- may be empty on Sundays\nSELECT 1", False),
    ],
)
def test_a_comment_allows_for_no_rows(tmp_path: Path, source: str, *, allowed: bool) -> None:
    write(tmp_path, source)
    assert load_campaigns(tmp_path)[0].may_be_empty is allowed


def test_a_typed_query_is_held_to_the_same_rules() -> None:
    assert check_query("SELECT 1; -- all\n") == "SELECT 1"
    with pytest.raises(CampaignSqlError, match="query:1: starts with DROP"):
        check_query("DROP TABLE leads")


def test_a_literal_is_never_quoted_in_an_error() -> None:
    with pytest.raises(SqlTextError) as caught:
        read_query("SELECT 1; 'Jane Roe'")
    assert "Jane" not in str(caught.value)


WRITTEN = "SELECT a, 'b  c' AS x FROM t WHERE a > - 1"


@pytest.mark.parametrize(
    "other",
    [
        "-- note\nSELECT a,\r\n  'b  c' AS x /* why */ FROM t\n\tWHERE a > - 1 ; -- end",
        "\ufeffSELECT a, 'b  c' AS x FROM t WHERE a > - 1",
    ],
)
def test_the_version_ignores_comments_and_layout(other: str) -> None:
    assert read_query(other).version == read_query(WRITTEN).version


@pytest.mark.parametrize(
    "other",
    [
        WRITTEN.replace("b  c", "b c"),
        WRITTEN.replace("a >", "a >="),
        WRITTEN.replace("AS x", "AS X"),
        WRITTEN.replace("'b  c'", '"b  c"'),
    ],
)
def test_the_version_follows_the_query(other: str) -> None:
    assert read_query(other).version != read_query(WRITTEN).version


LITERALS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
QUOTED = st.one_of(
    LITERALS.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"),
    LITERALS.map(lambda text: '"' + text.replace('"', '""') + '"'),
    LITERALS.filter(lambda text: "$" not in text).map(lambda text: f"$${text}$$"),
)
GAPS = st.sampled_from([" ", "\n", " /* ; ' */ ", ' -- ; " $$\n', " // ;'\n", "\t/*\n*/"])


@given(st.lists(st.tuples(QUOTED, GAPS), min_size=1, max_size=5), st.text(" ;\n", max_size=4))
def test_whatever_is_quoted_is_left_alone(parts: list[tuple[str, str]], end: str) -> None:
    query = "SELECT 1" + "".join(f",{gap}{quoted}" for quoted, gap in parts)
    read = read_query(query + end + "-- ; end")
    assert read.text == query
    assert read_query(f"WITH a AS (\n{read.text}\n) SELECT * FROM a").text.endswith("FROM a")


@given(st.text(st.sampled_from("SELECT with'\"$;-/*()\\\n ax1%"), max_size=30))
def test_what_is_accepted_is_one_query_and_stays_one(source: str) -> None:
    try:
        read = read_query(source)
    except SqlTextError:
        return
    assert read_query(read.text) == read
    embedded = read_query(f"SELECT * FROM (\n{read.text}\n) AS campaign")
    assert embedded.text.endswith(") AS campaign")


# --- the columns -------------------------------------------------------------------------------


def test_lead_columns_and_attributes_are_told_apart() -> None:
    described = [*IDENTITY, column_of("Phone 1", "NUMBER", 10, 0), column_of("Loan", "REAL")]
    described += [column_of('The "Note"'), column_of("Seen", "VARIANT")]
    columns = resolve_columns(CAMPAIGN.path, described)
    assert tuple(columns.lead) == LEAD_COLUMNS
    given_ = {role: source.quoted for role, source in columns.lead.items() if source}
    assert given_ == {
        "first_name": '"First Name"',
        "last_name": '"Last Name"',
        "address": '"Address"',
        "zip": '"Zip"',
        "phone_1": '"Phone 1"',
    }
    assert [source.quoted for source in columns.attributes] == [
        '"Loan"',
        '"The ""Note"""',
        '"Seen"',
    ]
    assert columns.lead["phone_1"] == column_of("Phone 1", "NUMBER", 10, 0)


@pytest.mark.parametrize(
    "names",
    [
        ("FIRST_NAME", "LAST_NAME", "ADDRESS", "ZIPCODE"),
        ("FNAME", "LNAME", "STREET", "ZIP5"),
        ("first name", "Last_Name", "Property Address", "Postal-Code"),
        ("OWNER_FIRST_NAME", "OWNER_LAST_NAME", "Street Address", "PROPERTY_ZIP"),
    ],
)
def test_spelling_of_names_does_not_matter(names: tuple[str, ...]) -> None:
    columns = resolve_columns(CAMPAIGN.path, [column_of(name) for name in names])
    found = [source.name for source in columns.lead.values() if source]
    assert found == list(names)
    assert columns.attributes == ()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Phone", "phone_1"),
        ("PHONE1", "phone_1"),
        ("Mobile", "phone_1"),
        ("phone_2", "phone_2"),
        ("Phone Number 3", "phone_3"),
        ("E-Mail", "email_1"),
        ("EMAIL_3", "email_3"),
        ("CITY", "city"),
        ("state code", "state"),
    ],
)
def test_optional_columns_have_aliases_too(name: str, role: str) -> None:
    columns = resolve_columns(CAMPAIGN.path, [*IDENTITY, column_of(name)])
    source = columns.lead[role]
    assert source is not None
    assert source.name == name


@pytest.mark.parametrize("missing", range(4))
def test_a_missing_column_is_named_with_what_would_do(missing: int) -> None:
    roles = ("first_name", "last_name", "address", "zip")
    described = [column for at, column in enumerate(IDENTITY) if at != missing]
    with pytest.raises(CampaignColumnError) as caught:
        resolve_columns(CAMPAIGN.path, [*described, column_of("Loan Officer")])
    message = str(caught.value)
    assert f"spring.sql: the query returns no column for {roles[missing]} (any of" in message
    assert f'AS "{IDENTITY[missing].name}"' in message
    assert '"Loan Officer"' in message


def test_a_query_without_columns_misses_them_all() -> None:
    with pytest.raises(CampaignColumnError, match=r"first_name.*last_name.*address.*zip.*nothing"):
        resolve_columns(CAMPAIGN.path, [])


def test_two_columns_for_one_part_are_refused() -> None:
    described = [*IDENTITY, column_of("Phone"), column_of("Mobile")]
    with pytest.raises(CampaignColumnError, match=r'"Phone" and "Mobile".*phone_1'):
        resolve_columns(CAMPAIGN.path, described)


def test_one_name_twice_is_refused_even_for_attributes() -> None:
    with pytest.raises(CampaignColumnError, match='"Rate" is returned more than once'):
        resolve_columns(CAMPAIGN.path, [*IDENTITY, column_of("Rate"), column_of("Rate", "REAL")])


@pytest.mark.parametrize(
    "name",
    [
        "Cell Phone", "HOME_PHONE", "Phone 4", "phone_number_4", "MobileNumber", "Mobile 2",
        "TELEPHONE", "Cell #", "landline", "Work No", "contact_number_2", "Alt. Number", "Fax",
        "PH1", "PHN_1", "Ph No", "TelNo", "Mob", "MobNo", "Home#", "Cel", "Wireless 1", "Dial",
        "SMS", "Callback", "Number 1",
    ],
)  # fmt: skip
def test_phones_that_would_not_be_scrubbed_are_no_attributes(name: str) -> None:
    for type_, precision in (("TEXT", None), ("NUMBER", 10), ("VARIANT", None), ("REAL", None)):
        with pytest.raises(CampaignColumnError, match="without having been scrubbed") as caught:
            resolve_columns(CAMPAIGN.path, [*IDENTITY, column_of(name, type_, precision, 0)])
        assert f'column "{name}" may hold phones' in str(caught.value)


def test_what_only_sounds_like_a_phone_is_an_attribute() -> None:
    described = [
        column_of("Phones", "NUMBER", 3, 0), column_of("Has Cell", "BOOLEAN"),
        column_of("Phone Seen", "DATE"), column_of("Cancelled"), column_of("MOBILE_HOME"),
        column_of("Loan Number"), column_of("Contact"), column_of("Hotel"),
        column_of("House #"), column_of("Dialect"), column_of("Callback Reason"),
        column_of("Mobster"),
    ]  # fmt: skip
    assert len(resolve_columns(CAMPAIGN.path, [*IDENTITY, *described]).attributes) == 12


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (column_of("Phone", "REAL"), r"phone_1.*whole NUMBER.*REAL.*floating-point"),
        (column_of("Phone 2", "NUMBER", 12, 2), "phone_2.*NUMBER with 2 decimals"),
        (column_of("Phone 3", "VARIANT"), "phone_3.*VARIANT.*cast it to VARCHAR"),
        (column_of("Phone", "BOOLEAN"), "BOOLEAN"),
        (column_of("Email", "NUMBER", 10, 0), "email_1, which must be text, but it is NUMBER"),
        (column_of("City", "DATE"), "city.*DATE"),
    ],
)
def test_a_type_that_cannot_hold_it_is_refused(column: Column, expected: str) -> None:
    with pytest.raises(CampaignColumnError, match=f'column "{column.name}" is .*{expected}'):
        resolve_columns(CAMPAIGN.path, [*IDENTITY, column])


@pytest.mark.parametrize("type_", ["NUMBER", "REAL", "DATE", "BOOLEAN", "VARIANT"])
@pytest.mark.parametrize("at", range(3))
def test_names_and_addresses_are_text(at: int, type_: str) -> None:
    described = list(IDENTITY)
    described[at] = column_of(IDENTITY[at].name, type_)
    with pytest.raises(CampaignColumnError, match="must be text, but"):
        resolve_columns(CAMPAIGN.path, described)


def test_a_zip_may_be_a_whole_number() -> None:
    number = column_of("Zip", "NUMBER", 5, 0)
    assert resolve_columns(CAMPAIGN.path, [*IDENTITY[:3], number]).lead["zip"] == number


def test_line_ends_do_not_make_another_campaign(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "copy")
    for path in (tmp_path / "copy").glob("*.sql"):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        path.write_bytes(text)
    copies = load_campaigns(tmp_path / "copy")
    assert [(c.sql, c.code_version) for c in copies] == [
        (c.sql, c.code_version) for c in load_campaigns(SAMPLES)
    ]


def test_campaigns_are_chosen_by_name_or_all() -> None:
    campaigns = load_campaigns(SAMPLES)
    names = [campaign.name for campaign in campaigns]
    assert choose(campaigns, []) == list(campaigns)
    assert choose(campaigns, [names[2], names[0]]) == [campaigns[0], campaigns[2]]
    with pytest.raises(CampaignFileError, match=rf"no campaign 'a'; there are {', '.join(names)}"):
        choose(campaigns, [names[0], "b", "a"])
