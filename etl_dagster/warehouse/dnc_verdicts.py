"""The Do-Not-Call verdicts of a day as they stand in the ledger, block by block.

Belongs here: reading them, and those of other days that the day rests on, so that memory stays
flat. Does not: whether they are right
(`scrub/rescrub.py`), whether they are as they were written (`verification.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import fragment, render, sql

ROWS_AT_ONCE: Final = 250_000
"""So many rows, or a few more, are in memory."""
_DECIDED_BY: Final = ("LEAD_DATE", "CHUNK", "LIST_VERSIONS", "CHECKED_AT", "POLICY_HASH")
_SCRUBBED: Final = (
    "lead_date = %(lead_date)s AND chunk = %(chunk)s AND lead_id IN (SELECT lead_id"
    " FROM DNC_FILTERED WHERE lead_date = %(lead_date)s AND chunk = %(chunk)s)"
)


@dataclass(frozen=True, kw_only=True)
class DncVerdicts:
    """Verdicts of a chunk that were decided together; arrays of one length.

    Attributes:
        chunk: where they stand.
        list_versions: the lists and versions that were asked.
        checked_at: when, aware.
        policy_hash: by which policy; '' of phones that have no verdict on record.
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


@dataclass(frozen=True, kw_only=True)
class Decided:
    """How a chunk was last decided.

    Attributes:
        at: when, aware; if it is not exact, some time before that.
        exact: whether its run put verdicts on record, which say when.
        policy_hash: by which policy.
        list_versions: by which lists and versions; '' if it is not exact.
    """

    at: datetime
    exact: bool
    policy_hash: str
    list_versions: str


def chunks_of(session: Session, lead_date: date) -> list[Chunk]:
    """The chunks of a day that have Do-Not-Call verdicts or were decided by others', in order."""
    rows = session.rows(sql("select_dnc_chunks"), {"lead_date": lead_date})
    return [Chunk(lead_date, int(number)) for (number,) in rows]


def read_verdicts(
    session: Session, chunk: Chunk, *, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[DncVerdicts]:
    """Every Do-Not-Call verdict of a chunk; what was decided together may come in parts."""
    yield from _read(session, sql("select_dnc_verdicts"), chunk.values, rows_at_once)


def read_decided(session: Session, chunk: Chunk) -> Decided | None:
    """How a chunk was last decided; None if it never was, or its leads are gone."""
    found = session.row(sql("select_chunk_decision"), chunk.values)
    if found is None:
        return None
    policy_hash, extracted_at, recorded_at, list_versions = found
    return Decided(
        at=recorded_at or extracted_at,
        exact=recorded_at is not None,
        policy_hash=policy_hash,
        list_versions=list_versions or "",
    )


def read_resting(session: Session, chunk: Chunk, decided: Decided) -> Iterator[DncVerdicts]:
    """The verdicts on which a chunk's decision rests and that stand elsewhere.

    A phone whose verdict is on record from another day or chunk, by the same lists and policy, is
    not recorded again. Where it is not exact when the chunk was decided, phones that have a verdict
    of the chunk are taken to rest on that.

    Args:
        session: any.
        chunk: the chunk.
        decided: of the chunk, from `read_decided`.

    Returns:
        These, and those phones that have no verdict at all by then.
    """
    phones = fragment("phones_of", beside="", leads="LEADS", which=_SCRUBBED)
    values = {**chunk.values, "decided_at": decided.at, "exact": decided.exact}
    yield from _read(session, render("select_resting_verdicts", phones=phones), values)


def _read(
    session: Session,
    query: str,
    values: Mapping[str, object],
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[DncVerdicts]:
    held, rows = list[pa.RecordBatch](), 0
    for batch in session.arrow(query, values):
        held.append(batch)
        rows += batch.num_rows
        if rows >= rows_at_once:
            yield from _parts(pa.Table.from_batches(held))
            held, rows = [], 0
    if held:
        yield from _parts(pa.Table.from_batches(held))


def _parts(table: pa.Table) -> Iterator[DncVerdicts]:
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
            chunk=Chunk(decided["LEAD_DATE"], int(decided["CHUNK"])),
            list_versions=decided["LIST_VERSIONS"],
            checked_at=decided["CHECKED_AT"].replace(tzinfo=UTC),
            policy_hash=decided["POLICY_HASH"],
            phones=rows["PHONE"].to_numpy(),
            verdicts=rows["VERDICT"],
            reasons=rows["REASON"],
            valid_until=pc.cast(rows["VALID_UNTIL"], pa.timestamp("us")).to_numpy(),
        )
