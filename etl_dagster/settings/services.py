"""Settings of the outside services, and of what is shared with them and kept of them.

Belongs here: Snowflake, CCC, Redis, the Do-Not-Call store. Does not: as in `own.py`.
"""

from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr

from etl_dagster.settings.own import AbsolutePath, Own

LOCAL_ACCOUNT: Final = "embedded"
"""The account identifier of the embedded Snowflake."""


class Fields(Own):
    """Every setting: this program's own, then the services'."""

    snowflake_account: str = Field(LOCAL_ACCOUNT, description="Account identifier")
    snowflake_user: str = Field("embedded", description="User name")
    snowflake_password: SecretStr | None = Field(
        None, description="Password, where no key pair is used"
    )
    snowflake_private_key: SecretStr | None = Field(None, description="Private key in PEM text")
    snowflake_private_key_path: Path | None = Field(None, description="Private key file (PEM)")
    snowflake_private_key_password: SecretStr | None = Field(
        None, description="Pass phrase of the private key"
    )
    snowflake_role: str | None = Field(None, description="Role")
    snowflake_warehouse: str | None = Field(None, description="Virtual warehouse")
    snowflake_database: str = Field("ETL_SAMPLE", description="Database of sources and tables")
    snowflake_schema: str = Field("LEAD_SCRUB", description="Schema of the tables written here")
    snowflake_host: str | None = Field(
        None, description="Host, where it does not follow from the account"
    )

    ccc_api_url: str | None = Field(None, description="Address of the litigator scrub (https)")
    ccc_api_key: SecretStr | None = Field(None, description="Key, sent in the header `loginId`")
    ccc_batch_size: int = Field(1_000, ge=1, le=10_000, description="Phones a request")
    ccc_min_workers: int = Field(2, ge=1, le=64, description="Fewest requests in flight")
    ccc_max_workers: int = Field(16, ge=1, le=256, description="Most requests in flight")
    ccc_workers_per_batch: float = Field(1.5, gt=0, le=16, description="Workers for each batch")
    ccc_max_retries: int = Field(4, ge=0, le=20, description="Retries of a transient failure")
    ccc_retry_base_delay: float = Field(
        1.0, gt=0, le=60, description="First retry's delay, seconds"
    )
    ccc_retry_max_delay: float = Field(30.0, gt=0, le=600, description="Longest delay, seconds")
    ccc_requests_per_minute: int = Field(
        1_000, ge=1, description="Limit of this host, or of all that share a Redis"
    )
    ccc_verdict_ttl_days: float | None = Field(
        None, gt=0, le=31, description="How long an answer stays valid; the policy's (7) if not set"
    )
    ccc_price_per_1000: float | None = Field(
        None,
        ge=0,
        description="Price of 1,000 phones, in your contract's currency; costs are shown if set",
    )
    ccc_breaker_failures: int = Field(
        5, ge=1, description="Failures in a row that open the breaker"
    )
    ccc_breaker_reset_seconds: float = Field(60.0, gt=0, description="Seconds until a probe")

    keep_ccc_answers: bool = Field(
        True,  # noqa: FBT003  pydantic's default
        description="Keep the body of every CCC answer as evidence (89 kB per 10,000 phones)",
    )
    ledger_key_path: AbsolutePath | None = Field(
        None, description="Private key file (PEM, Ed25519) that signs the ledger's heads"
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis that several hosts must share: breaker, rate limit and locks are in it",
    )

    dnc_db_path: AbsolutePath | None = Field(
        None, description="DNC store; `ETL_HOME/dnc.sqlite` if not set"
    )
    dnc_inbox: AbsolutePath | None = Field(
        None, description="List files to load; `ETL_HOME/inbox/dnc` if not set"
    )
    dnc_snapshot_url: SecretStr | None = Field(
        None,
        description="Where this host fetches its DNC store from, if another one keeps the lists",
    )
    dnc_export_url: SecretStr | None = Field(
        None, description="Where this host, which keeps the lists, exports its DNC store to"
    )
    dnc_export_minutes: float = Field(
        15, ge=0.25, le=360, description="How often that is done; only what has changed is sent"
    )
    dnc_max_age_days: int | None = Field(
        None,
        ge=1,
        le=31,
        description="Oldest list that may clear a phone; the policy's (31) if not set",
    )
