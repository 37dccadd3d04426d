"""What an exported file looks like: CSV or Parquet, with phones as text.

Belongs here: the two layouts, and that a spreadsheet runs nothing of what is in a file. Does not:
which rows (`export.py`), where the file is put.

CSV is RFC 4180 in UTF-8, with a header; moments end in Z. A spreadsheet takes a field that begins
with `=`, `+`, `-` or `@` for a formula, and names and addresses are what strangers wrote. Such a
field gets one apostrophe in front, which spreadsheets show as text: `'=1+1`. No other field is
touched, and `unguarded` takes exactly that apostrophe off again, so nothing is lost. Phones, dates
and ids never begin so. Parquet knows no formula and holds every value as it is.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PHONES: Final = ("PHONE_1", "PHONE_2", "PHONE_3")
_FORMULA: Final = r"^'*(\s*[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001  full-width ones count too
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"

Write = Callable[[pa.RecordBatch], None]


@contextmanager
def csv_file(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    """Write a CSV file, a batch at a time."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow([name.lower() for name in schema.names])

    def write(batch: pa.RecordBatch) -> None:
        columns = [_as_text(column).to_pylist() for column in batch.columns]
        rows.writerows(zip(*columns, strict=True))

    try:
        yield write
    finally:
        text.detach()  # flushed; whoever opened the file closes it


@contextmanager
def parquet_file(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    """Write a Parquet file, a batch at a time; moments are UTC."""
    target = pa.schema([(field.name.lower(), _type(field)) for field in schema])
    with pq.ParquetWriter(file, target) as writer:

        def write(batch: pa.RecordBatch) -> None:
            arrays = [
                column.cast(kind) for column, kind in zip(batch.columns, target.types, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=target))

        yield write


LAYOUTS: Final = {"csv": csv_file, "parquet": parquet_file}


def guarded(texts: pa.Array) -> pa.Array:
    """Put an apostrophe before every text that a spreadsheet would take for a formula."""
    risky = pc.match_substring_regex(texts, _FORMULA)
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def unguarded(texts: pa.Array) -> pa.Array:
    """Undo `guarded`."""
    marked = pc.and_(pc.starts_with(texts, "'"), pc.match_substring_regex(texts, _FORMULA))
    return pc.if_else(marked, pc.utf8_slice_codeunits(texts, 1), texts)


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        return guarded(column)
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, _MOMENT)
    return column.cast(pa.string())


def _type(field: pa.Field) -> pa.DataType:
    if field.name in PHONES:
        return pa.string()
    if pa.types.is_timestamp(field.type):
        return pa.timestamp("us", "UTC")
    return field.type
