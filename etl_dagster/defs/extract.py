"""The stage `extract`: campaign SQL to LEADS."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

import dagster as dg
from pydantic import Field

from etl_dagster.defs import catalog, history
from etl_dagster.defs.partitions import chunk_partitions, chunks_in
from etl_dagster.defs.resources import PolicyResource, WarehouseResource, WriterLocks
from etl_dagster.defs.stage_checks import SIZE, CheckLog, check_specs
from etl_dagster.defs.step_events import (
    Progress,
    column_schema,
    counts_preview,
    landed,
    seconds,
)
from etl_dagster.leads.campaigns import Campaign, choose, load_campaigns
from etl_dagster.leads.phones import mask_phones
from etl_dagster.oversight.usual import judge_size
from etl_dagster.settings import Settings
from etl_dagster.warehouse import statistics
from etl_dagster.warehouse.extraction import Extraction

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


def campaign_specs(settings: Settings, campaigns: Sequence[Campaign]) -> list[dg.AssetSpec]:
    """The campaign files as external assets: their text and version, for the graph."""
    contacts = settings.contacts_table.upper()
    return [
        dg.AssetSpec(
            ["campaigns", campaign.name],
            deps=[catalog.table_key(name) for name in {*campaign.tables, contacts}],
            description=(
                f"Campaign SQL `{campaign.path.name}`\n\n```sql\n{mask_phones(campaign.sql)}\n```"
            ),
            group_name=GROUP,
            kinds={"sql"},
            code_version=campaign.code_version,
            tags=catalog.tags(GROUP),
            metadata={
                "file": campaign.path.name,
                "code_version": campaign.code_version,
                **catalog.links(files=[campaign.path]),
            },
        )
        for campaign in campaigns
    ]


def build_leads(settings: Settings, campaigns: Sequence[Campaign]) -> dg.AssetsDefinition:
    """The asset `leads`, for the campaigns of this deployment."""

    @dg.asset(
        partitions_def=chunk_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey(["campaigns", campaign.name]) for campaign in campaigns],
        check_specs=check_specs("leads"),
        group_name=GROUP,
        kinds={"snowflake", "table"},
        owners=["team:data"],
        code_version="1",
        tags=catalog.tags(GROUP, personal_data=True),
        metadata={
            "dagster/table_name": f"{settings.snowflake_schema}.LEADS",
            **catalog.links(
                "extract_campaign",
                "create_contacts",
                "create_day_leads",
                "insert_leads",
                docs=["operations.md"],
            ),
        },
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
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        rules = policy.load()
        # one that cannot be read fails the day, which would be without its leads and say nothing
        chosen = choose(load_campaigns(settings.campaigns_dir), config.campaigns)
        checks = CheckLog(context)
        chunks = chunks_in(context)
        extracted = ", ".join(config.campaigns) or history.ALL_CAMPAIGNS
        found: dict[str, Counter[str]] = {campaign.name: Counter() for campaign in chosen}
        done = 0
        with warehouse.for_step(context).session() as session:
            schema = column_schema(checks.tables(session, "leads"))
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
                step.progress(100 * done / len(chunks), f"{day}: running {len(chosen)} campaigns")
                with step.timed("extract"):
                    counts = extraction.stage()
                for count in counts:
                    step.info(f"{day}: {count}")
                    found[count.campaign].update(count.numbers)
                for chunk in day_chunks:
                    with locks.hold_everywhere(chunk, session), step.timed("write"):
                        rows = extraction.write(chunk, everything=not config.campaigns)
                    done += 1
                    landed(
                        context,
                        chunk,
                        {
                            "dagster/row_count": rows,
                            "dagster/column_schema": schema,
                            history.CAMPAIGNS: extracted,
                        },
                    )
                    step.progress(100 * done / len(chunks), f"{chunk}: {rows:,} leads written")
                leads, earlier = statistics.lead_counts(session, day)
                checks.found(
                    SIZE,
                    judge_size(
                        leads,
                        still_valid=sum(count.still_valid for count in counts),
                        may_be_empty=all(campaign.may_be_empty for campaign in chosen),
                        earlier=earlier,
                    ),
                )
        return dg.MaterializeResult(
            metadata={
                "preview": counts_preview("campaign", found),
                **seconds(step),
            },
            check_results=checks.results(),
        )

    return leads
