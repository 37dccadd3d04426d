"""What goes wrong with systems of this kind in the field, each case by the name it has there."""

import pytest

from etl_dagster_tests.defs.line import CLEAN, DAY, LISTED, LITIGATORS, Line, person

pytestmark = pytest.mark.slow


def by_address(line: Line, view: str = "DNC_FILTERED_LEADS") -> dict[str, dict[str, object]]:
    return {str(row["FIRST_NAME"]): row for row in line.rows(f"SELECT * FROM {view}")}


def test_shared_phones_three_phones_and_co_residents(one_chunk: Line) -> None:
    """Cases 8, 9, 12 and 13 in one day: each person is another case."""
    line = one_chunk
    home = {"address": "7 Larkspur Row", "zip": "02139", "last_name": "Ostrander"}
    line.people(
        [
            # 8: two leads share a phone: both are flagged
            person(1, LITIGATORS[0], first_name="Shareda"),
            person(2, LITIGATORS[0], first_name="Sharedb"),
            person(3, CLEAN[0], LITIGATORS[0], first_name="Sharedc"),
            # 9: all phones are checked, not only the first
            person(4, CLEAN[1], CLEAN[2], LITIGATORS[1], first_name="Thirdlitigator"),
            person(5, CLEAN[3], LISTED[0], CLEAN[4], first_name="Secondlisted"),
            person(6, "n/a", None, LITIGATORS[2], first_name="Onlythird"),
            # 13: co-residents stay two leads, leading zeros stay
            person(7, CLEAN[5], first_name="Ann", **home),
            person(8, CLEAN[6], first_name="Bob", **home),
            person(9, CLEAN[5], first_name="ann ", **{**home, "zip": "2139"}),  # Ann, once more
        ]
    )
    assert line.run().success
    rows = by_address(line)
    assert rows["Shareda"]["LEAD_VERDICT"] == rows["Sharedb"]["LEAD_VERDICT"] == "BLOCKED"
    assert rows["Sharedc"]["PHONE_2_VERDICT"] == "BLOCKED"
    assert rows["Sharedc"]["LEAD_VERDICT"] == "CALLABLE"

    published = by_address(line, "CALLABLE_NOW")
    phones = {
        name: [row[f"PHONE_{place}"] for place in (1, 2, 3)] for name, row in published.items()
    }
    assert phones == {
        "Sharedc": [CLEAN[0], None, None],
        "Thirdlitigator": [CLEAN[1], CLEAN[2], None],
        "Secondlisted": [CLEAN[3], None, CLEAN[4]],
        "Ann": [CLEAN[5], None, None],
        "Bob": [CLEAN[6], None, None],
    }
    assert rows["Onlythird"]["LEAD_VERDICT"] == "BLOCKED"
    assert {rows["Ann"]["ZIP"], rows["Bob"]["ZIP"]} == {"02139"}
    assert line.count("LEADS") == 8

    # 12: ids are the same in every run, so nothing is doubled
    ids = line.rows("SELECT lead_id, first_name FROM LEADS ORDER BY lead_id")
    assert line.run().success
    assert line.rows("SELECT lead_id, first_name FROM LEADS ORDER BY lead_id") == ids
    assert line.count("CALLABLE_LEADS") == 5


def test_one_phone_in_two_chunks_is_bought_once_and_blocks_in_both(line: Line) -> None:
    line.people([person(number, LITIGATORS[0], CLEAN[number]) for number in range(12)])
    assert line.run().success
    assert {row["CHUNK"] for row in line.rows("SELECT DISTINCT chunk FROM LEADS")} == {0, 1}
    assert not line.bought_twice()
    assert line.count("DNC_FILTERED", "phone_1_verdict = 'BLOCKED'") == 12
    assert line.callable_phones() == set(CLEAN[:12])
    assert line.count("LEADS", f"lead_date = '{DAY}'") == 12
