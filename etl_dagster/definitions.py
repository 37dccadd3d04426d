"""Everything that Dagster serves, put together in the order in which a lead flows.

    campaigns/*.sql -> leads -> ccc_enriched -> dnc_filtered -> callable_leads -> scrub_report
                                                    ^
                  list files -> dnc_registry -------'------- internal_opt_outs <- opt-outs

`build_defs` makes them from settings, so that a test can build them for its own servers; `defs`
is what `workspace.yaml` names.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from etl_dagster.defs import (
    automation,
    catalog,
    dnc,
    enrich,
    extract,
    freshness,
    locks,
    opt_outs,
    preview,
    publish,
    report,
    resources,
    retract,
    scrub,
    snapshots,
)
from etl_dagster.defs.reporting import Progress
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.progress import Sink
from etl_dagster.settings import Settings, SettingsError

# One run for a day is the design, and 1.13, to which Dagster is pinned, calls the policy beta.
warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)

STAGES: Final = (
    ("extract", "leads"),
    ("enrich", "ccc_enriched"),
    ("scrub", "dnc_filtered"),
    ("publish", "callable_leads"),
)
"""The stages in flow order: group name and the asset that it makes."""


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
        SettingsError: the environment does not make a usable configuration, or names a campaign
            that there is not.
        CampaignError: a campaign file cannot be used.
        PolicyError: the policy file cannot be used.
    """
    settings = settings or Settings.from_environment()
    campaigns = load_campaigns(settings.campaigns_dir)
    names = {campaign.name for campaign in campaigns}
    if strangers := sorted(set(settings.scheduled_campaigns) - names):
        raise SettingsError(
            f"ETL_SCHEDULE_CAMPAIGNS names {strangers[0]!r}, which is no campaign in"
            f" {settings.campaigns_dir}; there are {', '.join(sorted(names))}"
        )
    served = {
        **build_resources(settings),
        "progress": Progress(*listeners),
        **(resource_overrides or {}),
    }
    policy = served["policy"].load()
    if "ccc_full" in policy.apis and not (settings.is_local or settings.ccc_full_api_url):
        raise SettingsError(
            "CCC_FULL_API_URL is not set, and the policy requires ccc_full: set it to"
            " https://www.dncscrub.com, or take ccc_full out of required_sources"
        )
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
    )
    return dg.Definitions.merge(
        stages,
        freshness.build_freshness(settings),
        snapshots.build_snapshots(settings),
        automation.build_automation(settings),
        preview.build_preview(settings, campaigns),
    )


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources of a deployment, by the names under which assets ask for them."""
    local = resources.LocalResource(
        enabled=settings.is_local, home=str(settings.home), deployment=settings.deployment.value
    )
    return {
        "local": local,
        "warehouse": resources.WarehouseResource(
            local=local,
            account=settings.snowflake_account,
            user=settings.snowflake_user,
            **_secrets(
                settings,
                password="SNOWFLAKE_PASSWORD",  # noqa: S106  the variable's name
                private_key="SNOWFLAKE_PRIVATE_KEY",
                private_key_password="SNOWFLAKE_PRIVATE_KEY_PASSWORD",  # noqa: S106  the same
            ),
            private_key_path=str(settings.snowflake_private_key_path or ""),
            role=settings.snowflake_role or "",
            warehouse=settings.snowflake_warehouse or "",
            database=settings.snowflake_database,
            schema=settings.snowflake_schema,
            host=settings.snowflake_host or "",
            chunks=settings.chunks,
        ),
        "ccc": _ccc(settings, local, "ccc", settings.ccc_api_url, settings.ccc_requests_per_minute),
        "ccc_full": _ccc(
            settings,
            local,
            "ccc_full",
            # the sandbox of a local deployment is all of CCC
            settings.ccc_full_api_url or (settings.ccc_api_url if settings.is_local else None),
            settings.ccc_full_requests_per_minute,
        ),
        "dnc_store": resources.DncStoreResource(
            local=local,
            path=str(settings.dnc_store),
            inbox=str(settings.dnc_inbox_dir),
            opt_out_inbox=str(settings.opt_out_inbox_dir),
            sample=settings.has_sample_lists,
            **_secrets(settings, snapshot_url="DNC_SNAPSHOT_URL", export_url="DNC_EXPORT_URL"),
        ),
        "policy": resources.PolicyResource(
            path=str(settings.policy_file or ""),
            ccc_ttl_days=settings.ccc_verdict_ttl_days or 0,
            dnc_max_age_days=settings.dnc_max_age_days or 0,
        ),
        "locks": locks.HostLocks(
            folder=str(settings.home / "locks"),
            scope=settings.ledger_name.upper(),
            **_secrets(settings, redis_url="ETL_REDIS_URL"),
        ),
        "reports": resources.ReportsResource(folder=str(settings.home / "reports")),
    }


def _ccc(
    settings: Settings,
    local: resources.LocalResource,
    source: str,
    url: str | None,
    requests_per_minute: int,
) -> resources.CccResource:
    return resources.CccResource(
        source=source,
        local=local,
        http=resources.HttpClientResource(
            url=url or "", **_secrets(settings, api_key="CCC_API_KEY")
        ),
        retry=resources.RetryResource(
            max_retries=settings.ccc_max_retries,
            base_delay=settings.ccc_retry_base_delay,
            max_delay=settings.ccc_retry_max_delay,
        ),
        breaker=resources.BreakerResource(
            failures=settings.ccc_breaker_failures,
            reset_seconds=settings.ccc_breaker_reset_seconds,
            successes=2,
        ),
        batch_size=settings.ccc_batch_size,
        min_workers=settings.ccc_min_workers,
        max_workers=settings.ccc_max_workers,
        workers_per_batch=settings.ccc_workers_per_batch,
        requests_per_minute=requests_per_minute,
        state_dir=str(settings.home / "ccc_state"),
        **_secrets(settings, redis_url="ETL_REDIS_URL"),
    )


def _secrets(settings: Settings, **names: str) -> dict[str, Any]:
    """Secrets that are set, as references to the environment, so that no page shows them."""
    return {field: dg.EnvVar(name) for field, name in names.items() if settings.has_secret(name)}


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the environment's configuration; built when Dagster asks for them."""
    return build_defs()
