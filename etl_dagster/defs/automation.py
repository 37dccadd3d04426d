"""Jobs, the daily schedule, and the sensor that writes the day's report.

Belongs here: thin triggers over the stages. Does not: any decision longer than a line.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import numpy as np

from etl_dagster.defs.dnc import LISTS
from etl_dagster.defs.partitions import (
    RANGE_END,
    RANGE_START,
    chunk_of,
    range_tags,
)
from etl_dagster.defs.resources import DncStoreResource
from etl_dagster.defs.retract import NAME as RETRACTIONS
from etl_dagster.defs.retract import VERSIONS
from etl_dagster.dnc import DncStore, inbox
from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings

DAY_JOB = "scrub_day"
REPORT_JOB = "report_day"
LISTS_JOB = "load_dnc_lists"
OPT_OUTS_JOB = "load_opt_outs"
RETRACT_JOB = "retract_listed"
REPORTS_ITSELF = "etl_dagster/reports_itself"
"""Tag of a run whose launcher writes the report."""
INBOX_SECONDS: Final = 15
"""How often the inboxes and the store are looked into."""
TRY_AGAIN_SECONDS: Final = 600
"""After so long a load that failed is launched again."""
Job = Any
"""An asset job before it is resolved; Dagster does not export the type."""
STAGE_ASSETS = ("leads", "ccc_enriched", "dnc_filtered", "callable_leads")


def build_automation(settings: Settings) -> dg.Definitions:
    """The jobs (a day's four stages in one run, its report, the lists) and what launches them."""
    report, (lists, opt_outs, retract) = _report_job(), _list_jobs()
    return dg.Definitions(
        jobs=[_day_job(), report, lists, opt_outs, retract],
        schedules=[_daily_schedule(settings)],
        sensors=[
            _report_sensor(report),
            _lists_sensor(settings.dnc_inbox_dir, lists),
            _opt_outs_sensor(settings.opt_out_inbox_dir, opt_outs),
            _retraction_sensor(retract),
        ],
    )


def _day_job() -> Job:
    return dg.define_asset_job(
        DAY_JOB,
        selection=list(STAGE_ASSETS),
        description="Extract, enrich, scrub and publish; one run does all chunks of a day",
        executor_def=dg.in_process_executor,
    )


def _report_job() -> Job:
    return dg.define_asset_job(
        REPORT_JOB,
        selection=["scrub_report"],
        description="Write the day's report",
        executor_def=dg.in_process_executor,
    )


def _list_jobs() -> list[Job]:
    return [
        dg.define_asset_job(
            LISTS_JOB,
            selection=["dnc_registry"],
            description="Load a Do-Not-Call list's files from the inbox",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            OPT_OUTS_JOB,
            selection=["internal_opt_outs"],
            description="Load opt-out files from the inbox",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            RETRACT_JOB,
            selection=["retractions"],
            description="Take back published leads whose phones are no longer clear",
            executor_def=dg.in_process_executor,
        ),
    ]


def _daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Yesterday's partition every morning, all chunks in one run."""

    @dg.schedule(
        cron_schedule="0 6 * * *",
        execution_timezone="UTC",
        job_name=DAY_JOB,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Scrubs yesterday's leads at 06:00 UTC; off until somebody turns it on",
    )
    def scrub_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = (context.scheduled_execution_time - timedelta(days=1)).date()
        first, last = Chunk(day, 0), Chunk(day, settings.chunks - 1)
        return dg.RunRequest(
            run_key=f"{DAY_JOB}-{day}",
            partition_key=None,
            tags={**range_tags(first, last), "etl_dagster/day": day.isoformat()},
        )

    return scrub_yesterday


def _report_sensor(report: Job) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        request_job=report,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes scrub_report of the days that a run has published",
    )
    def report_published_days(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
        run = context.dagster_run
        if published(run):
            for day in days_of(run.tags):
                yield dg.RunRequest(run_key=f"{run.run_id}-{day}", partition_key=day)

    return report_published_days


def published(run: dg.DagsterRun) -> bool:
    """Whether a run has published leads and leaves the report to others."""
    if run.tags.get(REPORTS_ITSELF):
        return False
    selected = run.asset_selection  # None or empty where the whole job runs
    return dg.AssetKey(STAGE_ASSETS[-1]) in selected if selected else run.job_name == DAY_JOB


def _lists_sensor(folder: Path, job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Loads Do-Not-Call list files when they have arrived whole in the inbox",
    )
    def dnc_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        files = inbox.pending(folder)
        if not files:
            strangers = ", ".join(path.name for path in inbox.nameless(folder))
            return dg.SkipReason(
                f"not called <list>@<date>: {strangers}" if strangers else f"nothing in {folder}"
            )
        names = sorted({file.list for file in files})
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    partition_key=name,
                    run_key=_once(
                        name, inbox.fingerprint(file.path for file in files if file.list == name)
                    ),
                )
                for name in names
            ],
            dynamic_partitions_requests=[LISTS.build_add_request(names)],
        )

    return dnc_inbox


def _opt_outs_sensor(folder: Path, job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Records opt-outs when a file of them has arrived whole in the inbox",
    )
    def opt_out_inbox(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        del context
        if files := inbox.waiting(folder):
            return dg.RunRequest(run_key=_once(inbox.fingerprint(files)))
        return dg.SkipReason(f"nothing in {folder}")

    return opt_out_inbox


def _retraction_sensor(job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Takes published leads back after the Do-Not-Call store has changed",
    )
    def dnc_changes(
        context: dg.SensorEvaluationContext, dnc_store: DncStoreResource
    ) -> dg.RunRequest | dg.SkipReason:
        if not Path(dnc_store.path).exists():
            return dg.SkipReason("there is no store yet")
        with DncStore.open(dnc_store.path) as store:
            versions = store.lookup(np.empty(0, np.int64)).list_versions
        event = context.instance.get_latest_materialization_event(dg.AssetKey(RETRACTIONS))
        done = event.asset_materialization if event else None
        if done and done.metadata[VERSIONS].value == versions:
            return dg.SkipReason(f"nothing new since {versions}")
        return dg.RunRequest(run_key=_once(versions))

    return dnc_changes


def _once(*of: str) -> str:
    """A run key for this cause and some minutes: what failed or was killed is tried again."""
    return " ".join([*of, str(int(time.time() // TRY_AGAIN_SECONDS))])


def days_of(tags: Mapping[str, str]) -> list[str]:
    """The days that a run's partition tags cover, in order."""
    key = tags.get("dagster/partition")
    start, end = tags.get(RANGE_START, key), tags.get(RANGE_END, key)
    if start is None or end is None:
        return []
    first, last = chunk_of(start).lead_date, chunk_of(end).lead_date
    return [(first + timedelta(days=back)).isoformat() for back in range((last - first).days + 1)]
