import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl_dagster.leads.phones import mask_phones, parse_phone, valid_phones

GOOD = 4075550123


@pytest.mark.parametrize(
    "raw",
    [
        "4075550123",
        "(407) 555-0123",
        "407.555.0123",
        "+1 407 555 0123",
        "1-407-555-0123",
        "14075550123",
        "4075550123.0",
        "407-555-0123 ext. 12",
        "407-555-0123 x4",
        "  407\u00a0555\u20130123 ",
        "407,5550123",
    ],
)
def test_reads_what_people_and_exports_write(raw: str) -> None:
    assert parse_phone(raw) == GOOD


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "n/a",
        "407555012",
        "40755501234",
        "24075550123",
        "0075550123",
        "1075550123",
        "4071550123",
        "4070550123",
        "4115550123",
        "4079110123",
        "1-800-FLOWERS",
        "407-555-O123",
        "4.075550123e9",
        "14075550120.0123",
        "1407555012.0",
        "407-555-0123 / 407-555-0124",
        "\u0664\u0660\u0667\u0665\u0665\u0665\u0660\u0661\u0662\u0663",
    ],
)
def test_refuses_what_is_not_one_valid_phone(raw: str) -> None:
    assert parse_phone(raw) is None


def any_phone() -> st.SearchStrategy[int]:
    return st.integers(2_002_000_000, 9_999_999_999).filter(
        lambda number: bool(valid_phones(np.array([number]))[0])
    )


@given(any_phone())
def test_a_valid_number_survives_every_usual_form(number: int) -> None:
    text = str(number)
    area, exchange, line = text[:3], text[3:6], text[6:]
    for form in (text, f"({area}) {exchange}-{line}", f"+1{text}", f"{text}.0", f"{text} x9"):
        assert parse_phone(form) == number


BETWEEN = st.text(st.characters(exclude_categories=["L", "N", "Cs"]), max_size=3) | st.text(
    st.sampled_from(" ()-./_,:;\u2013\n"), max_size=3
)


@given(
    any_phone(),
    st.sampled_from(["", "1", "+1"]),
    st.tuples(BETWEEN, BETWEEN, BETWEEN),
    st.sampled_from(["", ".0", " x4", " ext. 12"]),
)
@example(GOOD, "", ("", "/", "/"), "")
@example(GOOD, "", ("", "_", "_"), "")
@example(GOOD, "(", (" ", ") ", " - "), "")
def test_whatever_is_read_as_a_phone_is_masked(
    number: int, before: str, between: tuple[str, str, str], after: str
) -> None:
    text, (first, second, third) = str(number), between
    form = f"{before}{first}{text[:3]}{second}{text[3:6]}{third}{text[6:]}{after}"
    assert parse_phone(form) == number
    masked = mask_phones(f"Ada, {form}; B")
    assert masked.startswith("Ada, ")
    assert masked.endswith("; B")
    for part in (text[:3], text[3:6], text[6:]):
        assert part not in masked


@given(st.text())
def test_whatever_comes_in_the_answer_is_a_valid_phone_or_none(raw: str) -> None:
    number = parse_phone(raw)
    assert number is None or valid_phones(np.array([number])).all()


@given(st.integers(-(2**62), 2**62))
def test_numbers_out_of_range_are_never_valid(number: int) -> None:
    valid = bool(valid_phones(np.array([number], dtype=np.int64))[0])
    text = str(number)
    expected = (
        len(text) == 10
        and text.isdigit()
        and text[0] in "23456789"
        and text[3] in "23456789"
        and text[1:3] != "11"
        and text[4:6] != "11"
    )
    assert valid == expected
