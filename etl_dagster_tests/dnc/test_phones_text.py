import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.dnc.phones_text import NOT_A_PHONE, digits, read_phones
from etl_dagster.leads.phones import parse_phone

ten_digits = st.integers(0, 9_999_999_999).map(lambda number: f"{number:010d}")
anything = st.one_of(
    ten_digits,
    st.text(max_size=12),
    st.text("0123456789\n", max_size=22),
    st.sampled_from(["(407) 555-0100", "+1 407 555 0100", "\u0664075550100", "40755501\n0"]),
)


@given(st.one_of(st.lists(ten_digits), st.lists(anything)))
def test_many_texts_are_read_as_each_alone(texts: list[str]) -> None:
    expected = []
    for text in texts:
        if len(text) == 10 and text.isascii() and text.isdigit():
            expected.append(int(text))
        else:
            number = parse_phone(text)
            expected.append(NOT_A_PHONE if number is None else number)
    assert read_phones(texts).tolist() == expected


def test_a_newline_inside_a_text_is_no_boundary() -> None:
    assert read_phones(["4075550100\n4075550101", ""]).tolist() == [NOT_A_PHONE] * 2
    assert read_phones(["407555010", "40755501001"]).tolist() == [NOT_A_PHONE] * 2


def test_every_ten_digits_are_exact() -> None:
    numbers = np.random.default_rng(3).integers(0, 10**10, 100_000)
    text = "".join(f"{number:010d}" for number in numbers.tolist()).encode()
    assert np.array_equal(digits(np.frombuffer(text, dtype=np.uint8).reshape(-1, 10)), numbers)
