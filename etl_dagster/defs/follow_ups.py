"""The sensors of what follows: reports after runs, retractions after the lists have changed.

Belongs here: thin triggers, and when one is pulled again. Does not: what arrives from outside, or
is left over (`sensors.py`).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg

from etl_dagster.defs import history
from etl_dagster.defs.jobs import REPORTS_ITSELF, STAGE_ASSETS, Job
from etl_dagster.defs.resources import DncStoreResource
from etl_dagster.defs.retract import NAME as RETRACTIONS
from etl_dagster.defs.retract import SEEN, VERSIONS

INBOX_SECONDS: Final = 15
"""How often the inboxes and the store are looked into."""
TRY_AGAIN_SECONDS: Final = 600
"""After so long, what failed is launched again."""


def report_sensor(report: Job) -> dg.SensorDefinition:
    """The sensor `report_published_days`."""

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        request_job=report,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes scrub_report of the days that a run has published",
    )
    def report_published_days(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
        run = context.dagster_run
        # no SkipReason: Dagster refuses a tick in which one run has it and another a request
        if reports_are_due(run):
            for day in history.days_of(run):
                yield dg.RunRequest(run_key=f"{run.run_id}-{day}", partition_key=day.isoformat())

    return report_published_days


def reports_are_due(run: dg.DagsterRun) -> bool:
    """Whether a run has published leads and leaves the report to others."""
    return STAGE_ASSETS[-1] in history.stages_of(run) and REPORTS_ITSELF not in run.tags


def retraction_sensor(job: Job, *, several_hosts: bool) -> dg.SensorDefinition:
    """The sensor `dnc_changes`."""

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
        versions = dnc_store.newest_versions()
        done = history.newest(context.instance, RETRACTIONS)
        cause = [versions]
        if done and done.metadata[VERSIONS].value == versions:
            said = done.metadata.get(SEEN)
            seen = int(str(said.value)) if said else 0
            if not several_hosts or not history.published_by_other_lists(
                context.instance, versions, after=seen, key=VERSIONS
            ):
                return dg.SkipReason(f"nothing new since {versions}")
            cause.append(str(seen))
        return dg.RunRequest(run_key=once(*cause))

    return dnc_changes


def once(*of: str) -> str:
    """A run key for this cause and some minutes: what failed or was killed is tried again."""
    return " ".join([*of, str(int(time.time() // TRY_AGAIN_SECONDS))])
