"""The stage `enrich`: every phone checked by the CCC litigator scrub."""

from collections.abc import Callable
from datetime import UTC, datetime
from queue import SimpleQueue

import dagster as dg
import numpy as np
from pydantic import Field

from etl_dagster.ccc import CccScrubber, Checkpoint, ScrubProgress
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.reporting import ChunkReport, Progress, column_schema
from etl_dagster.defs.resources import CccResource, HostLocks, PolicyResource, WarehouseResource
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.progress import ProgressLogger
from etl_dagster.settings import Settings
from etl_dagster.warehouse import ledger, scrubbing
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.tables import columns

SOURCE = "ccc"


class EnrichConfig(dg.Config):
    """What a run may choose about the litigator scrub."""

    force: bool = Field(
        default=False, description="Ask about every phone, also where an answer is still valid"
    )


def build_ccc_enriched(settings: Settings) -> dg.AssetsDefinition:
    """The asset `ccc_enriched`."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["leads"],
        group_name="enrich",
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version="1",
        pool="ccc",
        metadata={"dagster/table_name": f"{settings.snowflake_schema}.CCC_ENRICHED"},
        description=(
            "Each phone's litigator verdict. Phones without a valid answer in PHONE_VERDICTS are"
            " sent to the CCC API, nothing else leaves the warehouse; answers are appended to the"
            " ledger as they come, so none is bought twice. No answer means UNKNOWN, which never"
            " dials."
        ),
    )
    def ccc_enriched(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        config: EnrichConfig,
        warehouse: WarehouseResource,
        ccc: CccResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: HostLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        report = ChunkReport(context)
        chunks = chunks_in(context)
        degraded: list[str] = []
        with warehouse.for_step(context).session() as session:
            schema = column_schema(columns(session, "ccc_enriched"))
            for number, chunk in enumerate(chunks):
                origin = Provenance(
                    chunk=chunk,
                    source=SOURCE,
                    policy_hash=rules.hash,
                    run_id=context.run.run_id,
                    deployment=settings.deployment.value,
                )
                share = (100 * number / len(chunks), 100 / len(chunks))
                changes = BreakerChanges(step)
                with (
                    locks.hold(chunk),
                    ccc.scrubber(progress=_shown(step, chunk, share), on_breaker=changes) as scrub,
                ):
                    try:
                        metadata = _enrich(session, scrub, origin, rules, step, force=config.force)
                    finally:
                        changes.tell()
                    if scrub.summary.degraded:
                        degraded.append(str(chunk))
                report.landed(chunk, {**metadata, "dagster/column_schema": schema})
                step.progress(100 * (number + 1) / len(chunks), f"{chunk}: done")
        if degraded:
            raise dg.Failure(
                f"CCC did not answer for all phones of {', '.join(degraded)}: they are UNKNOWN and"
                " will not be called. What was answered is kept; run again when the API is well,"
                " which asks only for the rest",
                metadata={"chunks": degraded},
            )
        return dg.MaterializeResult(
            metadata={f"seconds_{name}": round(value, 3) for name, value in step.timings.items()}
        )

    return ccc_enriched


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


def _enrich(  # noqa: PLR0913
    session: Session,
    scrub: CccScrubber,
    origin: Provenance,
    policy: Policy,
    step: ProgressLogger,
    *,
    force: bool,
) -> dict[str, float]:
    """Ask about the chunk's phones, append the answers, replace the chunk; return its numbers."""
    with step.timed("read"):
        phones = scrubbing.gather_evidence(session, origin.chunk)
        asked = scrubbing.phones_to_ask(
            session, ccc_ttl=policy.ccc_ttl, moment=datetime.now(UTC), force=force
        )
    step.info(f"{origin.chunk}: {phones:,} phones, {len(asked):,} to ask")
    if len(asked):
        with step.timed("ask"):
            for checkpoint in scrub.scrub(asked):
                ledger.append(session, ledger_batches(checkpoint, policy), origin=origin)
    with step.timed("write"):
        scrubbing.gather_evidence(session, origin.chunk)
        leads, verdicts = scrubbing.write_ccc_enriched(session, origin.chunk, run_id=origin.run_id)
    summary = scrub.summary
    return {
        "dagster/row_count": leads,
        "phones": phones,
        "phones_asked": len(asked),
        "phones_on_record": phones - len(asked),
        **{f"phones_{verdict.lower()}": count for verdict, count in verdicts.items()},
        "requests": summary.requests,
        "retries": summary.retries,
        "rate_limited": summary.rate_limited,
        "breaker_openings": summary.breaker_openings,
        "phones_per_second": round(summary.phones_per_second, 1),
        "latency_p50_ms": round(summary.latency_ms_p50, 1),
        "latency_p95_ms": round(summary.latency_ms_p95, 1),
    }


def ledger_batches(checkpoint: Checkpoint, policy: Policy) -> list[LedgerBatch]:
    """A checkpoint's batches as ledger batches: answers are valid for the policy's time."""
    batches = []
    for batch in checkpoint.batches:
        until = np.datetime64(scrubbing.naive(batch.checked_at + policy.ccc_ttl), "us")
        answered = batch.verdicts != Verdict.UNKNOWN
        batches.append(
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
            )
        )
    return batches


def _shown(
    step: ProgressLogger, chunk: Chunk, share: tuple[float, float]
) -> Callable[[ScrubProgress], None]:
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
