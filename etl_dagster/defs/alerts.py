"""The sensors that tell people of failed runs: at once, or when a channel is there again.

Belongs here: which runs are worth an alert, and its facts from the run's events. Does not: the
words and the channels, which are `etl_dagster.alerts`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice
from logging import Logger
from typing import Final

import dagster as dg

from etl_dagster.alerts import Alert, AlertError, Earlier, deliver, is_repeat, ntfy, webhook
from etl_dagster.defs.failures import Cause, causes, publishable
from etl_dagster.defs.jobs import (
    EXPORT_JOB,
    FRESHNESS_JOB,
    LISTS_JOB,
    OPT_OUTS_JOB,
    RETRACT_JOB,
    STAGE_ASSETS,
)
from etl_dagster.defs.partitions import PARTITION, covered
from etl_dagster.settings import Settings

WILL_RETRY = "dagster/will_retry"
RETRIED_BY = "dagster/auto_retry_run_id"
TOLD: Final = "etl_dagster/told"
"""Tag of a failed run that people were told of: the alert's fingerprint."""
TOLD_AT: Final = "etl_dagster/told_at"
NOBODY: Final = "nobody"
"""Value of `TOLD` while no channel has taken the alert."""
REPEATING: Final = {
    **dict.fromkeys((EXPORT_JOB, LISTS_JOB, OPT_OUTS_JOB, RETRACT_JOB), timedelta(hours=1)),
    FRESHNESS_JOB: timedelta(days=1),
}
"""Jobs that are launched again every few minutes, or every hour, while what they are about is
there, and how long people are not told of the same failure."""
LOOKED_AT: Final = 100
"""So many runs of such a job are looked at for the last alert: more than there are in that time."""
ASKED_STAGE = "ccc_enriched"
UNKNOWN = "phones_unknown"
ASSETS = "materialization of assets"
"""What people call a run that no job of ours started."""
EVENTS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a failed run left behind.

    Attributes:
        job: the job's name.
        run_id: the run's id.
        tags: the run's tags.
        failures: steps that failed, in the order in which they did, with their errors.
        ending: the error that ended the run outside of any step, if one did.
        remark: what Dagster says of the run's end.
        checks: checks that failed with severity ERROR.
        landed: asset to the partitions of it that were materialized, of all that were asked for.
        unknown: partition to the phones of it without an answer from CCC.
    """

    job: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, list[Cause]] = field(default_factory=dict)
    ending: list[Cause] = field(default_factory=list)
    remark: str = ""
    checks: Sequence[str] = ()
    landed: Mapping[str, set[str]] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)


def build_alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors `alert_failed_runs` and `alert_untold_runs`, for this deployment's channels."""
    kinds = ((webhook, settings.alert_webhook_url), (ntfy, settings.alert_ntfy_url))
    channels = [make(url.get_secret_value()) for make, url in kinds if url]

    # A run of `etl-dagster run` belongs to no code location, so those of all are looked at, and
    # `reason_to_skip` leaves out what is not ours.
    @dg.run_failure_sensor(
        name="alert_failed_runs",
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells people of failed runs, once no retry is left: in the log and on the channels"
            " of ETL_ALERT_WEBHOOK_URL and ETL_ALERT_NTFY_URL. Fails if no channel takes it, which"
            " `alert_untold_runs` tries again. A job"
            " of lists, opt-outs or retraction that fails again and again for the same reason is"
            " told of once an hour, the hourly watch once a day."
        ),
    )
    def alert_failed_runs(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if reason := reason_to_skip(run, context.repository_def):
            # not a SkipReason: with another run's failure in the same tick Dagster refuses the
            # tick as a whole, keeps its place, and the other run would be told again and again
            context.log.info(reason)
            return
        tell(context.instance, run, context.failure_event, context.log)

    @dg.sensor(
        name="alert_untold_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of runs of the last day whose alert no channel took, once one takes it",
    )
    def alert_untold_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        waiting = dg.RunsFilter(
            tags={TOLD: NOBODY}, created_after=datetime.now(UTC) - timedelta(days=1)
        )
        runs = context.instance.get_runs(filters=waiting, limit=5, ascending=True)
        for run in runs:
            failed = dg.DagsterEventType.PIPELINE_FAILURE
            *_, entry = context.instance.all_logs(run.run_id, of_type=failed)
            tell(context.instance, run, entry.get_dagster_event(), context.log)
        return dg.SkipReason(f"{len(runs)} runs were told of late" if runs else "nobody waits")

    def tell(
        instance: dg.DagsterInstance, run: dg.DagsterRun, failure: dg.DagsterEvent, log: Logger
    ) -> None:
        alert = alert_of(gather(instance, run, failure), ui_url=settings.ui_url)
        now = datetime.now(UTC)
        told = {TOLD: alert.fingerprint}
        quiet_for = REPEATING.get(run.job_name, timedelta(0))
        if is_repeat(alert.fingerprint, earlier_runs(instance, run), now=now, quiet_for=quiet_for):
            log.info("%s, as before: that was told not long ago", alert.title)
        else:
            try:
                deliver(alert, channels, log=log.error)
            except AlertError:
                instance.add_run_tags(run.run_id, {TOLD: NOBODY})
                raise
            told[TOLD_AT] = now.isoformat()
        instance.add_run_tags(run.run_id, told)

    return [alert_failed_runs, alert_untold_runs]


def earlier_runs(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Earlier]:
    """What became of the runs before one of a job that repeats, newest first; of others none."""
    if run.job_name not in REPEATING:
        return
    tags = {PARTITION: run.tags[PARTITION]} if PARTITION in run.tags else {}
    wanted = dg.RunsFilter(job_name=run.job_name, tags=tags)
    found = instance.get_runs(filters=wanted, limit=LOOKED_AT)
    for one in islice(dropwhile(lambda other: other.run_id != run.run_id, found), 1, None):
        told_at = one.tags.get(TOLD_AT)
        yield Earlier(
            succeeded=one.is_success,
            told=one.tags.get(TOLD, ""),
            told_at=datetime.fromisoformat(told_at) if told_at else None,
        )


def reason_to_skip(run: dg.DagsterRun, repository: dg.RepositoryDefinition | None) -> str:
    """Why a failed run is not worth an alert; empty if it is."""
    if run.tags.get(WILL_RETRY) == "true":
        by = f" as run {run.tags[RETRIED_BY]}" if RETRIED_BY in run.tags else ""
        return f"run {run.run_id} is tried again{by}; only the last try's failure is told"
    if repository and not _belongs(run, repository):
        return f"run {run.run_id} of {run.job_name} is of another code location"
    return ""


def _belongs(run: dg.DagsterRun, repository: dg.RepositoryDefinition) -> bool:
    # every location has a job for assets that are launched by themselves: their keys tell
    graph = repository.asset_graph
    return repository.has_job(run.job_name) and all(map(graph.has, run.asset_selection or ()))


def gather(instance: dg.DagsterInstance, run: dg.DagsterRun, failure: dg.DagsterEvent) -> Facts:
    """Read a failed run's events."""
    failures, checks = dict[str, list[Cause]](), dict[str, None]()
    landed, unknown = dict[str, set[str]](), dict[str, int]()
    for entry in instance.all_logs(run.run_id, of_type=EVENTS):
        event = entry.get_dagster_event()
        if event.is_step_failure:
            failures[str(event.step_key)] = causes(event.step_failure_data.error)
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            if not found.passed and found.severity is dg.AssetCheckSeverity.ERROR:
                checks[f"{found.asset_key.to_user_string()}: {found.check_name}"] = None
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            planned = event.asset_materialization_planned_data
            landed.setdefault(planned.asset_key.to_user_string(), set())
        else:
            made = event.step_materialization_data.materialization
            asset, partition = made.asset_key.to_user_string(), made.partition or ""
            landed.setdefault(asset, set()).add(partition)
            count = made.metadata.get(UNKNOWN)
            if asset == ASKED_STAGE and count:
                # a chunk is told twice, when it lands and when the step ends
                unknown[partition] = int(str(count.value))
    return Facts(
        job=run.job_name,
        run_id=run.run_id,
        tags=run.tags,
        failures=failures,
        # a run that others report failed, such as one that was killed, has no data there
        ending=causes(getattr(failure.event_specific_data, "error", None)),
        remark=failure.message or "",
        checks=list(checks),
        landed=landed,
        unknown=unknown,
    )


def alert_of(facts: Facts, *, ui_url: str) -> Alert:
    """The alert that tells these facts."""
    covers, asked = covered(facts.tags)
    first = next(iter(facts.failures.values()), facts.ending)
    landed = {stage: len(facts.landed[stage]) for stage in STAGE_ASSETS if stage in facts.landed}
    return Alert(
        job=ASSETS if facts.job.startswith("__ASSET_JOB") else facts.job,
        run_id=facts.run_id,
        covers=covers,
        stages=tuple(facts.failures),
        checks=facts.checks,
        message=publishable(first) or facts.remark,
        chunks_asked=asked,
        chunks_done=landed if asked else {},
        phones_unknown=sum(facts.unknown.values()) if facts.unknown else None,
        link=f"{ui_url.rstrip('/')}/runs/{facts.run_id}",
    )
