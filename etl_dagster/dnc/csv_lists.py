"""CSV files with a header: their columns with phones, and full lists as such.

Belongs here: that one format. Does not: what else than phones is in the columns of a file of
opt-outs (opt_outs.py).
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from etl_dagster.dnc.errors import PHONE, DncFormatError
from etl_dagster.dnc.formats import BATCH, Batch, checked
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.sources import Member
from etl_dagster.leads.campaign_columns import names_phones

PHONE_COLUMNS: Final = ("phone", "phone_number", "phonenumber", "full_phone", "telephone", "number")
_HEADER_DIGITS: Final = 6
"""A column's name has fewer digits than a phone; so no phone ends up in a message."""
_NAMED_DIGITS: Final = 3
"""A column whose name has so many may be a part of one, and is not told."""


def read_csv(member: Member, column: str | None) -> Iterator[Batch]:
    """Read one column of a CSV file with a header.

    Args:
        member: the stream.
        column: its name; None takes the one column that is called as if it held phones.

    Raises:
        DncFormatError: there is no such column, or another one has phones, too.
    """
    rows = csv_rows(
        member.name, io.TextIOWrapper(member.stream, "utf-8-sig", "replace", newline="")
    )
    _, header = next(rows)
    at, *others = phone_columns(member.name, header, column)
    texts: list[str] = []
    numbers: list[int] = []
    for line, row in rows:
        if not any(row):
            continue
        if more := [header[one] for one in others if PHONE.search("".join(row[one : one + 1]))]:
            raise DncFormatError(
                f"{member.name}:{line} has phones in more than one column ({header[at]},"
                f" {', '.join(more)}): name the one to read (--column), or put one phone in a line"
            )
        texts.append(row[at].strip() if at < len(row) else "")
        numbers.append(line)
        if len(texts) == BATCH:
            yield checked(read_phones(texts), numbers)
            texts, numbers = [], []
    yield checked(read_phones(texts), numbers)


def phone_columns(name: str, header: list[str], column: str | None) -> list[int]:
    """The columns that may hold phones: of that name, or of a usual one, then of one like it."""
    names = [cell.strip().strip('"').lower() for cell in header]
    wanted = PHONE_COLUMNS if column is None else (column.strip().lower(),)
    found = [at for at, cell in enumerate(names) if cell in wanted]
    if any(sum(map(str.isdigit, cell)) > _HEADER_DIGITS for cell in names):
        raise DncFormatError(f"{name} has no header: its first line must name the columns")
    if column is None:
        found += [at for at, cell in enumerate(names) if names_phones(cell) and at not in found]
    if not found:
        named = [cell for cell in header if sum(map(str.isdigit, cell)) < _NAMED_DIGITS]
        raise DncFormatError(
            f"{name}: no column {column or 'with the phones'} in its header ({', '.join(named)}):"
            " call it phone, or name it (--column)"
        )
    return found


def csv_rows(name: str, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a text, each with the number of its last line.

    Raises:
        DncFormatError: it is no CSV; a quote that is not closed in its line took phones of the
            lines after it for text; or a row has phones that no column of the first line holds.
    """
    lines = csv.reader(text, strict=True)
    read, columns = 0, 0
    try:
        for row in lines:
            if lines.line_num > read + 1 and any(
                PHONE.search(cell) for cell in row if len(cell.splitlines()) > 1
            ):
                raise DncFormatError(
                    f"{name}:{read + 1}: a quote that begins here takes phones for text, up to line"
                    f" {lines.line_num}: close it in its line, or take the phones out"
                )
            read = lines.line_num
            columns = columns or (len(row) if any(map(str.isalpha, "".join(row))) else 1)
            if any(map(PHONE.search, row[columns:])):
                raise DncFormatError(
                    f"{name}:{read} has a phone beyond the columns of its first line: put one phone"
                    " in a line, or name each column there"
                )
            yield read, row
    except csv.Error as error:
        raise DncFormatError(f"{name}:{lines.line_num} is not CSV: {error}") from error
