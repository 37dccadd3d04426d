"""The rules that SQL states, held against what Python says: phones, identities, ZIPs, chunks."""

import re
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.leads.phones import parse_phone
from etl_dagster.warehouse.session import Session, Warehouse
from etl_dagster.warehouse.statements import fragment

Evaluate = Callable[[str, Sequence[str]], list[object]]
SLOW_IS_FINE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def evaluate(tables_warehouse: Warehouse) -> Iterator[Evaluate]:
    """Evaluate an SQL expression of {text} for many texts, in one statement."""
    with tables_warehouse.session() as session:
        session.execute("CREATE OR REPLACE TEMPORARY TABLE TEXTS (at NUMBER(9, 0), text VARCHAR)")
        yield lambda expression, texts: _evaluate(session, expression, texts)


def _evaluate(session: Session, expression: str, texts: Sequence[str]) -> list[object]:
    session.execute("DELETE FROM TEXTS")
    session.load("TEXTS", pa.table({"AT": list(range(len(texts))), "TEXT": list(texts)}))
    return [value for (value,) in session.rows(f"SELECT {expression} FROM TEXTS ORDER BY at")]


def text(alphabet: str | None = None, *, most: int = 30) -> st.SearchStrategy[str]:
    if alphabet is not None:
        return st.text(alphabet, max_size=most)
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=most)


BEFORE = ("", "", "", "", "1", "+1 ", "1-", "(", " ", "2", "tel ", "\u202a", "0", "11")
BETWEEN = (
    "",
    "",
    "-",
    "-",
    ") ",
    ".",
    " ",
    "/",
    "\u2013",
    "\u00a0",
    ",",
    "\n",
    "a",
    "\U0001f4de",
    "_",
)
AFTER = (
    "", "", "", ".0", ".00", ".", " ", " ext. 12", "x4", " EXT 123456", " x 1234567", "extension 1",
    "\n", " x\n12", ".0\n", "\nx1", ".0 x1", "x1.0", " X12 ", ".01", "\u0000", " x", "\r\n",
    ".0\nx\n1\n",
    " / 4075550124", " 4075550124", "1", "#3", ".0.0", ".0ext5", "\u0661", " extx3", " xx3",
    "Ext\r\n7",
)  # fmt: skip


@st.composite
def written(draw: st.DrawFn) -> str:
    """A number, mostly a valid one, in a form that people and exports write, or nearly."""
    groups = draw(
        st.one_of(
            st.tuples(st.integers(200, 999), st.integers(200, 999), st.integers(0, 9_999)),
            st.tuples(st.integers(200, 999), st.integers(200, 999), st.just(0)),
            st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(0, 9_999)),
        )
    )
    area, exchange, line = groups
    before, first, second, end = (
        draw(st.sampled_from(texts)) for texts in (BEFORE, BETWEEN, BETWEEN, AFTER)
    )
    return f"{before}{area:03d}{first}{exchange:03d}{second}{line:04d}{end}"


FORMS = st.one_of(
    written(),
    written(),
    text("0123456789 ()-+.xXext\n\u00a0"),
    text("2345.x\n ", most=16),
    text(),
)


@SLOW_IS_FINE
@given(st.lists(FORMS, min_size=100, max_size=250))
def test_sql_reads_phones_as_python_does(evaluate: Evaluate, texts: list[str]) -> None:
    found = evaluate(fragment("phone_number", raw="text"), texts)
    assert dict(zip(texts, found, strict=True)) == {one: parse_phone(one) for one in texts}


def test_the_forms_of_real_exports(evaluate: Evaluate) -> None:
    number = 4075550123
    good = [
        "(407) 555-0123", "4075550123", "407-555-0123", "407.555.0123", "+1 407 555 0123",
        "1-407-555-0123", "4075550123.0", "(407) 555-0123 ext. 12", "407-555-0123x204",
        " 407 555 0123 ", "407,5550123", "407\u2013555\u20130123", "407-555-0123 x\n12",
    ]  # fmt: skip
    bad = ["n/a", "", " ", "407555012", "40755501234", "0000000000", "555-0123", "1234567890"]
    bad += ["4115550123", "4079110123", "DO NOT CALL", "4.07555E+09", "\u0664\u0660\u0667"]
    found = evaluate(fragment("phone_number", raw="text"), [*good, *bad])
    assert found == [number] * len(good) + [None] * len(bad)


def identity_key(one: str) -> str:
    """Case, ASCII punctuation and white space do not count."""
    return re.sub(r"[ \t\n\r\f\v!-/:-@\[-`{-~]+", " ", one.upper()).strip(" ")


@SLOW_IS_FINE
@given(st.lists(text("aZ09 .,'#-\n\t\"&_|~`éÑ"), min_size=1, max_size=100))
def test_names_and_streets_are_keyed_as_people_mean_them(
    evaluate: Evaluate, texts: list[str]
) -> None:
    found = evaluate(fragment("identity_key", text="text"), texts)
    assert found == [identity_key(one) for one in texts]


def test_spellings_of_one_name_have_one_key(evaluate: Evaluate) -> None:
    same = ["O'Brien-Smith", "  o brien  SMITH ", "O.Brien, Smith.", "O'BRIEN\tSMITH"]
    other = ["OBrien Smith", "O'Brien-Smyth", "O'Brien-Smith Jr"]
    found = evaluate(fragment("identity_key", text="text"), [*same, *other])
    assert set(found[:4]) == {"O BRIEN SMITH"}
    assert not set(found[4:]) & {"O BRIEN SMITH"}


def test_zips_keep_their_zeros(evaluate: Evaluate) -> None:
    expected = {
        "02139": "02139",
        "2139": "02139",
        "02139-1234": "02139",
        "2139.0": "02139",
        " 02139 ": "02139",
        "021391234": "02139",
        "501": "00501",
        "FL 33101": "33101",
        "": None,
        "n/a": None,
    }
    found = evaluate(fragment("zip_code", text="text"), list(expected))
    assert dict(zip(expected, found, strict=True)) == expected


@given(st.lists(st.text("0123456789abcdef", min_size=4, max_size=9), min_size=1, max_size=50))
@settings(SLOW_IS_FINE, max_examples=10)
def test_a_chunk_is_the_ids_first_digits_modulo_the_chunks(
    evaluate: Evaluate, ids: list[str]
) -> None:
    for chunks in (1, 4, 7):
        found = evaluate(fragment("chunk", lead_id="text", chunks=chunks), ids)
        assert found == [int(one[:4], 16) % chunks for one in ids]
