"""Checks that run by themselves: are lists fresh, opt-outs in effect, the newest day published.

Belongs here: what goes wrong without any run to tell it. Does not: the stages' own checks
(`checks.py`). Dagster's freshness policies are about an asset as a whole, so that a state's list or
an old day's backfill would make the national list or the newest day look fresh; hence these.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._utils.schedules import get_latest_completed_cron_tick

from etl_dagster.defs import history
from etl_dagster.defs.checks import watched
from etl_dagster.defs.jobs import DAY_CHECK, FRESHNESS_JOB, LISTS_CHECK, job_of
from etl_dagster.defs.opt_out_age import build_opt_out_check
from etl_dagster.defs.resources import DncStoreResource, PolicyResource
from etl_dagster.dnc import DncError, ListStats
from etl_dagster.settings import Settings

TIME_TO_PUBLISH = timedelta(hours=2)
"""How long after the schedule's tick the day must be published."""
RENEW_BEFORE = timedelta(days=7)
"""A list that grows too old within so long is worth a warning."""

NEWER = "load a newer list of that name; until then its phones are UNKNOWN."
RUN_IT = "see the day's runs, then `etl-dagster run --date`"


def build_freshness(settings: Settings) -> dg.Definitions:
    """The checks and the job that makes them."""
    checks = [_lists_check(), build_opt_out_check(settings), _day_check(settings)]
    job = job_of(
        FRESHNESS_JOB,
        dg.AssetSelection.checks(*checks),
        "Check that lists are fresh, opt-outs in effect, the newest day published",
    )
    return dg.Definitions(asset_checks=checks, jobs=[job])


def _lists_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=LISTS_CHECK.asset_key,
        name=LISTS_CHECK.name,
        description=(
            "No list that clears phones is missing or older than the policy allows, or is soon."
            f" An error fails the hourly run, so that people are told. If it fails: {NEWER}"
        ),
    )
    def every_list_is_fresh(
        context: dg.AssetCheckExecutionContext,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
    ) -> dg.AssetCheckResult:
        try:
            with dnc_store.open(policy.load()) as store:
                found = lists_result(
                    store.stats(), datetime.now(UTC), store.evidence_until(), store.missing()
                )
        except DncError as error:
            found = dg.AssetCheckResult(passed=False, description=str(error))
        return watched(context, LISTS_CHECK, found, advice=NEWER)

    return every_list_is_fresh


def lists_result(
    stats: Sequence[ListStats],
    now: datetime,
    replica_until: datetime | None = None,
    missing: Sequence[str] = (),
) -> dg.AssetCheckResult:
    """Judge the ages of lists; those that do not grow old are left out.

    Args:
        stats: of every list.
        now: the moment.
        replica_until: until when a replica clears anybody; None if the store is none.
        missing: lists without which nobody is clear, and that are not there.
    """
    if replica_until is not None and replica_until < now:
        says = "this host's copy of the lists is too old to clear a phone: it could not be fetched"
        return dg.AssetCheckResult(passed=False, description=says)
    ageing = {one.list: one.fresh_until for one in stats if one.fresh_until is not None}
    stale = [name for name, until in ageing.items() if until <= now]
    late = [name for name, until in ageing.items() if now < until <= now + RENEW_BEFORE]
    says = "every list is fresh"
    if missing:
        says = f"nobody is clear without a list that is not there: {', '.join(missing)}"
    elif stale:
        says = f"too old to clear a phone: {', '.join(stale)}"
    elif late:
        says = f"too old within {RENEW_BEFORE.days} days: {', '.join(late)}"
    return dg.AssetCheckResult(
        passed=not missing and not stale and not late,
        severity=dg.AssetCheckSeverity.ERROR if missing or stale else dg.AssetCheckSeverity.WARN,
        description=says,
        metadata={
            f"fresh_days_left_{name}": round((until - now) / timedelta(days=1), 2)
            for name, until in ageing.items()
        },
    )


def _day_check(settings: Settings) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=DAY_CHECK.asset_key,
        name=DAY_CHECK.name,
        description=(
            "All chunks of the day that the schedule asked for last are published, two hours"
            " after its tick. An error fails the hourly run, so that people are told. If it fails:"
            f" {RUN_IT}. In a local deployment, where nobody dials, it only warns."
        ),
    )
    def newest_day_is_published(
        context: dg.AssetCheckExecutionContext, policy: PolicyResource
    ) -> dg.AssetCheckResult:
        deadline = datetime.now(UTC) - TIME_TO_PUBLISH
        tick = get_latest_completed_cron_tick(
            settings.schedule_cron, deadline, settings.schedule_timezone
        )
        expected = (tick or deadline).astimezone(UTC).date() - timedelta(days=1)
        finished = history.finished_days(
            context.instance,
            chunks=settings.chunks,
            policy_hash=policy.load().hash,
            campaigns=settings.scheduled_campaigns,
        )
        newest = max(finished, default=None)
        severity = dg.AssetCheckSeverity.WARN if settings.is_local else dg.AssetCheckSeverity.ERROR
        result = dg.AssetCheckResult(
            passed=expected in finished,
            severity=severity,
            description=(
                f"{expected} is published"
                if expected in finished
                else f"{expected} is not published under the policy in force;"
                f" the newest day that is: {newest or 'none'}"
            ),
            metadata={"expected": str(expected), "newest_published": str(newest or "none")},
        )
        return watched(context, DAY_CHECK, result, advice=RUN_IT)

    return newest_day_is_published
