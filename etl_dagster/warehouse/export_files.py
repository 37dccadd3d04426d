"""An exported file: CSV or Parquet, with phones as text, its owner's alone, whole or not there.

Belongs here: the two layouts, and that a spreadsheet runs nothing of what is in a file; its place,
its unfinished self beside it, what killed processes left. Does not: which rows (`export.py`).

CSV is RFC 4180 in UTF-8, with a header; moments end in Z. A spreadsheet takes a field that begins
with `=`, `+`, `-` or `@` for a formula, and names and addresses are what strangers wrote. Such a
field gets one apostrophe in front, which spreadsheets show as text: `'=1+1`. No other field is
touched, so that exactly that apostrophe can be taken off again and nothing is lost. Phones, dates
and ids never begin so. Parquet knows no formula and holds every value as it is.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO, Final

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl_dagster.warehouse.errors import WarehouseError

PHONES: Final = ("PHONE_1", "PHONE_2", "PHONE_3")
OWNER_ONLY: Final = 0o600
UNFINISHED: Final = ".part"
FORMULA: Final = r"^'*(\s*[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001  full-width ones count too
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"

Write = Callable[[pa.RecordBatch], None]


class ExportError(WarehouseError):
    """Nothing was handed out; the message says why."""


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
    risky = pc.match_substring_regex(texts, FORMULA)
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


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


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a place where no file can be put.

    Raises:
        ExportError: there is something already, or no folder to put it into.
    """
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}")
    if target.is_dir():
        raise ExportError(f"{target} is a folder")
    if os.path.lexists(target) and not force:
        raise ExportError(f"{target} exists: choose another name, or give --force")


def unfinished(target: Path) -> Path:
    """Where this process writes what becomes the target."""
    return target.with_name(f".{target.name}.{os.getpid()}{UNFINISHED}")


def create(path: Path) -> IO[bytes]:
    """Open a new file that only its owner can read, whatever the umask."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY), "wb")


def put(partial: Path, target: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force` never one that is taken."""
    if force:
        partial.replace(target)
    else:
        try:
            os.link(partial, target)
        except FileExistsError:
            raise ExportError(
                f"{target} appeared while it was written; the export is on record, without a file"
            ) from None
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def left_behind(target: Path) -> Iterator[Path]:
    """What killed processes left of this target, unfinished: names and phones are in it.

    One with the id of this process is of another before it: in containers ids come again.
    """
    for left in target.parent.glob(f".{escape(target.name)}.*{UNFINISHED}"):
        owner = left.name.removesuffix(UNFINISHED).rpartition(".")[2]
        gone = owner.isdigit() and not psutil.pid_exists(int(owner))
        if gone or left == unfinished(target):
            yield left
