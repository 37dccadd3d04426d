"""The stage `publish`: the leads that may be called."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from etl_dagster.defs import catalog, history
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.resources import (
    DncStoreResource,
    PolicyResource,
    WarehouseResource,
    WriterLocks,
)
from etl_dagster.defs.retract import publication_of
from etl_dagster.defs.stage_checks import PROVEN, CheckLog, check_specs
from etl_dagster.defs.step_events import (
    Progress,
    column_schema,
    counts_preview,
    landed,
    provenance,
    seconds,
)
from etl_dagster.dnc import DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.oversight.findings import Finding, Level
from etl_dagster.scrub.lookup_rows import SOURCE
from etl_dagster.scrub.published import record_listed, retract_listed, versions_of
from etl_dagster.settings import Settings
from etl_dagster.warehouse import call_windows, publication
from etl_dagster.warehouse.lanes import in_lanes
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.publication import NotProvenError
from etl_dagster.warehouse.session import Session


def build_callable_leads(settings: Settings, in_force: Policy) -> dg.AssetsDefinition:
    """The asset `callable_leads`; the policy in force shows in its code version."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=["dnc_filtered"],
        check_specs=check_specs("callable_leads"),
        group_name="publish",
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version=catalog.code_version("1", in_force),
        tags=catalog.tags("publish"),
        metadata={
            "dagster/table_name": f"{settings.snowflake_schema}.CALLABLE_LEADS",
            **catalog.links(
                "create_proven_phones",
                "count_unproven",
                "create_publishable",
                "tables/callable_now",
                "tables/callable_within_hours",
                docs=["operations.md", "calling_hours.md"],
            ),
        },
        description=(
            "The leads that may be called, phones that may not are NULL. Before a chunk is"
            " published its phones are proved again from the ledger, in SQL. Leads that are no"
            " longer callable are retracted. The view CALLABLE_NOW also drops what has run out or"
            " was blocked since; dial from CALLABLE_WITHIN_HOURS, which of these shows whom the"
            " calling hours allow at the moment."
        ),
    )
    def callable_leads(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        checks = CheckLog(context)
        chunks = chunks_in(context)
        refused: list[str] = []
        ours = warehouse.for_step(context)
        with dnc_store.open(rules) as store, ours.session() as session:
            versions = versions_of(store)
            schema = column_schema(
                checks.tables(session, "callable_leads", "call_places", "call_windows")
            )
            with (
                locks.hold_everywhere("call windows", session),
                step.timed("call_windows"),
            ):
                call_windows.keep_up(session, rules.hours, today=datetime.now(UTC).date())

            def publish(session: Session, chunk: Chunk) -> tuple[int, Mapping[str, int]] | str:
                origin = provenance(context, settings, rules, chunk, source=SOURCE)
                with (
                    locks.hold_everywhere(chunk, session),
                    # of each bucket one day at a time
                    locks.hold_everywhere(publication_of(chunk.number), session),
                    step.timed("publish"),
                ):
                    try:
                        published = publish_chunk(session, store, origin, rules)
                    except NotProvenError as error:
                        return str(error)
                return published, publication.published_leads(session, chunk)

            with in_lanes(ours, chunks, publish, lanes=settings.lanes) as done:
                for number, (chunk, became) in enumerate(done):
                    if isinstance(became, str):
                        step.error(became)
                        refused.append(str(chunk))
                        checks.found(PROVEN, Finding(level=Level.WRONG, says=became), chunk=chunk)
                        continue
                    published, by_campaign = became
                    checks.found(
                        PROVEN,
                        Finding(
                            level=Level.RIGHT,
                            says=f"{published:,} leads published, each of their phones cleared by"
                            " the ledger",
                            numbers={"published": published},
                        ),
                        chunk=chunk,
                    )
                    landed(
                        context,
                        chunk,
                        {
                            "dagster/row_count": published,
                            "dagster/column_schema": schema,
                            history.POLICY: rules.hash,
                            history.VERSIONS: versions,
                            "preview": counts_preview(
                                "campaign", {name: {"leads": n} for name, n in by_campaign.items()}
                            ),
                        },
                    )
                    step.progress(
                        100 * (number + 1) / len(chunks), f"{chunk}: {published:,} published"
                    )
        if refused:
            checks.tell_worst()
            raise dg.Failure(
                f"not published, because the ledger does not clear every phone: {refused}",
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata=seconds(step), check_results=checks.results())

    return callable_leads


def publish_chunk(session: Session, store: DncStore, origin: Provenance, policy: Policy) -> int:
    """Publish a chunk without whom the lists have by now, though they may not have at its scrub.

    Returns:
        The number of leads that the chunk has published.

    Raises:
        NotProvenError: the ledger does not clear every phone; what was published before stays.
    """
    asked_of = versions_of(store)
    published = publication.publish(
        session,
        origin.chunk,
        policy,
        ask_again=lambda phones: record_listed(session, store, origin, phones),
        moment=datetime.now(UTC),
        run_id=origin.run_id,
    )
    if versions_of(store) != asked_of:  # while it was published
        published -= retract_listed(session, store, origin)[1]
    return published
