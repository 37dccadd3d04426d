"""Shorthands to fill and read the project's tables, and what they are filled with."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import NEWEST, rows_digests
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
CHUNK = Chunk(DAY, 0)
NEXT = Chunk(DAY + timedelta(days=1), 0)
FRESH = NOW + timedelta(days=7)
POLICY = Policy(required_sources=("ccc", "dnc"), ccc_ttl_days=40_000, dnc_max_age_days=31)
"""Lets answers be valid for as long as a test says."""


class Tables:
    """The tables of a session, filled row by row."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def rows(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.session.arrow_table(query).to_pylist()
        return found

    def count(self, table: str, where: str = "TRUE") -> int:
        return int(self.session.scalar(f"SELECT COUNT(*) FROM {table} WHERE {where}"))

    def lead(
        self, name: str, *phones: int | None, chunk: Chunk = CHUNK, campaign: str = "walk_in"
    ) -> None:
        """Add a lead; its id is its name."""
        self.insert(
            "LEADS",
            {
                **_place(chunk, name, campaign),
                **dict(zip(("PHONE_1", "PHONE_2", "PHONE_3"), phones, strict=False)),
                "FIRST_NAME": name,
                "EXTRACTED_AT": NOW,
                "RUN_ID": "r",
            },
        )

    def judged(
        self,
        name: str,
        *verdicts: str | None,
        chunk: Chunk = CHUNK,
        campaign: str = "walk_in",
        lead: str | None = None,
        reason: str = "",
        at: datetime | None = NOW,
    ) -> None:
        """Add a lead's decision, made at a moment; None as earlier versions wrote it."""
        known = [verdict for verdict in verdicts if verdict]
        kinds = ("CALLABLE", "UNKNOWN", "BLOCKED")
        self.insert(
            "DNC_FILTERED",
            {
                **_place(chunk, name, campaign),
                **{f"PHONE_{at}_VERDICT": one for at, one in enumerate(verdicts, 1)},
                "LEAD_VERDICT": lead or next((k for k in kinds if k in known), "INVALID"),
                "LEAD_REASON": reason,
                "POLICY_HASH": "p",
                "RUN_ID": "r",
                "DECIDED_AT": at,
            },
        )

    def said(
        self,
        source: str,
        verdict: Verdict,
        *phones: int,
        at: datetime = NOW,
        until: datetime | None = FRESH,
        chunk: Chunk = CHUNK,
        reason: str | None = None,
        policy: Policy = POLICY,
    ) -> str:
        """Append what a source said of phones to the ledger; return the batch's id."""
        batch = batch_of(phones, verdict, at=at, until=until, reason=reason)
        ledger.append(self.session, [batch], origin=origin(source, chunk, policy))
        return batch.batch_id

    def noted(self, source: str, verdict: Verdict, *phones: int, **how: Any) -> None:
        """Put on record what `said` does, without a batch, which takes a tenth of the time."""
        self.insert("PHONE_VERDICTS", *_verdicts(source, verdict, phones, **how))

    def cleared(self, *phones: int, **how: Any) -> None:
        """Both sources say CLEAR; without batches."""
        rows = [_verdicts(source, Verdict.CLEAR, phones, **how) for source in ("ccc", "dnc")]
        self.insert("PHONE_VERDICTS", *rows[0], *rows[1])

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows of the same columns, which for a few takes a fifth of what a file does."""
        values = ", ".join([f"({', '.join(['%s'] * len(rows[0]))})"] * len(rows))
        self.session.execute(
            f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES {values}",
            [value for one in rows for value in one.values()],
        )


def _place(chunk: Chunk, name: str, campaign: str) -> dict[str, Any]:
    return {
        "LEAD_DATE": chunk.lead_date,
        "CHUNK": chunk.number,
        "LEAD_ID": name,
        "CAMPAIGN": campaign,
    }


def _verdicts(
    source: str,
    verdict: Verdict,
    phones: Sequence[int],
    *,
    at: datetime = NOW,
    until: datetime | None = FRESH,
    chunk: Chunk = CHUNK,
    reason: str | None = None,
    policy: Policy = POLICY,
) -> list[dict[str, Any]]:
    text = reason if reason is not None else "" if verdict is Verdict.CLEAR else verdict.name
    return [
        {
            "LEAD_DATE": chunk.lead_date,
            "CHUNK": chunk.number,
            "PHONE": phone,
            "SOURCE": source,
            "VERDICT": verdict.name,
            "REASON": text,
            "LIST_VERSIONS": "",
            "CHECKED_AT": at,
            "VALID_UNTIL": until,
            "POLICY_HASH": policy.hash,
            "EVIDENCE_HASH": "e",
            "RUN_ID": "r",
            "BATCH_ID": f"batch-{next(_ids)}",
        }
        for phone in phones
    ]


_ids = iter(range(1_000_000))


def batch_of(
    phones: Sequence[int],
    verdict: Verdict,
    *,
    at: datetime = NOW,
    until: datetime | None = FRESH,
    reason: str | None = None,
) -> LedgerBatch:
    size = len(phones)
    text = reason if reason is not None else "" if verdict is Verdict.CLEAR else verdict.name
    end = np.datetime64("NaT") if until is None else np.datetime64(until.replace(tzinfo=None))
    return LedgerBatch(
        batch_id=f"batch-{next(_ids)}",
        phones=np.array(phones, dtype=np.int64),
        verdicts=np.full(size, verdict, np.int8),
        reasons=[text] * size,
        valid_until=np.full(size, end.astype("datetime64[us]")),
        list_versions="",
        checked_at=at,
        evidence_hash="e",
        endpoint="nowhere",
    )


def origin(source: str, chunk: Chunk = CHUNK, policy: Policy = POLICY) -> Provenance:
    return Provenance(
        chunk=chunk, source=source, policy_hash=policy.hash, run_id="r", deployment="local"
    )


def rows_digest(rows: pa.Table, *, version: int = NEWEST) -> str:
    """The SHA-256 over the lines of one batch's rows."""
    return rows_digests(rows, np.zeros(rows.num_rows, np.int64), 1, version=version)[0]
