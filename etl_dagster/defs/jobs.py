"""The jobs: what a schedule, a sensor, the command line or a person in the UI launches.

Belongs here: names, selections, keys of runs. Does not: when they run (`schedules.py`,
`sensors.py`).
"""

import time
from typing import Any, Final

import dagster as dg

DAY_JOB: Final = "scrub_day"
REPORT_JOB: Final = "report_day"
LISTS_JOB: Final = "load_dnc_lists"
OPT_OUTS_JOB: Final = "load_opt_outs"
RETRACT_JOB: Final = "retract_listed"
FRESHNESS_JOB: Final = "check_freshness"
EXPORT_JOB: Final = "export_dnc_store"
QUEUE: Final = "dagster-celery/queue"
"""Tag of a run that only workers of a queue may take; it means nothing on one host."""
PRIMARY: Final = "primary"
"""Queue of the host that has the inboxes and keeps the Do-Not-Call store and the reports."""
REPORTS_ITSELF: Final = "etl_dagster/reports_itself"
"""Tag of a run whose launcher writes the report."""
STAGE_ASSETS: Final = ("leads", "ccc_enriched", "dnc_filtered", "callable_leads")
AGE_CHECK: Final = dg.AssetCheckKey(
    dg.AssetKey("internal_opt_outs"), "opt_outs_have_effect_in_time"
)
DAY_CHECK: Final = dg.AssetCheckKey(dg.AssetKey("scrub_report"), "newest_day_is_published")
"""On the report, since it would be a step of every run of the stages otherwise."""
LISTS_CHECK: Final = dg.AssetCheckKey(dg.AssetKey("dnc_registry"), "every_list_is_fresh")
TRY_AGAIN_SECONDS: Final = 600
"""After so long, what failed is launched again."""
Job = Any
"""An asset job before it is resolved; Dagster does not export the type."""


def build_jobs() -> dict[str, Job]:
    """The jobs of what every deployment has, by name."""
    selections = {
        DAY_JOB: (
            dg.AssetSelection.assets(*STAGE_ASSETS),
            "Extract, enrich, scrub and publish; one run does all chunks of a day",
        ),
        REPORT_JOB: (
            # the check of the newest day has a job of its own
            dg.AssetSelection.assets("scrub_report") - dg.AssetSelection.checks(DAY_CHECK),
            "Write the day's report",
        ),
        LISTS_JOB: (
            dg.AssetSelection.assets("dnc_registry"),
            "Load a Do-Not-Call list's files from the inbox",
        ),
        OPT_OUTS_JOB: (
            # so that they are heard also while the warehouse, where that check looks, is away
            dg.AssetSelection.assets("internal_opt_outs") - dg.AssetSelection.checks(AGE_CHECK),
            "Take opt-outs from the inbox and the table",
        ),
        RETRACT_JOB: (
            dg.AssetSelection.assets("retractions"),
            "Take back published leads whose phones are no longer clear",
        ),
    }
    return {name: job_of(name, *of) for name, of in selections.items()}


def job_of(name: str, selection: dg.AssetSelection, description: str) -> Job:
    """A job in one process; but for a day's, of the host that has inboxes, store and reports."""
    return dg.define_asset_job(
        name,
        selection=selection,
        description=description,
        executor_def=dg.in_process_executor,
        tags={QUEUE: PRIMARY} if name != DAY_JOB else None,
    )


def once(*of: str) -> str:
    """A run key for this cause and some minutes: what failed or was killed is tried again."""
    return " ".join([*of, str(int(time.time() // TRY_AGAIN_SECONDS))])
