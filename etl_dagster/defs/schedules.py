"""The schedules: the daily run, and the watch over what should be fresh.

Belongs here: thin triggers. Does not: which days are due (`oversight/agenda.py`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG
from dagster._utils.schedules import is_valid_cron_string

from etl_dagster.defs import history
from etl_dagster.defs.jobs import DAY_JOB, FRESHNESS_JOB
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import PolicyResource, WarehouseResource
from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight import agenda
from etl_dagster.settings import Settings, SettingsError
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.retention import removed_days

DAY = "etl_dagster/day"
"""Tag of a scheduled run: its day."""


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """All schedules.

    Raises:
        SettingsError: ETL_SCHEDULE_CRON is no cron schedule.
    """
    if not is_valid_cron_string(settings.schedule_cron):
        raise SettingsError(
            f"ETL_SCHEDULE_CRON is {settings.schedule_cron!r}, which is no cron schedule; expected"
            " minute, hour, day, month and weekday, such as '0 6 * * *'"
        )
    return [_daily_schedule(settings), _freshness_schedule()]


def _daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    campaigns = settings.scheduled_campaigns
    chosen = {"campaigns": list(campaigns)}
    zone, back = settings.schedule_timezone, settings.catch_up_days

    @dg.schedule(
        cron_schedule=settings.schedule_cron,
        execution_timezone=zone,
        job_name=DAY_JOB,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Scrubs the leads of {', '.join(campaigns) or 'all campaigns'} of yesterday, all"
            f" chunks in one run, at `{settings.schedule_cron}` ({zone}). Days that were missed,"
            f" up to {back} back, are made up for. Off until somebody turns it on: it buys answers."
        ),
    )
    def scrub_yesterday(
        context: dg.ScheduleEvaluationContext, policy: PolicyResource, warehouse: WarehouseResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        moment = context.scheduled_execution_time
        newest = moment.astimezone(UTC).date() - timedelta(days=1)
        finished = history.finished_days(
            context.instance,
            chunks=settings.chunks,
            policy_hash=policy.load().hash,
            campaigns=campaigns,
        )
        ever = history.finished_days(
            context.instance, chunks=settings.chunks, policy_hash=None, campaigns=None
        )
        due = agenda.days_due(
            newest,
            finished=finished,
            running={chunk.lead_date for chunk in history.busy_chunks(context.instance)},
            begun=min(ever, default=None),
            catch_up_days=back,
        )
        due = [day for day in due if day >= settings.start_date]
        if due and due[0] != newest:  # only days that were missed can be gone: they are asked for
            try:
                with warehouse.open().session() as session:
                    due = agenda.not_removed(due, removed_days(session))
            except WarehouseError:
                if newest not in due or datetime.now(UTC) - moment < timedelta(minutes=30):
                    raise  # Dagster tries again in a minute
                context.log.exception("only %s is asked for; missed days wait", newest)
                due = [newest]
        if not due:
            yield dg.SkipReason(f"{newest} is running, or before ETL_START_DATE; none was missed")
        for day in due:
            yield dg.RunRequest(
                run_key=f"{day} at {moment.isoformat()}",
                run_config={"ops": {"leads": {"config": chosen}}} if campaigns else {},
                tags={
                    **range_tags(Chunk(day, 0), Chunk(day, settings.chunks - 1)),
                    DAY: day.isoformat(),
                    PRIORITY_TAG: "2" if day == newest else "1",  # a backfill has none
                },
            )

    return scrub_yesterday


def _freshness_schedule() -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="watch_freshness",
        cron_schedule="17 * * * *",
        execution_timezone="UTC",
        job_name=FRESHNESS_JOB,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Checks every hour that each Do-Not-Call list is fresh, no opt-out waits too long and"
            " the newest day is published; on by default, since it only looks."
        ),
    )
