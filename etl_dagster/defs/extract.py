"""The stage `extract`: campaign SQL to LEADS."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

import dagster as dg
from pydantic import Field

from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.reporting import ChunkReport, Progress, column_schema
from etl_dagster.defs.resources import HostLocks, PolicyResource, WarehouseResource
from etl_dagster.leads.campaigns import Campaign
from etl_dagster.leads.phones import mask_phones
from etl_dagster.settings import Settings
from etl_dagster.warehouse.extraction import Extraction
from etl_dagster.warehouse.tables import columns

GROUP = "extract"


class ExtractConfig(dg.Config):
    """What a run may choose about the extraction."""

    campaigns: list[str] = Field(
        default=[], description="Names of the campaigns to extract; all if empty"
    )
    force: bool = Field(
        default=False,
        description="Extract leads too that another day published and that are still valid",
    )


def campaign_specs(campaigns: Sequence[Campaign]) -> list[dg.AssetSpec]:
    """The campaign files as external assets: their text and version, for the graph."""
    return [
        dg.AssetSpec(
            ["campaigns", campaign.name],
            description=(
                f"Campaign SQL `{campaign.path.name}`\n\n```sql\n{mask_phones(campaign.sql)}\n```"
            ),
            group_name=GROUP,
            kinds={"sql"},
            code_version=campaign.code_version,
            metadata={"file": campaign.path.name, "code_version": campaign.code_version},
        )
        for campaign in campaigns
    ]


def build_leads(settings: Settings, campaigns: Sequence[Campaign]) -> dg.AssetsDefinition:
    """The asset `leads`, for the campaigns of this deployment."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey(["campaigns", campaign.name]) for campaign in campaigns],
        group_name=GROUP,
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version="1",
        metadata={"dagster/table_name": f"{settings.snowflake_schema}.LEADS"},
        description=(
            "The day's leads of every campaign, extracted inside Snowflake: identity normalised and"
            " hashed to `lead_id`, phones normalised, missing phones filled from the contacts"
            " table, one row per campaign and person. Names and addresses never leave the"
            " warehouse."
        ),
    )
    def leads(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        config: ExtractConfig,
        warehouse: WarehouseResource,
        policy: PolicyResource,
        progress: dg.ResourceParam[Progress],
        locks: HostLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        chosen = _chosen(campaigns, config.campaigns)
        report = ChunkReport(context)
        chunks = chunks_in(context)
        done = 0
        with warehouse.for_step(context).session() as session:
            schema = column_schema(columns(session, "leads"))
            for day, day_chunks in groupby(chunks, key=lambda chunk: chunk.lead_date):
                extraction = Extraction(
                    session,
                    day,
                    chosen,
                    chunks=settings.chunks,
                    contacts_table=settings.contacts_table,
                    policy_hash=rules.hash,
                    force=config.force,
                    moment=datetime.now(UTC),
                    run_id=context.run.run_id,
                )
                with step.timed("extract"):
                    counts = extraction.stage()
                for count in counts:
                    step.info(f"{day}: {count}")
                for chunk in day_chunks:
                    with locks.hold(chunk), step.timed("write"):
                        rows = extraction.write(chunk, everything=not config.campaigns)
                    done += 1
                    report.landed(
                        chunk, {"dagster/row_count": rows, "dagster/column_schema": schema}
                    )
                    step.progress(100 * done / len(chunks), f"{chunk}: {rows:,} leads written")
        return dg.MaterializeResult(
            metadata={f"seconds_{name}": round(value, 3) for name, value in step.timings.items()}
        )

    return leads


def _chosen(campaigns: Sequence[Campaign], names: Sequence[str]) -> list[Campaign]:
    known = {campaign.name for campaign in campaigns}
    if unknown := sorted(set(names) - known):
        raise dg.Failure(
            f"no campaign {unknown[0]!r}; there are {', '.join(sorted(known))}", allow_retries=False
        )
    return [campaign for campaign in campaigns if not names or campaign.name in names]
