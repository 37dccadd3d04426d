"""The preview of a day's run: a job of its own, beside the assets, since it makes none.

Belongs here: what the UI asks for and shows. Does not: the numbers (`report/preview.py`). They
are metadata of the step's output, which the run page shows in the log. They are no observation of
`leads`: there the foreseen would stand among what happened, in the asset's history and plots.
"""

from datetime import UTC, date, datetime
from typing import Final

import dagster as dg
from pydantic import Field

from etl_dagster.defs.partitions import daily_partitions
from etl_dagster.defs.resources import PolicyResource, WarehouseResource
from etl_dagster.defs.step_events import counts_preview
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.report.preview import LABELS, Preview, preview_day
from etl_dagster.settings import Settings

PREVIEW_JOB: Final = "preview_day"


class PreviewConfig(dg.Config):
    """The choices of the run that is previewed."""

    campaigns: list[str] = Field(
        default=[], description="Names of the campaigns that would run; all if empty"
    )
    force: bool = Field(
        default=False, description="As if the run were to scrub again what is still valid"
    )


def build_preview(settings: Settings) -> dg.Definitions:
    """The job that previews a day."""

    @dg.op(
        out=dg.Out(dg.Nothing),
        description=(
            "Runs the campaigns into temporary tables and counts: leads, phones, what is on"
            " record, what CCC would be asked and what that costs"
        ),
    )
    def preview(
        context: dg.OpExecutionContext,
        config: PreviewConfig,
        warehouse: WarehouseResource,
        policy: PolicyResource,
    ) -> None:
        tagged = warehouse.open(run_id=context.run.run_id, job=PREVIEW_JOB)
        with tagged.session() as session:
            found = preview_day(
                session,
                date.fromisoformat(context.partition_key),
                load_campaigns(settings.campaigns_dir),
                names=config.campaigns,
                force=config.force,
                settings=settings,
                policy=policy.load(),
                moment=datetime.now(UTC),
            )
        for campaign in found.campaigns:
            context.log.info("%s: %s", found.lead_date, campaign)
        for problem in found.problems:
            # not a failure: what was asked for is here, and alerts are for runs that failed
            context.log.warning("the run would fail: %s", problem)
        context.add_output_metadata(
            {
                "preview": dg.MetadataValue.md(render_preview(found)),
                **found.total.numbers,
                **found.asking,
                **({} if found.cost is None else {"cost": found.cost}),
                "would_fail": bool(found.problems),
            }
        )

    @dg.job(
        name=PREVIEW_JOB,
        description=(
            "What a run of the day would do and cost. Writes nothing, asks CCC nothing; the numbers"
            " are with the step's output"
        ),
        partitions_def=daily_partitions(settings),
        executor_def=dg.in_process_executor,
        tags={"etl_dagster/dry_run": "true"},
    )
    def preview_job() -> None:
        preview()

    return dg.Definitions(jobs=[preview_job])


def render_preview(preview: Preview) -> str:
    """The preview as a Markdown page: counts only, nobody's data."""
    leads = {
        one.campaign: {LABELS[name]: count for name, count in one.numbers.items()}
        for one in [*preview.campaigns, preview.total]
    }
    numbers = preview.asking if preview.cost is None else {**preview.asking, "cost": preview.cost}
    asking = {LABELS[name]: {"number": number} for name, number in numbers.items()}
    parts = [
        *(f"**The run would fail:** {problem}" for problem in preview.problems),
        counts_preview("campaign", leads).value,
        counts_preview("phones and CCC", asking).value,
        *(["Set `CCC_PRICE_PER_1000` to see the cost."] if preview.cost is None else []),
    ]
    return "\n\n".join(map(str, parts)) + "\n"
