import html
import re

import pytest
from hypothesis import given

from etl_dagster.report.markdown import percent, share, signed, table, text
from etl_dagster_tests.report.days import HOSTILE, names


@given(names)
def test_text_shows_the_name_on_one_line_and_nothing_in_it_is_markup(name: str) -> None:
    escaped = text(name)
    assert not re.search(r"[\\`*\[\]<>|!~\n\r\t]", escaped)
    shown = html.unescape(escaped)
    assert len(shown) == len(name)
    assert all(new == old or not old.isprintable() for new, old in zip(shown, name, strict=True))


def test_names_as_they_are_usual_stay_as_they_are() -> None:
    for name in ("refi_high_rate", "national", "state-fl", "dnc:not_covered", "ccc:http_503"):
        assert text(name) == name
    assert text("_private_") == "&#95;private&#95;"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_stays_a_table_whatever_it_holds(name: str) -> None:
    lines = table(["name", "number"], [[text(name), "1"], ["b", "2"]]).splitlines()
    assert [line.count("|") for line in lines] == [3, 3, 3, 3]
    assert lines[1] == "| --- | ---: |"


@pytest.mark.parametrize(
    ("difference", "digits", "expected"),
    [
        (1_234, 0, "+1,234"),
        (-2, 0, "-2"),
        (0, 0, "0"),
        (0.04, 1, "0.0"),
        (-0.04, 1, "0.0"),
        (-0.06, 1, "-0.1"),
        (12.345, 1, "+12.3"),
    ],
)
def test_differences_have_a_sign_unless_they_are_nothing(
    difference: float, digits: int, expected: str
) -> None:
    assert signed(difference, digits) == expected


def test_of_nothing_there_is_no_share() -> None:
    assert share(1, 0) is None
    assert percent(share(0, 0)) == "—"
    assert percent(share(1, 3)) == "33.3%"
