"""The canonical text of the ledger, and the digests over it: what a batch is held to later.

Belongs here: how rows and a batch become bytes, in every version that was ever written. Does not:
appending (`ledger.py`), looking for what was changed (`examination.py`).

A batch's digest says by its prefix which version it is of, so that what an older release wrote
still verifies. Each covers the predecessor's digest, which makes a chain of them.

Version 1 (64 hexadecimal digits)
    SHA-256 of the predecessor's digest and the SHA-256 of the rows' lines. A line has phone,
    source, verdict, reason, list versions, both moments, policy and evidence: neither chunk, run
    and batch id, nor anything else of the batch.
Version 2 (`v2:` and the SHA-256 in URL-safe base64)
    SHA-256 of a JSON array of all columns of the batch, the predecessor's digest and the SHA-256 of
    the rows' lines. A line has every column of PHONE_VERDICTS.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FIRST_DIGEST: Final = "0" * 64
"""What the first batch of a chain has as its predecessor's digest."""
NEWEST: Final = 2
"""The version that is written."""
_FIRST: Final = (
    "PHONE",
    "SOURCE",
    "VERDICT",
    "REASON",
    "LIST_VERSIONS",
    "CHECKED_AT",
    "VALID_UNTIL",
    "POLICY_HASH",
    "EVIDENCE_HASH",
)
COLUMNS: Final[Mapping[int, tuple[str, ...]]] = {
    1: _FIRST,
    2: ("LEAD_DATE", "CHUNK", *_FIRST, "RUN_ID", "BATCH_ID"),
}
"""What a row's line has, by version, in this order."""

_DOMAIN: Final = "etl_dagster ledger v2"
_PREFIX: Final = "v2:"
_SHA256_CHARACTERS: Final = 43
_HEXADECIMAL: Final = 64
_MISSING: Final[Mapping[int, str]] = {1: "", 2: "\\N"}
_ESCAPES: Final = (("\\", "\\\\"), ("|", "\\p"), ("\n", "\\n"))
"""Version 2 escapes what separates values and lines, so that no two rows have one text."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  the tables hold UTC without saying so


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A row of SCRUB_BATCHES; `created_at` is UTC without saying so."""

    batch_id: str
    lead_date: date
    chunk: int
    source: str
    position: int
    row_count: int
    digest: str
    prev_digest: str
    endpoint: str
    deployment: str
    created_at: datetime


def version_of(digest: str) -> int | None:
    """The version that a batch's digest is of; None if it is of none."""
    if digest.startswith(_PREFIX):
        return 2 if len(digest) == len(_PREFIX) + _SHA256_CHARACTERS else None
    return 1 if len(digest) == _HEXADECIMAL else None


def batch_digest(batch: BatchRecord, rows: str, *, version: int = NEWEST) -> str:
    """The digest of a batch; its own field `digest` has no part in it.

    Args:
        batch: the batch.
        rows: the SHA-256 of its rows' lines, from `rows_digests`.
        version: of which version.
    """
    if version == 1:
        return hashlib.sha256(f"{batch.prev_digest}{rows}".encode()).hexdigest()
    record = [
        _DOMAIN,
        batch.prev_digest,
        rows,
        batch.batch_id,
        batch.lead_date.isoformat(),
        batch.chunk,
        batch.source,
        batch.position,
        batch.row_count,
        batch.endpoint,
        batch.deployment,
        (batch.created_at - _EPOCH) // timedelta(microseconds=1),
    ]
    return f"{_PREFIX}{sha256_of(record)}"


def sha256_of(record: Sequence[object]) -> str:
    """The SHA-256 of a record's JSON array without blanks, in URL-safe base64."""
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode("ascii").rstrip("=")


def rows_digests(
    rows: pa.Table, batches: NDArray[np.int64], count: int, *, version: int = NEWEST
) -> list[str]:
    """The SHA-256 over the lines of each batch's rows: a line a row, sorted by phone.

    Args:
        rows: rows of PHONE_VERDICTS in any order, with the columns of `COLUMNS`.
        batches: which batch each row is of, 0 up to `count` less one; shape (rows,).
        count: the number of batches.
        version: of which version.

    Returns:
        Per batch the SHA-256 in hexadecimal; that of nothing where a batch has no rows.
    """
    data, starts = _texts(rows, batches, count, version)
    return [hashlib.sha256(data[start:end]).hexdigest() for start, end in pairwise(starts)]


def rows_text(rows: pa.Table, *, version: int = NEWEST) -> bytes:
    """The lines of one batch's rows, as UTF-8: what `rows_digests` has the SHA-256 of."""
    return bytes(_texts(rows, np.zeros(rows.num_rows, np.int64), 1, version)[0])


def _texts(
    rows: pa.Table, batches: NDArray[np.int64], count: int, version: int
) -> tuple[memoryview, list[int]]:
    """All lines in order, and where in them each batch starts, and the last ends."""
    lines = _lines(rows, version)
    order = _order(rows, batches, lines)
    unordered = (order[1:] < order[:-1]).any()
    ordered = lines.take(pa.array(order)) if unordered else lines
    ends = np.frombuffer(ordered.buffers()[1] or b"\0" * 8, np.int64)[: len(ordered) + 1]
    starts = ends[np.searchsorted(batches[order], np.arange(count + 1))].tolist()
    return memoryview(ordered.buffers()[2] or b"")[: int(ends[-1])], starts


def _order(
    rows: pa.Table, batches: NDArray[np.int64], lines: pa.LargeStringArray
) -> NDArray[np.int64]:
    """By batch, phone, and where a batch has a phone twice, by line."""
    phones = rows["PHONE"].cast(pa.int64()).to_numpy()
    order = np.lexsort((phones, batches))
    batch, phone = batches[order], phones[order]
    if not ((batch[1:] == batch[:-1]) & (phone[1:] == phone[:-1])).any():
        return order
    table = pa.table({"batch": batches, "phone": phones, "line": lines})
    keys = [(name, "ascending") for name in table.column_names]
    found: NDArray[np.int64] = pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.int64)
    return found


def _lines(rows: pa.Table, version: int) -> pa.LargeStringArray:
    """Each row's line, its end included; moments in microseconds since 1970, UTC."""
    texts = [
        # the phones stay a column, so that there is one
        _filled(rows[name], version) if name == "PHONE" else _once(rows[name], version)
        for name in COLUMNS[version]
    ]
    last = pc.binary_join_element_wise(texts[-1], "", "\n")  # between it and nothing
    found = pc.binary_join_element_wise(*texts[:-1], last, "|").cast(pa.large_string())
    return pa.concat_arrays([pa.array([], pa.large_string()), *found.chunks])


def _once(column: pa.ChunkedArray, version: int) -> pa.ChunkedArray | pa.StringScalar:
    """A column's texts; if it has one value, as most of a batch do, that value's text alone."""
    first = column.slice(0, 1)
    if len(first) and not column.null_count and pc.all(pc.equal(column, first[0])).as_py():
        return _filled(first, version)[0]
    return _filled(column, version)


def _filled(column: pa.ChunkedArray, version: int) -> pa.ChunkedArray:
    """A column's texts; what is missing has one, too."""
    return pc.fill_null(_text(column, version), _MISSING[version])


def _text(column: pa.ChunkedArray, version: int) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.int64()).cast(pa.string())
    text = column.cast(pa.string())
    if version == 1 or pa.types.is_date(kind):
        return text
    for plain, escaped in _ESCAPES:
        if pc.any(pc.match_substring(text, plain)).as_py():
            text = pc.replace_substring(text, plain, escaped)
    return text
