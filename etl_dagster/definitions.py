"""Everything that Dagster serves, put together in the order in which a lead flows.

    campaigns/*.sql -> leads -> ccc_enriched -> dnc_filtered -> callable_leads -> scrub_report
                                                    ^
                  list files -> dnc_registry -------'------- internal_opt_outs <- opt-outs

`build_defs` makes them from settings, so that a test can build them for its own servers; `defs`
is what `workspace.yaml` names. A campaign or policy that cannot be used is told at once, and
fails the runs that need it; people who ask to be left alone do not wait until it is mended.
"""

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import get_dagster_logger

from etl_dagster.defs import (
    alerts,
    catalog,
    dnc,
    enrich,
    extract,
    freshness,
    jobs,
    opt_outs,
    preview,
    publish,
    report,
    retract,
    schedules,
    scrub,
    sensors,
    snapshots,
)
from etl_dagster.defs.resources import build_resources
from etl_dagster.defs.step_events import Progress
from etl_dagster.leads.campaigns import find_campaigns
from etl_dagster.leads.policy import LOOSEST, PolicyError
from etl_dagster.progress import Sink
from etl_dagster.settings import Settings, SettingsError

# One run for a day is the design, and 1.13, to which Dagster is pinned, calls the policy beta.
warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)


def build_defs(
    settings: Settings | None = None,
    *,
    resource_overrides: Mapping[str, Any] | None = None,
    listeners: tuple[Sink, ...] = (),
) -> dg.Definitions:
    """Build all definitions.

    Args:
        settings: the configuration; the environment's if None.
        resource_overrides: resources to use instead of the configured ones, by name.
        listeners: told all progress, besides Dagster.

    Raises:
        SettingsError: the environment does not make a usable configuration, or names a schedule
            that is none.
    """
    settings = settings or Settings.from_environment()
    campaigns, faults = find_campaigns(settings.campaigns_dir)
    names = {campaign.name for campaign in campaigns}
    untold = [str(fault) for fault in faults]
    strangers = sorted(set(settings.scheduled_campaigns) - names)
    if strangers and not faults:
        untold.append(
            f"ETL_SCHEDULE_CAMPAIGNS names {strangers[0]!r}, which is no campaign in"
            f" {settings.campaigns_dir}; there are {', '.join(sorted(names))}"
        )
    served = {
        **build_resources(settings),
        "progress": Progress(*listeners),
        **(resource_overrides or {}),
    }
    policy = LOOSEST  # only to be shown: whatever goes by a policy reads it, and fails
    try:
        policy = served["policy"].load()
        settings.check_days(policy.apis)
    except (PolicyError, SettingsError) as error:
        untold.append(str(error))
    told = [f"{fault}; days that need it fail before that is mended" for fault in untold]
    if not (settings.is_local or settings.alert_webhook_url or settings.alert_ntfy_url):
        told.append(
            "no ETL_ALERT_WEBHOOK_URL, no ETL_ALERT_NTFY_URL: nobody is told of failed runs"
        )
    if settings.start_date >= datetime.now(UTC).date():
        told.append(f"ETL_START_DATE is {settings.start_date}: until it is over no day can be run")
    for warning in told:
        get_dagster_logger().warning(warning)
    launched = jobs.build_jobs()
    stages = dg.Definitions(
        assets=[
            *catalog.source_specs(settings, campaigns, policy),
            *extract.campaign_specs(settings, campaigns),
            extract.build_leads(settings, campaigns),
            enrich.build_ccc_enriched(settings, policy),
            scrub.build_dnc_filtered(settings, policy),
            publish.build_callable_leads(settings, policy),
            report.build_scrub_report(settings),
            retract.build_retractions(settings),
            dnc.dnc_registry,
            opt_outs.build_internal_opt_outs(settings),
        ],
        resources=served,
        executor=dg.in_process_executor,
        jobs=list(launched.values()),
        schedules=schedules.build_schedules(settings),
        sensors=[
            *sensors.build_sensors(settings, launched),
            *alerts.build_alert_sensors(settings),
        ],
    )
    return dg.Definitions.merge(
        stages,
        freshness.build_freshness(settings),
        snapshots.build_snapshots(settings),
        preview.build_preview(settings),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the environment's configuration; built when Dagster asks for them."""
    return build_defs()
