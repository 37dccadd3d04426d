"""The stage `scrub`: every phone against the Do-Not-Call store, then the decision."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg

from etl_dagster.defs import catalog
from etl_dagster.defs.opt_outs import take_opt_outs
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.resources import (
    DncStoreResource,
    PolicyResource,
    WarehouseResource,
    WriterLocks,
)
from etl_dagster.defs.stage_checks import (
    CONSERVED,
    COVERAGE,
    DNC_CANARY,
    DNC_RATE,
    FRESH_LISTS,
    UNKNOWN_SHARE,
    CheckLog,
    check_specs,
)
from etl_dagster.defs.step_events import (
    Progress,
    column_schema,
    counts_preview,
    landed,
    provenance,
    seconds,
)
from etl_dagster.dnc import DncError, DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.oversight.findings import (
    Finding,
    Level,
    judge_coverage,
    judge_staleness,
    judge_unknown,
)
from etl_dagster.oversight.usual import judge_rate
from etl_dagster.scrub.chunk import Scrubbed, scrub_chunk
from etl_dagster.scrub.lookup_rows import SOURCE
from etl_dagster.settings import Settings
from etl_dagster.warehouse import policies, publication, statistics
from etl_dagster.warehouse.lanes import in_lanes
from etl_dagster.warehouse.publication import Conservation
from etl_dagster.warehouse.session import Session


def build_dnc_filtered(settings: Settings, in_force: Policy) -> dg.AssetsDefinition:
    """The asset `dnc_filtered`; the policy in force shows in its code version."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            "ccc_enriched",
            dg.AssetDep("dnc_registry", partition_mapping=dg.AllPartitionMapping()),
            "internal_opt_outs",
        ],
        check_specs=check_specs("dnc_filtered"),
        group_name="scrub",
        kinds={"snowflake", "sqlite", "table"},
        owners=["team:data"],
        code_version=catalog.code_version("1", in_force),
        tags=catalog.tags("scrub"),
        metadata={
            "dagster/table_name": f"{settings.snowflake_schema}.DNC_FILTERED",
            **catalog.links(
                "select_evidence",
                "insert_dnc_filtered",
                "check_conservation",
                docs=["operations.md"],
            ),
        },
        description=(
            "Each phone's Do-Not-Call verdict and the policy's decision on it: CALLABLE only if"
            " every required source says CLEAR and none of that has run out, BLOCKED if any says"
            " LISTED, UNKNOWN otherwise. Look-ups go to the SQLite store of this host."
        ),
    )
    def dnc_filtered(  # noqa: PLR0913, PLR0917  one resource each
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
        ours = warehouse.for_step(context)
        take_opt_outs(step, dnc_store, locks, warehouse=ours, table=settings.opt_outs_table)
        with ours.session() as session, _opened(dnc_store, rules, checks, session) as store:
            schema = column_schema(checks.tables(session, "dnc_filtered"))
            policies.keep_policy(session, rules, run_id=context.run.run_id)

            def scrub(session: Session, chunk: Chunk) -> tuple[Scrubbed, Conservation]:
                origin = provenance(context, settings, rules, chunk, source=SOURCE)
                with locks.hold_everywhere(chunk, session):
                    scrubbed = scrub_chunk(session, store, origin, rules, step)
                    return scrubbed, publication.check_conservation(session, chunk)

            with in_lanes(ours, chunks, scrub, lanes=settings.lanes) as done:
                for number, (chunk, (scrubbed, conservation)) in enumerate(done):
                    for check, finding in _findings(scrubbed, conservation, settings).items():
                        checks.found(check, finding, chunk=chunk)
                    landed(
                        context,
                        chunk,
                        {
                            **scrubbed.numbers,
                            "dagster/column_schema": schema,
                            "list_versions": scrubbed.list_versions,
                            "preview": counts_preview("list", scrubbed.lists),
                            "why_not_callable": counts_preview("cause", scrubbed.causes),
                        },
                    )
                    step.progress(
                        100 * (number + 1) / len(chunks),
                        f"{chunk}: {scrubbed.numbers['phones']:,} phones",
                        phones_per_second=round(scrubbed.numbers["phones_per_second"]),
                    )
            for day in sorted({chunk.lead_date for chunk in chunks}):
                checks.found(DNC_RATE, judge_rate(*statistics.listed_rates(session, SOURCE, day)))
        return dg.MaterializeResult(metadata=seconds(step), check_results=checks.results())

    return dnc_filtered


@contextmanager
def _opened(
    dnc_store: DncStoreResource, policy: Policy, checks: CheckLog, session: Session
) -> Iterator[DncStore]:
    """The store, which tests itself when it is opened; what it finds is a check."""
    with ExitStack() as stack:
        try:
            store = stack.enter_context(dnc_store.open(policy))
            if not store.is_replica:  # which may have older lists than others
                store.refuse_lost(statistics.lists_asked(session))
        except DncError as error:
            raise checks.stop(DNC_CANARY, Finding(level=Level.WRONG, says=str(error))) from error
        says = "the store is intact and finds what it must"
        checks.found(DNC_CANARY, Finding(level=Level.RIGHT, says=says))
        yield store


def _findings(
    scrubbed: Scrubbed, conservation: Conservation, settings: Settings
) -> dict[str, Finding]:
    """What the checks of a chunk find."""
    numbers = scrubbed.numbers
    violations = conservation.violations
    return {
        CONSERVED: Finding(
            level=Level.WRONG if violations else Level.RIGHT,
            says=(
                f"{conservation.leads:,} leads, {conservation.judged:,} of them judged,"
                f" {violations:,} not exactly once"
            ),
            numbers=vars(conservation),
        ),
        FRESH_LISTS: judge_staleness(int(numbers["phones_stale"])),
        COVERAGE: judge_coverage(scrubbed.not_covered),
        UNKNOWN_SHARE: judge_unknown(
            int(numbers["phones_unknown"]),
            int(numbers["phones"]),
            warn=settings.unknown_warn,
            error=settings.unknown_error,
        ),
    }
