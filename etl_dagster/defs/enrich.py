"""The stage `enrich`: every phone checked by the CCC litigator scrub."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from etl_dagster.ccc import CccCanaryError, CccScrubber, ScrubProgress
from etl_dagster.defs import catalog, history
from etl_dagster.defs.answers import ledger_batches, take_over
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.reporting import (
    ChunkReport,
    Progress,
    column_schema,
    counts_preview,
    provenance,
    seconds,
)
from etl_dagster.defs.resources import CccResource, PolicyResource, WarehouseResource, WriterLocks
from etl_dagster.defs.stage_checks import CCC_CANARY, LITIGATOR_RATE, CheckLog, check_specs
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.oversight.findings import Finding, Level
from etl_dagster.oversight.usual import judge_rate
from etl_dagster.progress import ProgressLogger
from etl_dagster.settings import Settings
from etl_dagster.warehouse import ledger, policies, scrubbing, statistics
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.session import Session

if TYPE_CHECKING:
    from etl_dagster.ccc.journal import AnswerJournal

SOURCE = "ccc"


class EnrichConfig(dg.Config):
    """What a run may choose about the litigator scrub."""

    force: bool = Field(
        default=False, description="Ask about every phone, also where an answer is still valid"
    )


def build_ccc_enriched(settings: Settings, in_force: Policy) -> dg.AssetsDefinition:
    """The asset `ccc_enriched`; the policy in force shows in its code version."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["leads", catalog.CCC_API],
        check_specs=check_specs("ccc_enriched"),
        group_name="enrich",
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version=catalog.code_version("1", in_force),
        pool="ccc",
        tags=catalog.tags("enrich"),
        metadata={
            "dagster/table_name": f"{settings.snowflake_schema}.CCC_ENRICHED",
            **catalog.links(
                "create_chunk_evidence",
                "select_phones_to_ask",
                "insert_ccc_enriched",
                docs=["operations.md"],
            ),
        },
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
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        report, checks = ChunkReport(context), CheckLog(context)
        chunks = chunks_in(context)
        degraded: list[str] = []
        with warehouse.for_step(context).session() as session:
            own = checks.tables(
                session, "ccc_enriched", "phone_verdicts", "scrub_batches", "ccc_answers"
            )
            schema = column_schema(own)
            policies.keep_policy(session, rules, run_id=context.run.run_id)
            for number, chunk in enumerate(chunks):
                origin = provenance(context, settings, rules, chunk, source=SOURCE)
                share = (100 * number / len(chunks), 100 / len(chunks))
                changes = BreakerChanges(step)
                journal = ccc.journal(f"{settings.ledger_name}:{chunk}")
                with (
                    locks.hold_everywhere(chunk, session),
                    ccc.scrubber(
                        progress=_shown(step, chunk, share),
                        on_breaker=changes,
                        answered=journal.keep if journal else None,
                    ) as scrub,
                ):
                    try:
                        metadata = _enrich(
                            session,
                            scrub,
                            journal,
                            origin,
                            rules,
                            step,
                            force=config.force,
                            keep=settings.keep_ccc_answers,
                        )
                    except CccCanaryError as error:
                        wrong = Finding(level=Level.WRONG, says=str(error))
                        raise checks.stop(CCC_CANARY, wrong, chunk=chunk) from error
                    finally:
                        changes.tell()
                    if scrub.summary.degraded:
                        degraded.append(str(chunk))
                checks.found(CCC_CANARY, _canary(metadata), chunk=chunk)
                if settings.ccc_price_per_1000 is not None:
                    asked = metadata["phones_asked"]
                    metadata["cost"] = round(asked * settings.ccc_price_per_1000 / 1000, 4)
                report.landed(
                    chunk,
                    {
                        **metadata,
                        "dagster/column_schema": schema,
                        "preview": _preview(metadata),
                    },
                )
                step.progress(100 * (number + 1) / len(chunks), f"{chunk}: done")
            for day in sorted({chunk.lead_date for chunk in chunks}):
                rates = statistics.listed_rates(session, SOURCE, day)
                checks.found(LITIGATOR_RATE, judge_rate(*rates))
        if degraded:
            raise dg.Failure(
                f"CCC did not answer for all phones of {', '.join(degraded)}: they are UNKNOWN and"
                " will not be called. What was answered is kept; run again when the API is well,"
                " which asks only for the rest (the sensor unanswered_phones does so by itself)",
                metadata={"chunks": degraded},
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata=seconds(step), check_results=checks.results())

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


def _enrich(  # noqa: PLR0913, PLR0917
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
    """Ask about the chunk's phones, append the answers, replace the chunk; return its numbers."""
    if journal and (saved := take_over(session, journal, origin, policy, keep=keep)):
        step.info(f"{origin.chunk}: {saved:,} phones had been bought by a run that died")
    with step.timed("read"):
        phones = scrubbing.gather_evidence(session, origin.chunk)
        asked = scrubbing.phones_to_ask(
            session, ccc_ttl=policy.ccc_ttl, moment=datetime.now(UTC), force=force
        )
    step.info(f"{origin.chunk}: {phones:,} phones, {len(asked):,} to ask")
    if len(asked):
        with step.timed("ask"):
            for checkpoint in scrub.scrub(asked):
                made = ledger_batches(checkpoint.batches, policy, keep=keep)
                ledger.append(session, made, origin=origin)
                if journal:
                    journal.forget(checkpoint.batches)
    with step.timed("write"):
        scrubbing.gather_evidence(session, origin.chunk)
        leads, verdicts = scrubbing.write_ccc_enriched(session, origin.chunk, run_id=origin.run_id)
        unanswered = scrubbing.count_unanswered(session)
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


def _canary(metadata: Mapping[str, float]) -> Finding:
    if not metadata["phones_asked"]:
        return Finding(level=Level.RIGHT, says="every answer was on record, nothing was asked")
    if metadata["phones_asked"] == metadata[history.UNANSWERED]:
        return Finding(level=Level.RIGHT, says="CCC answered nothing, which clears nobody")
    return Finding(level=Level.RIGHT, says="its test numbers were answered as they must be")


def _preview(metadata: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    return counts_preview(
        "verdict",
        {one.name: {"phones": int(metadata[f"phones_{one.name.lower()}"])} for one in Verdict},
    )


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
