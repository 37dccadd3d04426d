"""The Do-Not-Call verdicts of a day as they stand in the ledger, block by block.

Belongs here: reading them so that memory stays flat. Does not: whether they are right
(`rescrub.py`), whether they are as they were written (`verification.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

ROWS_AT_ONCE: Final = 250_000
_DECIDED_BY: Final = ("LIST_VERSIONS", "CHECKED_AT", "POLICY_HASH")


@dataclass(frozen=True, kw_only=True)
class DncVerdicts:
    """Verdicts of a chunk that were decided together; arrays of one length.

    Attributes:
        chunk: whose.
        list_versions: the lists and versions that were asked.
        checked_at: when, aware.
        policy_hash: by which policy.
        phones: int64.
        verdicts: text.
        reasons: text.
        valid_until: datetime64[us] in UTC, NaT where there is none.
    """

    chunk: Chunk
    list_versions: str
    checked_at: datetime
    policy_hash: str
    phones: NDArray[np.int64]
    verdicts: pa.ChunkedArray
    reasons: pa.ChunkedArray
    valid_until: NDArray[np.datetime64]


def chunks_with_verdicts(session: Session, lead_date: date) -> list[Chunk]:
    """The chunks of a day that have Do-Not-Call verdicts, in order."""
    rows = session.rows(sql("select_dnc_chunks"), {"lead_date": lead_date})
    return [Chunk(lead_date, int(number)) for (number,) in rows]


def read_verdicts(session: Session, chunk: Chunk) -> Iterator[DncVerdicts]:
    """Every Do-Not-Call verdict of a chunk; what was decided together may come in parts."""
    held, rows = list[pa.RecordBatch](), 0
    for batch in session.arrow(sql("select_dnc_verdicts"), chunk.values):
        held.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_AT_ONCE:
            yield from _parts(chunk, pa.Table.from_batches(held))
            held, rows = [], 0
    if held:
        yield from _parts(chunk, pa.Table.from_batches(held))


def _parts(chunk: Chunk, table: pa.Table) -> Iterator[DncVerdicts]:
    """The rows by what they were decided by."""
    code = np.zeros(table.num_rows, np.int64)
    for name in _DECIDED_BY:
        column = table[name].combine_chunks().dictionary_encode()
        code = code * (len(column.dictionary) + 1) + column.indices.to_numpy()
    _, first, part = np.unique(code, return_index=True, return_inverse=True)
    by = table.select(list(_DECIDED_BY)).take(pa.array(first)).to_pylist()
    for number, decided in enumerate(by):
        rows = table.filter(pa.array(part == number)) if len(by) > 1 else table
        yield DncVerdicts(
            chunk=chunk,
            list_versions=decided["LIST_VERSIONS"],
            checked_at=decided["CHECKED_AT"].replace(tzinfo=UTC),
            policy_hash=decided["POLICY_HASH"],
            phones=rows["PHONE"].to_numpy(),
            verdicts=rows["VERDICT"],
            reasons=rows["REASON"],
            valid_until=pc.cast(rows["VALID_UNTIL"], pa.timestamp("us")).to_numpy(),
        )
