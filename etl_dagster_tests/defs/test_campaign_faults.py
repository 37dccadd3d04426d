"""A campaign whose SQL is wrong: a clear error, nothing written, nothing done downstream."""

from typing import Any

import pytest

from etl_dagster_tests.defs.line import CAMPAIGN, CLEAN, DAY, Line, crowd, person


def broken(old: str, new: str) -> str:
    assert old in CAMPAIGN
    return CAMPAIGN.replace(old, new)


FAULTS: dict[str, tuple[str, list[str]]] = {
    "missing column": (broken('last_name AS "Last Name", ', ""), ["last_name", '"Last Name"']),
    "column twice": (broken('city AS "City"', 'zip AS "Zip"'), ['"Zip"', "more than once"]),
    "two for one": (broken('city AS "City"', 'zip AS "Zip Code"'), ['"Zip Code"', "zip"]),
    "wrong type": (broken('city AS "City"', 'day AS "City"'), ['"City"', "DATE", "must be text"]),
    "phone as float": (
        broken('phone_1 AS "Phone 1"', '4075550100::FLOAT AS "Phone 1"'),
        ['"Phone 1"', "cast it to NUMBER"],
    ),
    "syntax error": (broken("FROM PEOPLE", "FORM PEOPLE"), ["cannot compile"]),
    "unknown column": (broken("first_name AS", "forename AS"), ["cannot compile", "FORENAME"]),
    "unknown table": (broken("FROM PEOPLE", "FROM PEOPEL"), ["cannot compile", "PEOPEL"]),
    "fails while it runs": (
        broken('city AS "City"', 'CAST(city AS NUMBER)::VARCHAR AS "City"'),
        ["cannot run"],
    ),
    "zero rows": (broken("WHERE", "WHERE 1 = 0 AND"), ["no row", str(DAY), "may be empty"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_campaign_stops_everything_before_it_writes(
    lasting_chunk: Line, fault: str
) -> None:
    line = lasting_chunk
    line.people([person(1, CLEAN[1])])
    text, expected = FAULTS[fault]
    # two campaigns, the good one first: it must not be written either
    line.campaign("another")
    line.campaign("walk_in", text)
    result = line.run()
    assert result.steps == {"leads": "failure"}
    message = result.error
    for part in ["walk_in.sql", *expected]:
        assert part.lower() in message.lower()
    assert "Elsewhere" not in message, "a value of the data"
    assert result.landed == []
    assert all(rows == [] for rows in line.tables().values())
    assert line.ccc.stats()["requests"] == 0


def test_what_was_there_stays_when_a_campaign_breaks(one_chunk: Line) -> None:
    line = one_chunk
    line.people(crowd(16))
    assert line.run().success
    before, rows = line.tables(), line.rows("SELECT * FROM LEADS ORDER BY lead_id")
    line.campaign("walk_in", FAULTS["zero rows"][0])
    assert not line.run().success
    assert line.tables() == before
    assert line.rows("SELECT * FROM LEADS ORDER BY lead_id") == rows


def test_an_empty_day_is_accepted_where_the_file_says_so(one_chunk: Line) -> None:
    line = one_chunk
    line.campaign("walk_in", f"-- may be empty\n{CAMPAIGN}")
    result = line.run()
    assert result.success, result.error
    assert all(rows == [] for rows in line.tables().values())
    report = line.run(job="report_day", partition_key=str(DAY))
    assert report.success, report.error


def test_a_file_that_is_no_query_is_told_at_the_start_and_fails_every_day(
    one_chunk: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line = one_chunk
    line.campaign("another")
    path = line.campaign("walk_in", "DELETE FROM LEADS")
    with caplog.at_level("WARNING"):
        line.defs()
    assert f"{path}:1" in caplog.text
    # nor is a day run without its leads, where others are asked for
    for campaigns in ([], ["another"]):
        result = line.run(campaigns=campaigns)
        assert result.steps == {"leads": "failure"}
        assert f"{path}:1" in result.error
    preview = line.run(job="preview_day", partition_key=str(DAY))
    assert (preview.success, f"{path}:1" in preview.error) == (False, True)


def test_forms_that_campaigns_come_in(one_chunk: Line) -> None:
    """CRLF, a trailing semicolon, comments, a per cent, quoted mixed case, other column names."""
    text = (
        "-- people of 100 % interest; \r\n"
        "SELECT INITCAP(first_name) AS FIRST_NAME, last_name AS lname, /* ; */\r\n"
        ' address AS "Property Address", zip::NUMBER AS zipcode_number, zip AS "Postal Code",\r\n'
        " TRY_TO_NUMBER(phone_1) AS cell, score * 2 AS \"Twice the 'Score'\"\r\n"
        "FROM PEOPLE WHERE last_name LIKE 'Quack%' AND day >= $PARTITION_START::TIMESTAMP_NTZ\r\n"
        "AND day < $PARTITION_END::TIMESTAMP_NTZ\r\n;;\r\n-- end\r\n"
    )
    line = one_chunk
    line.campaign("walk_in", text)
    line.people([person(21, CLEAN[1], zip="00021"), person(22, CLEAN[2], last_name="Other")])
    assert line.run().success
    (lead,) = line.rows("SELECT * FROM LEADS")
    expected: dict[str, Any] = {"ZIP": "00021", "PHONE_1": CLEAN[1], "CITY": None, "CHUNK": 0}
    assert {name: lead[name] for name in expected} == expected
    assert "Twice the 'Score'" in lead["ATTRIBUTES"]
    assert line.callable_phones() == {CLEAN[1]}
