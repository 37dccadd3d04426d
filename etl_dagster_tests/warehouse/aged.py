"""Days of long ago in the project's tables, as if this project had written them then."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import FIRST_DIGEST, BatchRecord, batch_digest
from etl_dagster.warehouse.session import Session
from etl_dagster_tests.warehouse.conftest import batch_of, origin, rows_digest

PHONES = [4075550100 + n for n in range(6)]
LEAD_TABLES = ("LEADS", "CCC_ENRICHED", "DNC_FILTERED", "CALLABLE_LEADS")
_EXPORT_TEXTS = (
    "EXPORT_ID", "CAMPAIGNS", "SHA256", "FILE_FORMAT", "FILE_NAME", "POLICY_HASH", "LIST_VERSIONS",
    "ACCEPTED_CHECKS", "EXPORTED_BY",
)  # fmt: skip


def fill(session: Session, *days: date, until: datetime | None = None, chunks: int = 2) -> None:
    """Add scrubbed, published and exported days, written in the morning of the day after.

    Args:
        session: on the project's tables.
        days: of the leads.
        until: how long the leads may be called; a week if None.
        chunks: in so many chunks: of each one lead, a chain of two batches and one of one.
    """
    tables: dict[str, list[dict[str, Any]]] = {"EXPORTS": [], "CCC_ANSWERS": []}
    rows, records = [], []
    for day in days:
        moment = datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(days=1)
        end = until or moment + timedelta(days=7)
        for number in range(chunks):
            for table, row in _lead(Chunk(day, number), _naive(moment), _naive(end)):
                tables.setdefault(table, []).append(row)
            for found, chain, answers in _chains(Chunk(day, number), moment, end):
                rows += found
                records += chain
                tables["CCC_ANSWERS"] += answers
        export = {"EXPORTED_AT": _naive(moment), "ROW_COUNT": 1, "PHONE_COUNT": 1}
        tables["EXPORTS"].append({**export, **dict.fromkeys(_EXPORT_TEXTS, "x")})
    for table, found_rows in tables.items():
        session.load(table, pa.Table.from_pylist(found_rows))
    session.load("PHONE_VERDICTS", pa.concat_tables(rows))
    session.load("SCRUB_BATCHES", pa.Table.from_pylist([asdict(one) for one in records]))


def _lead(chunk: Chunk, written: datetime, until: datetime) -> Iterable[tuple[str, dict[str, Any]]]:
    place = {
        "LEAD_DATE": chunk.lead_date,
        "CHUNK": chunk.number,
        "LEAD_ID": f"{chunk.number:04x} of {chunk.lead_date}",
        "CAMPAIGN": "walk_in",
        "RUN_ID": "r",
    }
    phone = {"PHONE_1": PHONES[chunk.number]}
    verdict = {"LEAD_VERDICT": "CALLABLE", "LEAD_REASON": "", "POLICY_HASH": "p"}
    published = {"CALLABLE_UNTIL": until, "PUBLISHED_AT": written, "POLICY_HASH": "p"}
    return (
        ("LEADS", {**place, **phone, "FIRST_NAME": "Wilhelmina", "EXTRACTED_AT": written}),
        ("CCC_ENRICHED", place),
        ("DNC_FILTERED", {**place, **verdict}),
        ("CALLABLE_LEADS", {**place, **phone, **published}),
    )


def _chains(
    chunk: Chunk, moment: datetime, until: datetime
) -> Iterator[tuple[list[pa.Table], list[BatchRecord], list[dict[str, Any]]]]:
    """Each chain's rows, batches and raw answers, digests and all."""
    for source, parts in (("ccc", (PHONES[:4], PHONES[4:])), ("dnc", (PHONES,))):
        previous, found, chain, answers = FIRST_DIGEST, [], [], []
        for position, phones in enumerate(parts, 1):
            batch = batch_of(phones, Verdict.CLEAR, at=moment, until=until)
            if source == "ccc":
                body = f"[{batch.batch_id}]".encode()
                sha = hashlib.sha256(body).hexdigest()
                batch = replace(batch, evidence_hash=sha, answer=body)
                answers.append(ledger._answer(batch, origin(source, chunk)))
            rows = ledger._rows([batch], origin(source, chunk))
            record = BatchRecord(
                batch_id=batch.batch_id,
                lead_date=chunk.lead_date,
                chunk=chunk.number,
                source=source,
                position=position,
                row_count=len(phones),
                digest="",
                prev_digest=previous,
                endpoint=batch.endpoint,
                deployment="local",
                created_at=_naive(moment),
            )
            previous = batch_digest(record, rows_digest(rows))
            found.append(rows)
            chain.append(replace(record, digest=previous))
        yield found, chain, answers


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
