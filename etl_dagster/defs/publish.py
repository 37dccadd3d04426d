"""The stage `publish`: the leads that may be called."""

from datetime import UTC, datetime

import dagster as dg

from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.reporting import ChunkReport, Progress, column_schema
from etl_dagster.defs.resources import (
    DncStoreResource,
    HostLocks,
    PolicyResource,
    WarehouseResource,
)
from etl_dagster.defs.retract import retract_listed
from etl_dagster.defs.scrub import SOURCE
from etl_dagster.settings import Settings
from etl_dagster.warehouse import publication
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.publication import NotProvenError
from etl_dagster.warehouse.tables import columns

PROVEN = "every_callable_phone_is_proven"


def build_callable_leads(settings: Settings) -> dg.AssetsDefinition:
    """The asset `callable_leads`, with the proof as its check."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["dnc_filtered"],
        check_specs=[
            dg.AssetCheckSpec(
                PROVEN,
                asset="callable_leads",
                blocking=True,
                description=(
                    "No phone is CALLABLE without a valid CLEAR from each required source in"
                    " PHONE_VERDICTS, read in SQL alone. If it fails, nothing was published:"
                    " materialize `ccc_enriched` and `dnc_filtered` of the chunk again."
                ),
            )
        ],
        group_name="publish",
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version="1",
        metadata={"dagster/table_name": f"{settings.snowflake_schema}.CALLABLE_LEADS"},
        description=(
            "The leads that may be called, phones that may not are NULL. Before a chunk is"
            " published its phones are proved again from the ledger, in SQL. Leads that are no"
            " longer callable are retracted. Dial from the view CALLABLE_NOW, which also drops"
            " what has run out or was blocked since."
        ),
    )
    def callable_leads(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: HostLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        report = ChunkReport(context)
        chunks = chunks_in(context)
        refused: list[str] = []
        with (
            dnc_store.open(max_age_days=rules.dnc_max_age_days) as store,
            warehouse.for_step(context).session() as session,
        ):
            schema = column_schema(columns(session, "callable_leads"))
            for number, chunk in enumerate(chunks):
                try:
                    # days publish each other's leads, so of each bucket one day at a time
                    bucket = f"publish chunk {chunk.number:02d}"
                    with locks.hold(chunk), locks.hold(bucket), step.timed("publish"):
                        published = publication.publish(
                            session,
                            chunk,
                            rules,
                            moment=datetime.now(UTC),
                            run_id=context.run.run_id,
                        )
                        # lists may have changed since the chunk was scrubbed
                        origin = Provenance(
                            chunk=chunk,
                            source=SOURCE,
                            policy_hash=rules.hash,
                            run_id=context.run.run_id,
                            deployment=settings.deployment.value,
                        )
                        published -= retract_listed(session, store, origin)[1]
                except NotProvenError as error:
                    step.error(str(error))
                    refused.append(str(chunk))
                    report.checked(PROVEN, chunk, passed=False, metadata={"reason": str(error)})
                    continue
                report.checked(PROVEN, chunk, passed=True, metadata={"published": published})
                report.landed(
                    chunk, {"dagster/row_count": published, "dagster/column_schema": schema}
                )
                step.progress(100 * (number + 1) / len(chunks), f"{chunk}: {published:,} published")
        if refused:
            raise dg.Failure(
                f"not published, because the ledger does not clear every phone: {refused}",
                allow_retries=False,
            )
        return dg.MaterializeResult(
            metadata={f"seconds_{name}": round(value, 3) for name, value in step.timings.items()},
            check_results=[
                dg.AssetCheckResult(
                    check_name=PROVEN, passed=True, metadata={"chunks": len(chunks)}
                )
            ],
        )

    return callable_leads
