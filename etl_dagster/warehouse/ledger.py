"""The ledger: verdicts appended in batches whose digests chain, never updated.

Belongs here: what a batch looks like as rows, appending it. Does not: where verdicts come from,
reading them back for a decision (`scrubbing.py`), digests (`canonical.py`), or holding what is
stored to them (`verification.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.answers import pack
from etl_dagster.warehouse.canonical import FIRST_DIGEST, BatchRecord, batch_digest, rows_digests
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
    tables = [(batch, _rows(batch, origin)) for batch in batches if len(batch.phones)]
    if not tables:
        return 0
    rows = pa.concat_tables([each for _, each in tables])
    sizes = [each.num_rows for _, each in tables]
    digests = rows_digests(rows, np.repeat(np.arange(len(sizes)), sizes), len(sizes))
    with session.transaction():
        session.load("PHONE_VERDICTS", rows)
        chain = _chain(session, [batch for batch, _ in tables], digests, origin)
        session.load("SCRUB_BATCHES", chain)
        if answers := [_answer(batch, origin) for batch, _ in tables if batch.answer]:
            session.load("CCC_ANSWERS", pa.Table.from_pylist(answers))
    return sum(sizes)


def _rows(batch: LedgerBatch, origin: Provenance) -> pa.Table:
    size = len(batch.phones)

    def same(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), size)

    names = pa.array([verdict.name for verdict in sorted(Verdict)])
    moment = batch.checked_at.astimezone(UTC).replace(tzinfo=None)
    return pa.table(
        {
            "LEAD_DATE": same(origin.chunk.lead_date, pa.date32()),
            "CHUNK": same(origin.chunk.number, pa.int32()),
            "PHONE": pa.array(batch.phones, pa.int64()),
            "SOURCE": same(origin.source, pa.string()),
            "VERDICT": names.take(pa.array(batch.verdicts, pa.int8())),
            "REASON": pa.array(batch.reasons, pa.string()),
            "LIST_VERSIONS": same(batch.list_versions, pa.string()),
            "CHECKED_AT": same(moment, pa.timestamp("us")),
            "VALID_UNTIL": pa.array(batch.valid_until.astype("datetime64[us]"), pa.timestamp("us")),
            "POLICY_HASH": same(origin.policy_hash, pa.string()),
            "EVIDENCE_HASH": same(batch.evidence_hash, pa.string()),
            "RUN_ID": same(origin.run_id, pa.string()),
            "BATCH_ID": same(batch.batch_id, pa.string()),
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
        "ANSWERED_AT": batch.checked_at.astimezone(UTC).replace(tzinfo=None),
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
            created_at=datetime.now(UTC).replace(tzinfo=None),
        )
        previous = batch_digest(record, rows)
        records.append(asdict(replace(record, digest=previous)))
    return pa.Table.from_pylist(records)
