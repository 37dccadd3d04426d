"""What exported files look like to the programs that read them."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.warehouse.export_files import FORMULA, LAYOUTS, guarded

SCHEMA = pa.schema(
    [
        ("LEAD_DATE", pa.date32()),
        ("FIRST_NAME", pa.string()),
        ("PHONE_1", pa.int64()),
        ("PHONE_2", pa.int64()),
        ("CALLABLE_UNTIL", pa.timestamp("us")),
    ]
)
DAY = date(2026, 11, 20)
MOMENT = datetime(2026, 11, 21, 6, 30, 0, 125, tzinfo=UTC)
UNTIL = MOMENT.replace(tzinfo=None)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text("'=+-@ \t\r\n＝1a", max_size=5),  # noqa: RUF001
)


def batch(*names: str | None, phone_2: int | None = None) -> pa.RecordBatch:
    row = {"LEAD_DATE": DAY, "PHONE_1": 4075550100, "PHONE_2": phone_2, "CALLABLE_UNTIL": UNTIL}
    return pa.RecordBatch.from_pylist([{**row, "FIRST_NAME": name} for name in names], SCHEMA)


def unguarded(texts: pa.Array) -> pa.Array:
    """Undo `guarded`, as whoever needs the text itself can."""
    marked = pc.and_(pc.starts_with(texts, "'"), pc.match_substring_regex(texts, FORMULA))
    return pc.if_else(marked, pc.utf8_slice_codeunits(texts, 1), texts)


def written(layout: str, *batches: pa.RecordBatch) -> bytes:
    file = io.BytesIO()
    with LAYOUTS[layout](file, SCHEMA) as write:
        for one in batches:
            write(one)
    return file.getvalue()


def test_csv_is_what_rfc_4180_says_with_phones_as_text() -> None:
    found = written("csv", batch('Ann "A", B\nC', None), batch("Zoë", phone_2=4075550101))
    until = "2026-11-21T06:30:00.000125Z"
    assert found.decode() == (
        "lead_date,first_name,phone_1,phone_2,callable_until\r\n"
        f'2026-11-20,"Ann ""A"", B\nC",4075550100,,{until}\r\n'
        f"2026-11-20,,4075550100,,{until}\r\n"
        f"2026-11-20,Zoë,4075550100,4075550101,{until}\r\n"
    )


def test_parquet_has_phones_as_text_and_moments_in_utc() -> None:
    found = pq.read_table(io.BytesIO(written("parquet", batch("=A1", None), batch("Zoë"))))
    assert found.schema.field("phone_1").type == pa.string()
    assert found.schema.field("callable_until").type == pa.timestamp("us", "UTC")
    rows: list[dict[str, Any]] = found.to_pylist()
    assert [row["first_name"] for row in rows] == ["=A1", None, "Zoë"]
    assert {row["phone_1"] for row in rows} == {"4075550100"}
    assert {row["phone_2"] for row in rows} == {None}
    assert rows[0]["callable_until"] == MOMENT


@given(TEXTS)
def test_a_spreadsheet_finds_no_formula_and_nothing_is_lost(text: str) -> None:
    (row,) = list(csv.reader(io.StringIO(written("csv", batch(text)).decode(), newline="")))[1:]
    shown = row[1]
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))  # noqa: RUF001
    assert not shown.startswith(("\t", "\r", "\n"))
    assert unguarded(pa.array([shown])).to_pylist() == [text]


@given(st.lists(st.none() | TEXTS))
def test_only_what_looks_like_a_formula_is_touched(texts: list[str | None]) -> None:
    found = guarded(pa.array(texts, pa.string())).to_pylist()
    for before, after in zip(texts, found, strict=True):
        assert after in {before, f"'{before}"}
        if before and before[0].isalnum():
            assert after == before
    assert unguarded(pa.array(found, pa.string())).to_pylist() == texts
