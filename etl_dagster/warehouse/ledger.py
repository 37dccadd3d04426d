"""The ledger: verdicts appended in batches whose digests chain, never updated.

Belongs here: what a batch looks like as rows, appending it. Does not: where verdicts come from,
reading them back for a decision (`scrubbing.py`), digests (`canonical.py`), or holding what is
stored to them (`verification.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.answers import pack
from etl_dagster.warehouse.canonical import FIRST_DIGEST, BatchRecord, batch_digest, rows_digests
from etl_dagster.warehouse.scrubbing import naive
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql


@dataclass(frozen=True, kw_only=True)
class LedgerBatch:
    """What one source said of n phones at one moment.

    Attributes:
        batch_id: unique id of the batch.
        phones: int64, shape (n,).
        verdicts: int8, shape (n,), `Verdict` codes.
        reasons: text, n of them; '' where the verdict is CLEAR.
        valid_until: datetime64[us] UTC, shape (n,); NaT where nothing is valid.
        list_versions: the lists and versions that were asked, '' for an API.
        checked_at: when the source was asked, aware.
        evidence_hash: SHA-256 of the source's raw answer, '' where there is none.
        endpoint: who was asked, without secrets.
        answer: the raw answer whose hash that is, to be kept; empty where there is none to keep.
    """

    batch_id: str
    phones: NDArray[np.int64]
    verdicts: NDArray[np.int8]
    reasons: Sequence[str] | pa.Array
    valid_until: NDArray[np.datetime64]
    list_versions: str
    checked_at: datetime
    evidence_hash: str
    endpoint: str
    answer: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What is the same for every batch of a step: who asked, under which policy."""

    chunk: Chunk
    source: str
    policy_hash: str
    run_id: str
    deployment: str


def append(session: Session, batches: Iterable[LedgerBatch], *, origin: Provenance) -> int:
    """Append batches to the ledger in one transaction: all of them are on record, or none.

    The raw answers that they bring are kept in the same transaction.

    Args:
        session: a session without an open transaction.
        batches: in the order in which they chain.
        origin: what they have in common.

    Returns:
        The number of ledger rows appended.

    Raises:
        WarehouseError: the warehouse refused; nothing was appended.
    """
    kept = [batch for batch in batches if len(batch.phones)]
    if not kept:
        return 0
    sizes = [len(batch.phones) for batch in kept]
    rows = _rows(kept, origin)
    # digests take about as long as loading the rows, and need nothing from the warehouse
    with ThreadPoolExecutor(1, thread_name_prefix="digests") as beside:
        places = np.repeat(np.arange(len(sizes)), sizes)
        digests = beside.submit(rows_digests, rows, places, len(sizes))
        with session.transaction():
            session.load("PHONE_VERDICTS", rows)
            session.load("SCRUB_BATCHES", _chain(session, kept, digests.result(), origin))
            if answers := [_answer(batch, origin) for batch in kept if batch.answer]:
                session.load("CCC_ANSWERS", pa.Table.from_pylist(answers))
    return sum(sizes)


def _rows(batches: Sequence[LedgerBatch], origin: Provenance) -> pa.Table:
    """The rows of all batches, one after the other."""
    sizes = [len(batch.phones) for batch in batches]
    of_batch = pa.array(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes))

    def same(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), len(of_batch))

    def each(values: Iterable[object], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(of_batch)

    def joined(column: Callable[[LedgerBatch], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([column(batch) for batch in batches])

    text, moment = pa.string(), pa.timestamp("us")
    names = pa.array([verdict.name for verdict in sorted(Verdict)])
    until = joined(lambda batch: batch.valid_until.astype("datetime64[us]"))
    return pa.table(
        {
            "LEAD_DATE": same(origin.chunk.lead_date, pa.date32()),
            "CHUNK": same(origin.chunk.number, pa.int32()),
            "PHONE": pa.array(joined(lambda batch: batch.phones), pa.int64()),
            "SOURCE": same(origin.source, text),
            "VERDICT": names.take(pa.array(joined(lambda batch: batch.verdicts), pa.int8())),
            "REASON": pa.concat_arrays([pa.array(batch.reasons, text) for batch in batches]),
            "LIST_VERSIONS": each((batch.list_versions for batch in batches), text),
            "CHECKED_AT": each((naive(batch.checked_at) for batch in batches), moment),
            "VALID_UNTIL": pa.array(until, moment),
            "POLICY_HASH": same(origin.policy_hash, text),
            "EVIDENCE_HASH": each((batch.evidence_hash for batch in batches), text),
            "RUN_ID": same(origin.run_id, text),
            "BATCH_ID": each((batch.batch_id for batch in batches), text),
        }
    )


def _answer(batch: LedgerBatch, origin: Provenance) -> dict[str, object]:
    """A batch's answer as a row of CCC_ANSWERS."""
    return {
        "BATCH_ID": batch.batch_id,
        "LEAD_DATE": origin.chunk.lead_date,
        "CHUNK": origin.chunk.number,
        "EVIDENCE_HASH": batch.evidence_hash,
        "ENDPOINT": batch.endpoint,
        "ANSWERED_AT": naive(batch.checked_at),
        **pack(batch.answer),
    }


def _chain(
    session: Session, batches: Sequence[LedgerBatch], digests: Sequence[str], origin: Provenance
) -> pa.Table:
    last = session.row(sql("select_last_batch"), {**origin.chunk.values, "source": origin.source})
    end, previous = (int(last[0]), str(last[1])) if last else (0, FIRST_DIGEST)
    records = []
    for position, (batch, rows) in enumerate(zip(batches, digests, strict=True), end + 1):
        record = BatchRecord(
            batch_id=batch.batch_id,
            lead_date=origin.chunk.lead_date,
            chunk=origin.chunk.number,
            source=origin.source,
            position=position,
            row_count=len(batch.phones),
            digest="",
            prev_digest=previous,
            endpoint=batch.endpoint,
            deployment=origin.deployment,
            created_at=naive(datetime.now(UTC)),
        )
        previous = batch_digest(record, rows)
        records.append(asdict(replace(record, digest=previous)))
    return pa.Table.from_pylist(records)
