"""Asking one service about one chunk: from phones to answers on record.

Belongs here: the order in which things are asked, recorded and written, and telling how far it is;
what a dead run had bought and not recorded. Does not: the protocol and its policies (`ccc/`),
appending (`warehouse/ledger.py`), the asset (`enrich.py`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from etl_dagster.ccc import CccScrubber, ScrubbedBatch, ScrubProgress
from etl_dagster.defs import history
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.progress import ProgressLogger
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

if TYPE_CHECKING:
    from etl_dagster.ccc.journal import AnswerJournal


class BreakerChanges:
    """Notes the breaker's changes of state, on any thread, and tells them on the step's own."""

    def __init__(self, step: ProgressLogger) -> None:
        """Tell this step's log."""
        self._step = step
        self._noted: SimpleQueue[str] = SimpleQueue()

    def __call__(self, old: str, new: str) -> None:
        """Note a change."""
        self._noted.put(f"the CCC circuit breaker went from {old} to {new}")

    def tell(self) -> None:
        """Tell what was noted."""
        while not self._noted.empty():
            self._step.info(self._noted.get())


def ask_about(  # noqa: PLR0913, PLR0917
    session: Session,
    scrub: CccScrubber,
    journal: "AnswerJournal | None",
    origin: Provenance,
    policy: Policy,
    step: ProgressLogger,
    *,
    force: bool,
    keep: bool,
) -> dict[str, float]:
    """Ask a service about the chunk's phones, append the answers, replace its rows of the chunk.

    Args:
        session: a session without an open transaction, whose chunk is locked.
        scrub: the service.
        journal: where its answers are kept until they are on record, if anywhere.
        origin: whose answers they will be.
        policy: the policy in force.
        step: told what is done.
        force: ask about all phones.
        keep: keep the answers' bodies.

    Returns:
        The chunk's numbers.
    """
    ttl = policy.ttl(origin.source)
    if journal and (saved := take_over(session, journal, origin, ttl, keep=keep)):
        step.info(f"{origin.chunk}: {saved:,} phones had been bought by a run that died")
    with step.timed("read"):
        phones = scrubbing.gather_evidence(session, origin.chunk)
        asked = scrubbing.phones_to_ask(
            session, policy, origin.source, moment=datetime.now(UTC), force=force
        )
    step.info(f"{origin.chunk}: {phones:,} phones, {len(asked):,} to ask {origin.source} about")
    if len(asked):
        with step.timed("ask"):
            for checkpoint in scrub.scrub(asked):
                made = ledger_batches(checkpoint, ttl, keep=keep)
                ledger.append(session, made, origin=origin)
                if journal:
                    journal.forget(checkpoint)
    with step.timed("write"):
        scrubbing.gather_evidence(session, origin.chunk)
        leads, verdicts = scrubbing.write_ccc_enriched(
            session, origin.chunk, origin.source, run_id=origin.run_id
        )
        unanswered = scrubbing.count_unanswered(session, origin.source)
    summary = scrub.summary
    return {
        "dagster/row_count": leads,
        "phones": phones,
        "phones_asked": len(asked),
        "phones_on_record": phones - len(asked),
        history.UNANSWERED: unanswered,
        **{f"phones_{one.name.lower()}": verdicts.get(one.name, 0) for one in Verdict},
        "requests": summary.requests,
        "retries": summary.retries,
        "rate_limited": summary.rate_limited,
        "breaker_openings": summary.breaker_openings,
        "phones_per_second": round(summary.phones_per_second, 1),
        "latency_p50_ms": round(summary.latency_ms_p50, 1),
        "latency_p95_ms": round(summary.latency_ms_p95, 1),
    }


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


def shown(
    step: ProgressLogger, chunk: Chunk, share: tuple[float, float]
) -> Callable[[ScrubProgress], None]:
    """What shows how far a chunk is, which is a share (start, width) of the step's percent."""
    start, width = share

    def tell(state: ScrubProgress) -> None:
        done = state.done / state.total if state.total else 1.0
        step.progress(
            min(start + width * done, 99.9),
            f"{chunk}: {state.done:,} of {state.total:,} phones",
            phones_per_second=round(state.summary.phones_per_second),
            workers=state.summary.workers,
            retries=state.summary.retries,
            breaker=state.summary.breaker_state,
        )

    return tell
