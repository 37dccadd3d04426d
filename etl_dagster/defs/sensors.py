"""The sensors: what arrives in an inbox, what a list changes, what CCC left unanswered, reports.

Belongs here: thin triggers. Does not: which chunks are due (`oversight/agenda.py`), what waits
in an inbox (`dnc/inbox.py`), alerts (`alerts.py`).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from etl_dagster.defs import history
from etl_dagster.defs.dnc import LISTS
from etl_dagster.defs.jobs import (
    DAY_JOB,
    LISTS_JOB,
    OPT_OUTS_JOB,
    REPORT_JOB,
    REPORTS_ITSELF,
    RETRACT_JOB,
    STAGE_ASSETS,
    Job,
    once,
)
from etl_dagster.defs.opt_outs import FINGERPRINT
from etl_dagster.defs.opt_outs import NAME as OPT_OUTS
from etl_dagster.defs.resources import DncStoreResource, PolicyResource, WarehouseResource
from etl_dagster.defs.retract import INTERRUPTED, SEAL, SEEN
from etl_dagster.defs.retract import NAME as RETRACTIONS
from etl_dagster.defs.unanswered import unanswered_sensor
from etl_dagster.dnc import inbox
from etl_dagster.identity.own_key import own_key
from etl_dagster.leads.policy import PolicyError
from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.opt_outs import read_opt_outs

INBOX_SECONDS: Final = 15
"""How often the inboxes and the store are looked into."""


def build_sensors(settings: Settings, jobs: Mapping[str, Job]) -> list[dg.SensorDefinition]:
    """All sensors; each is on by default, since none of them buys what nobody asked for."""
    return [
        _report_sensor(jobs[REPORT_JOB]),
        _lists_sensor(settings.dnc_inbox_dir, jobs[LISTS_JOB]),
        _opt_outs_sensor(settings.opt_out_inbox_dir, jobs[OPT_OUTS_JOB]),
        *_opt_outs_table_sensors(settings, jobs[OPT_OUTS_JOB]),
        _retraction_sensor(jobs[RETRACT_JOB]),
        unanswered_sensor(
            jobs[DAY_JOB],
            within_days=settings.retry_unknown_days,
            patience=timedelta(minutes=settings.retry_unknown_minutes),
        ),
    ]


def _report_sensor(report: Job) -> dg.SensorDefinition:
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


def _lists_sensor(folder: Path, job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description=(
            f"Loads Do-Not-Call list files, called `<list>@<date>`, when they have arrived whole in"
            f" `{folder}`"
        ),
    )
    def dnc_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        files = inbox.pending(folder)
        if not files:
            strangers = ", ".join(map(inbox.shown, inbox.nameless(folder)))
            return dg.SkipReason(
                f"not called <list>@<date>: {strangers}" if strangers else f"nothing in {folder}"
            )
        names = sorted({file.list for file in files})
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    partition_key=name,
                    run_key=once(
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
        description=f"Records opt-outs when a file of them has arrived whole in `{folder}`",
    )
    def opt_out_inbox(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        del context
        if files := inbox.waiting(folder):
            return dg.RunRequest(run_key=once(inbox.fingerprint(files)))
        return dg.SkipReason(f"nothing in {folder}")

    return opt_out_inbox


def _opt_outs_table_sensors(settings: Settings, job: Job) -> list[dg.SensorDefinition]:
    """The sensor of the table of opt-outs, where there is such a table."""
    # a replica records nothing: its scrubs hear the table, the host that keeps the lists records it
    table = None if settings.dnc_snapshot_url else settings.opt_outs_table
    if table is None:
        return []

    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=int(settings.opt_outs_minutes * 60),
        description=f"Records opt-outs when the table `{table}` has changed",
    )
    def opt_outs_table(
        context: dg.SensorEvaluationContext, warehouse: WarehouseResource
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            with warehouse.open(sensor="opt_outs_table").session() as session:
                found = read_opt_outs(session, table).fingerprint(own_key(settings.home))
        except WarehouseError:
            # people are told of runs that fail, of ticks they are not: so let the run meet it
            context.log.exception("%s cannot be read: the run of its job tells why", table)
            return dg.RunRequest(run_key=once("unread"))
        done = history.newest(context.instance, OPT_OUTS)
        if done and _value(done, FINGERPRINT) == found:
            return dg.SkipReason(f"nothing new in {table}")
        return dg.RunRequest(run_key=once(found))

    return [opt_outs_table]


def _retraction_sensor(job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Takes published leads back after the Do-Not-Call store or the policy changed",
    )
    def dnc_changes(
        context: dg.SensorEvaluationContext, dnc_store: DncStoreResource, policy: PolicyResource
    ) -> dg.RunRequest | dg.SkipReason:
        if not Path(dnc_store.path).exists():
            return dg.SkipReason("there is no store yet")
        lists = dnc_store.newest()
        versions = lists.list_versions
        try:
            rules = policy.load().hash
        except PolicyError:
            # people are told of runs that fail, of ticks they are not: so let the run meet it
            context.log.exception("the policy cannot be read: the run of its job tells why")
            return dg.RunRequest(run_key=once(lists.seal, "unread"))
        done = history.newest(context.instance, RETRACTIONS)
        cause = [lists.seal, rules]
        if done and [_value(done, key) for key in (SEAL, history.POLICY)] == cause:
            seen = int(str(_value(done, SEEN) or 0))
            ended = history.newest_interrupted(context.instance)
            if ended == (_value(done, INTERRUPTED) or "") and not history.published_otherwise(
                context.instance, versions, rules, after=seen
            ):
                return dg.SkipReason(f"nothing new since {versions} and policy {rules[:8]}")
            cause += [str(seen), ended]
        return dg.RunRequest(run_key=once(*cause))

    return dnc_changes


def _value(done: dg.AssetMaterialization, key: str) -> object:
    """What the metadata says, None where there is no such entry."""
    return done.metadata[key].value if key in done.metadata else None
