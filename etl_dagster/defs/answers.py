"""CCC's answers on their way into the ledger.

Belongs here: checkpoints as ledger batches, and what a dead run had bought and not recorded. Does
not: asking (`ccc/`), appending (`warehouse/ledger.py`), the stage (`enrich.py`).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from etl_dagster.ccc import ScrubbedBatch
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

if TYPE_CHECKING:
    from etl_dagster.ccc.journal import AnswerJournal


def ledger_batches(
    batches: Sequence[ScrubbedBatch], ttl: timedelta, *, keep: bool
) -> list[LedgerBatch]:
    """What CCC answered as ledger batches.

    Args:
        batches: what CCC answered.
        ttl: so long an answer stays valid.
        keep: keep the answers' bodies, too.
    """
    made = []
    for batch in batches:
        until = np.datetime64(scrubbing.naive(batch.checked_at + ttl), "us")
        answered = batch.verdicts != Verdict.UNKNOWN
        made.append(
            LedgerBatch(
                batch_id=batch.batch_id,
                phones=batch.phones,
                verdicts=batch.verdicts,
                reasons=list(batch.reasons),
                valid_until=np.where(answered, until, np.datetime64("NaT", "us")),
                list_versions="",
                checked_at=batch.checked_at,
                evidence_hash=batch.evidence_hash,
                endpoint=batch.endpoint,
                answer=batch.document if keep else b"",
            )
        )
    return made


def take_over(
    session: Session, journal: "AnswerJournal", origin: Provenance, ttl: timedelta, *, keep: bool
) -> int:
    """Append what a dead run of the chunk had bought and not recorded.

    Args:
        session: a session without an open transaction, whose chunk is locked.
        journal: the chunk's.
        origin: who appends.
        ttl: see `ledger_batches`.
        keep: the same.

    Returns:
        The number of phones whose answers were saved.
    """
    kept = journal.kept()
    if not kept:
        return 0
    # a run may die after its commit and before it forgets
    values = {**origin.chunk.values, "source": origin.source}
    recorded = {str(name) for (name,) in session.rows(sql("select_batch_ids"), values)}
    saved = [batch for batch in kept if batch.batch_id not in recorded]
    phones = ledger.append(session, ledger_batches(saved, ttl, keep=keep), origin=origin)
    journal.forget(kept)
    return phones
