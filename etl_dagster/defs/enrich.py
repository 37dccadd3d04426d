"""The stage `enrich`: every phone checked by the services of CCC that the policy asks."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from etl_dagster.ccc import CccCanaryError
from etl_dagster.defs import catalog, history
from etl_dagster.defs.asking import BreakerChanges, ask_about, shown
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.resources import CccResource, PolicyResource, WarehouseResource, WriterLocks
from etl_dagster.defs.stage_checks import CCC_CANARY, LITIGATOR_RATE, CheckLog, check_specs
from etl_dagster.defs.step_events import (
    Progress,
    column_schema,
    counts_preview,
    landed,
    provenance,
    seconds,
)
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.oversight.findings import Finding, Level
from etl_dagster.oversight.usual import judge_rate
from etl_dagster.settings import Settings
from etl_dagster.warehouse import policies, statistics


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
        deps=["leads", *(spec.key for spec in catalog.api_specs(in_force))],
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
            "Each phone's verdict by each service of CCC that the policy asks, at least the"
            " litigator scrub. Phones without a valid answer in PHONE_VERDICTS are sent there,"
            " nothing else leaves the warehouse; answers are appended to the ledger as they come,"
            " so none is bought twice. No answer means UNKNOWN, which never dials."
        ),
    )
    def ccc_enriched(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        config: EnrichConfig,
        warehouse: WarehouseResource,
        ccc: CccResource,
        ccc_full: CccResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        settings.check_days(rules.apis)  # before anything is bought
        checks = CheckLog(context)
        chunks = chunks_in(context)
        services = {one.source: one for one in (ccc, ccc_full)}
        width = 100 / (len(chunks) * len(rules.apis))
        degraded: list[str] = []
        with warehouse.for_step(context).session() as session:
            own = checks.tables(
                session, "ccc_enriched", "phone_verdicts", "scrub_batches", "ccc_answers"
            )
            schema = column_schema(own)
            policies.keep_policy(session, rules, run_id=context.run.run_id)

            def ask(chunk: Chunk, api: str, start: float) -> dict[str, float]:
                origin = provenance(context, settings, rules, chunk, source=api)
                # others' answers are kept as the policy judged them, so they are that policy's
                own = "" if api == "ccc" else f":{api}:{rules.hash}"
                changes = BreakerChanges(step)
                journal = services[api].journal(f"{settings.ledger_name}:{chunk}{own}")
                with services[api].scrubber(
                    rules,
                    progress=shown(step, chunk, (start, width)),
                    on_breaker=changes,
                    answered=journal.keep if journal else None,
                ) as scrub:
                    try:
                        numbers = ask_about(
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
                        wrong = Finding(level=Level.WRONG, says=f"{api}: {error}")
                        raise checks.stop(CCC_CANARY, wrong, chunk=chunk) from error
                    finally:
                        changes.tell()
                    if scrub.summary.degraded:
                        degraded.append(str(chunk))
                checks.found(CCC_CANARY, _canary(api, numbers), chunk=chunk)
                price = settings.price_per_1000(api)
                if price is not None:
                    numbers["cost"] = round(numbers["phones_asked"] * price / 1000, 4)
                return numbers

            for number, chunk in enumerate(chunks):
                # Not the chunk's own lock: opt-outs, which need it, are not to wait for CCC. A
                # bucket has the same people every day, so days ask about it one after the other.
                with locks.hold_everywhere(f"ask chunk {chunk.number:02d}", session):
                    first, *others = (
                        ask(chunk, api, 100 * number / len(chunks) + width * place)
                        for place, api in enumerate(rules.apis)
                    )
                landed(
                    context,
                    chunk,
                    {
                        **_together(first, dict(zip(rules.apis[1:], others, strict=True))),
                        "dagster/column_schema": schema,
                        "preview": _preview(first),
                    },
                )
                step.progress(100 * (number + 1) / len(chunks), f"{chunk}: done")
            for day in sorted({chunk.lead_date for chunk in chunks}):
                for api in rules.apis:
                    rates = statistics.listed_rates(session, api, day)
                    checks.found(LITIGATOR_RATE, judge_rate(*rates))
        if left := list(dict.fromkeys(degraded)):
            raise dg.Failure(
                f"CCC did not answer for all phones of {', '.join(left)}: they are UNKNOWN and"
                " will not be called. What was answered is kept; run again when the API is well,"
                " which asks only for the rest (the sensor unanswered_phones does so by itself)",
                metadata={"chunks": left},
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata=seconds(step), check_results=checks.results())

    return ccc_enriched


def _together(
    first: Mapping[str, float], others: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """The numbers of all services: the others' under their names, unanswered phones added up."""
    named = {f"{api}_{key}": value for api, one in others.items() for key, value in one.items()}
    unanswered = sum(one[history.UNANSWERED] for one in (first, *others.values()))
    return {**named, **first, history.UNANSWERED: unanswered}


def _canary(api: str, metadata: Mapping[str, float]) -> Finding:
    says = "its test numbers were answered as they must be"
    if not metadata["phones_asked"]:
        says = "every answer was on record, nothing was asked"
    elif metadata["phones_asked"] == metadata[history.UNANSWERED]:
        says = "CCC answered nothing, which clears nobody"
    return Finding(level=Level.RIGHT, says=f"{api}: {says}")


def _preview(metadata: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    return counts_preview(
        "verdict",
        {one.name: {"phones": int(metadata[f"phones_{one.name.lower()}"])} for one in Verdict},
    )
