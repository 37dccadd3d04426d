"""The settings themselves: names, types, bounds, defaults and what each is for.

Belongs here: what can be said of one setting alone. Does not: the rules between settings, and
where they are read (`etl_dagster.settings`). A field's environment variable is its name in
capitals, after `ETL_` unless it begins with its outside service: `chunks` is `ETL_CHUNKS`,
`ccc_api_url` is `CCC_API_URL`.
"""

from datetime import date
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from etl_dagster.settings.places import HOME, LOCAL_ACCOUNT, PROJECT, AbsolutePath, Address

FIVE_YEARS: Final = 5 * 366
"""Days that records of calls and opt-outs have to be kept."""
_TABLE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){0,2}$"


class Deployment(StrEnum):
    """Where the outside world is: stand-ins on this machine, or the real services."""

    LOCAL = "local"
    PRODUCTION = "production"


def _variable(field: str) -> str:
    """The environment variable of a field."""
    of_a_service = field.startswith(("snowflake_", "ccc_", "dnc_"))
    return field.upper() if of_a_service else f"ETL_{field.upper()}"


class Fields(BaseModel):
    """Every setting; aliases are the environment variables' names."""

    model_config = ConfigDict(
        alias_generator=_variable,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_default=True,
    )

    deployment: Deployment = Field(
        Deployment.LOCAL,
        description="`local` (embedded Snowflake, CCC sandbox, sample lists) or `production`",
    )
    home: AbsolutePath = Field(
        HOME,
        description="Folder of all local state: Dagster's history, DNC store, inboxes, reports",
    )
    dagster_yaml: AbsolutePath = Field(
        PROJECT / "dagster.yaml",
        description="Dagster's storage, queue and launcher; those of one host if not set",
    )
    chunks: int = Field(
        4, ge=1, le=1_000, description="Chunks a day is cut into; fixed once data exist"
    )
    lanes: int = Field(
        2,
        ge=1,
        le=4,  # Snowflake lets twenty statements wait for a table; of several runs each has so many
        description="Chunks of a run that are scrubbed and published at the same time",
    )
    campaigns_dir: AbsolutePath = Field(
        PROJECT / "campaigns", description="Folder of campaign SQL files"
    )
    start_date: date = Field(date(2026, 11, 1), description="First day that has a partition")
    contacts_table: str = Field(
        "PROPERTY_DATA.CONTACTS",
        pattern=_TABLE_NAME,
        description="Table of phones and e-mails for leads whose campaign gives none",
    )
    opt_outs_table: str | None = Field(
        None,
        pattern=_TABLE_NAME,
        description="Table or view of your opt-outs (`phone`, `requested_at`), if you keep one",
    )
    opt_outs_minutes: float = Field(
        15,
        ge=0.25,
        le=1_440,
        description="How often that table is read; each time may wake a virtual warehouse",
    )
    policy_file: AbsolutePath | None = Field(
        None, description="Scrub policy; the built-in one if not set"
    )

    schedule_cron: str = Field(
        "0 6 * * *",
        description="When the newest day is scrubbed (cron), once the schedule is turned on",
    )
    schedule_timezone: str = Field(
        "UTC", description="Time zone of the schedule; a day of leads is always a day of UTC"
    )
    schedule_campaigns: str = Field(
        "", description="Campaigns that the schedule runs, separated by commas; all if not set"
    )
    catch_up_days: int = Field(
        7,
        ge=0,
        le=366,
        description="So many days back the schedule makes up for days that were missed",
    )
    retry_unknown_days: int = Field(
        3,
        ge=0,
        le=31,
        description="So many days back phones that CCC left unanswered are asked about again",
    )
    retry_unknown_minutes: float = Field(
        10, ge=0, description="So long such a chunk is left alone before it is tried again"
    )
    leads_retention_days: int = Field(
        365, ge=60, description="So many days leads are kept; older ones go with `retention apply`"
    )
    ledger_retention_days: int = Field(
        FIVE_YEARS,
        description="So many days evidence (ledger, exports) is kept; at least five years",
    )
    unknown_warn: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of UNKNOWN phones in a chunk from which its check warns",
    )
    unknown_error: float = Field(
        0.5, ge=0, le=1, description="Share of UNKNOWN phones in a chunk from which its check fails"
    )

    ui_url: str = Field(
        "http://127.0.0.1:3000",
        pattern=r"^https?://[^\s?#@]+$",
        description="Address of the Dagster UI, for links in alerts",
    )
    alert_webhook_url: SecretStr | None = Field(
        None,
        description="Address that a failed run is posted to as JSON (Slack, Teams or any webhook)",
    )
    alert_ntfy_url: SecretStr | None = Field(
        None, description="ntfy topic that a failed run is pushed to"
    )

    snowflake_account: str = Field(LOCAL_ACCOUNT, description="Account identifier")
    snowflake_user: str = Field("embedded", description="User name")
    snowflake_password: SecretStr | None = Field(
        None, description="Password, where no key pair is used"
    )
    snowflake_private_key: SecretStr | None = Field(None, description="Private key in PEM text")
    snowflake_private_key_path: AbsolutePath | None = Field(
        None, description="Private key file (PEM)"
    )
    snowflake_private_key_password: SecretStr | None = Field(
        None, description="Pass phrase of the private key"
    )
    snowflake_role: str | None = Field(None, description="Role")
    snowflake_warehouse: str | None = Field(None, description="Virtual warehouse")
    snowflake_database: str = Field("ETL_SAMPLE", description="Database of sources and tables")
    snowflake_schema: str = Field("LEAD_SCRUB", description="Schema of the tables written here")
    snowflake_host: Address | None = Field(
        None, description="Host, where it does not follow from the account"
    )

    ccc_api_url: Address | None = Field(None, description="Address of the litigator scrub (https)")
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
    ccc_full_api_url: Address | None = Field(
        None,
        description="Address of the full scrub (https), for a policy that requires `ccc_full`",
    )
    ccc_full_requests_per_minute: int = Field(100, ge=1, description="The full scrub's limit")
    ccc_full_price_per_1000: float | None = Field(None, ge=0, description="The full scrub's price")
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

    dnc_db_path: AbsolutePath | None = Field(None, description="DNC store; `dnc.sqlite` at home")
    dnc_inbox: AbsolutePath | None = Field(
        None, description="List files to load, opt-outs in `../opt_outs`; else `ETL_HOME/inbox/dnc`"
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

    @field_validator("ledger_retention_days")
    @classmethod
    def _five_years(cls, days: int) -> int:
        if days < FIVE_YEARS:
            raise ValueError(
                f"evidence of calls has to be kept for five years: expected {FIVE_YEARS:,} days or"
                " more"
            )
        return days

    @field_validator("schedule_timezone")
    @classmethod
    def _time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("expected a time zone's name, such as America/New_York") from None
        return name
