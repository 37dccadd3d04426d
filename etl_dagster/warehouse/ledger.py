"""The ledger: verdicts appended in batches whose digests chain, never updated.

Belongs here: what a batch looks like as rows, its digest, appending it. Does not: where verdicts
come from, or reading them back for a decision (`scrubbing.py`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

FIRST_DIGEST: Final = "0" * 64
"""What the first batch of a chain has as its predecessor's digest."""
MISSING: Final = ""
"""How a missing value is written in the canonical text of a row."""


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
    with session.transaction():
        session.load("PHONE_VERDICTS", pa.concat_tables([rows for _, rows in tables]))
        session.load("SCRUB_BATCHES", _chain(session, tables, origin))
    return sum(rows.num_rows for _, rows in tables)


def digest(rows: pa.Table) -> str:
    """SHA-256 over the canonical text of ledger rows: one line a row, sorted by phone.

    A line has phone, source, verdict, reason, list_versions, checked_at, valid_until, policy_hash
    and evidence_hash, separated by a vertical bar; moments in microseconds since 1970, UTC.
    """
    rows = rows.sort_by("PHONE")
    text = [
        rows["PHONE"].cast(pa.int64()).cast(pa.string()),
        *(rows[name].cast(pa.string()) for name in ("SOURCE", "VERDICT", "REASON")),
        rows["LIST_VERSIONS"].cast(pa.string()),
        *(
            rows[name].cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.string())
            for name in ("CHECKED_AT", "VALID_UNTIL")
        ),
        *(rows[name].cast(pa.string()) for name in ("POLICY_HASH", "EVIDENCE_HASH")),
    ]
    filled = [pc.fill_null(column, MISSING) for column in text]
    lines = pc.binary_join_element_wise(*filled, "|")
    sha = hashlib.sha256()
    for chunk in lines.chunks:
        sha.update("\n".join(chunk.to_pylist()).encode())
        sha.update(b"\n")
    return sha.hexdigest()


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


def _chain(
    session: Session, tables: Sequence[tuple[LedgerBatch, pa.Table]], origin: Provenance
) -> pa.Table:
    last = session.row(sql("select_last_batch"), {**origin.chunk.values, "source": origin.source})
    position, previous = (int(last[0]), str(last[1])) if last else (0, FIRST_DIGEST)
    records = []
    for batch, rows in tables:
        position += 1
        own = hashlib.sha256(f"{previous}{digest(rows)}".encode()).hexdigest()
        records.append(
            {
                "BATCH_ID": batch.batch_id,
                "LEAD_DATE": origin.chunk.lead_date,
                "CHUNK": origin.chunk.number,
                "SOURCE": origin.source,
                "POSITION": position,
                "ROW_COUNT": rows.num_rows,
                "DIGEST": own,
                "PREV_DIGEST": previous,
                "ENDPOINT": batch.endpoint,
                "DEPLOYMENT": origin.deployment,
                "CREATED_AT": datetime.now(UTC).replace(tzinfo=None),
            }
        )
        previous = own
    return pa.Table.from_pylist(records)
