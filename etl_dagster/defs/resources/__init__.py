"""Resources: validated configuration turned into domain objects, on first use.

Belongs here: what the UI shows under Resources. Does not: any behaviour of the parts themselves.
"""

from typing import Any

import dagster as dg

from etl_dagster.defs.resources.ccc import (
    BreakerResource,
    CccResource,
    HttpClientResource,
    RetryResource,
    trouble,
)
from etl_dagster.defs.resources.dnc_store import DncStoreResource
from etl_dagster.defs.resources.local import LocalResource, PolicyResource, ReportsResource
from etl_dagster.defs.resources.locks import WriterLocks
from etl_dagster.defs.resources.warehouse import WarehouseResource
from etl_dagster.settings import Settings

__all__ = (
    "CccResource",
    "DncStoreResource",
    "PolicyResource",
    "ReportsResource",
    "WarehouseResource",
    "WriterLocks",
    "build_resources",
    "trouble",
)


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources of a deployment, by the names under which assets ask for them."""
    local = LocalResource(
        enabled=settings.is_local, home=str(settings.home), deployment=settings.deployment.value
    )
    return {
        "local": local,
        "warehouse": WarehouseResource(
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
        "dnc_store": DncStoreResource(
            local=local,
            path=str(settings.dnc_store),
            inbox=str(settings.dnc_inbox_dir),
            opt_out_inbox=str(settings.opt_out_inbox_dir),
            sample=settings.has_sample_lists,
            **_secrets(settings, snapshot_url="DNC_SNAPSHOT_URL", export_url="DNC_EXPORT_URL"),
        ),
        "policy": PolicyResource(
            path=str(settings.policy_file or ""),
            ccc_ttl_days=settings.ccc_verdict_ttl_days or 0,
            dnc_max_age_days=settings.dnc_max_age_days or 0,
        ),
        "locks": WriterLocks(
            folder=str(settings.home / "locks"),
            scope=settings.ledger_name.upper(),
            **_secrets(settings, redis_url="ETL_REDIS_URL"),
        ),
        "reports": ReportsResource(folder=str(settings.home / "reports")),
    }


def _ccc(
    settings: Settings,
    local: LocalResource,
    source: str,
    url: str | None,
    requests_per_minute: int,
) -> CccResource:
    return CccResource(
        source=source,
        local=local,
        http=HttpClientResource(url=url or "", **_secrets(settings, api_key="CCC_API_KEY")),
        retry=RetryResource(
            max_retries=settings.ccc_max_retries,
            base_delay=settings.ccc_retry_base_delay,
            max_delay=settings.ccc_retry_max_delay,
        ),
        breaker=BreakerResource(
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
