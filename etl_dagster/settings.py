"""Every setting of the program, read from the environment in one place and checked as a whole.

Belongs here: names, types, bounds, defaults, and the rules between them (what production must
state, what may not be mixed). Does not: using any of them. Secrets come from the environment only
and are never shown: not in errors, not in `repr`.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

_PACKAGE: Final = Path(__file__).resolve().parent
PROJECT: Final = next(filter(Path.is_dir, [_PACKAGE / "checkout", _PACKAGE.parent]))
"""The checkout, or what a wheel has of it: sample campaigns, Dagster's configuration."""
FIVE_YEARS: Final = 5 * 366
"""Days that records of calls and opt-outs have to be kept."""


class Deployment(StrEnum):
    """Where the outside world is: stand-ins on this machine, or the real services."""

    LOCAL = "local"
    PRODUCTION = "production"


class SettingsError(ValueError):
    """The environment does not make a usable configuration; the message names each setting."""


_LOCAL_ACCOUNT: Final = "embedded"


class Settings(BaseModel):
    """The whole configuration; field aliases are the environment variables' names."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=True
    )

    deployment: Deployment = Field(
        Deployment.LOCAL,
        alias="ETL_DEPLOYMENT",
        description="`local` (embedded Snowflake, CCC sandbox, sample lists) or `production`",
    )
    home: Path = Field(
        PROJECT / ".etl" if _PACKAGE.parent == PROJECT else Path(".etl"),
        alias="ETL_HOME",
        description="Folder of all local state: Dagster's history, DNC store, inboxes, reports",
    )
    dagster_yaml: Path = Field(
        PROJECT / "dagster.yaml",
        alias="ETL_DAGSTER_YAML",
        description="Dagster's storage, queue and launcher; those of one host if not set",
    )
    chunks: int = Field(
        4,
        alias="ETL_CHUNKS",
        ge=1,
        le=1_000,
        description="Chunks a day is cut into; fixed once data exist",
    )
    lanes: int = Field(
        2,
        alias="ETL_LANES",
        ge=1,
        le=4,  # Snowflake lets twenty statements wait for a table; of several runs each has so many
        description="Chunks of a run that are scrubbed and published at the same time",
    )
    campaigns_dir: Path = Field(
        PROJECT / "campaigns", alias="ETL_CAMPAIGNS_DIR", description="Folder of campaign SQL files"
    )
    start_date: date = Field(
        date(2026, 11, 1), alias="ETL_START_DATE", description="First day that has a partition"
    )
    contacts_table: str = Field(
        "PROPERTY_DATA.CONTACTS",
        alias="ETL_CONTACTS_TABLE",
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){0,2}$",
        description="Table of phones and e-mails for leads whose campaign gives none",
    )
    opt_outs_table: str | None = Field(
        None,
        alias="ETL_OPT_OUTS_TABLE",
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){0,2}$",
        description="Table or view of your opt-outs (`phone`, `requested_at`), if you keep one",
    )
    opt_outs_minutes: float = Field(
        15,
        alias="ETL_OPT_OUTS_MINUTES",
        ge=0.25,
        le=1_440,
        description="How often that table is read; each time may wake a virtual warehouse",
    )
    policy_file: Path | None = Field(
        None, alias="ETL_POLICY_FILE", description="Scrub policy; the built-in one if not set"
    )

    schedule_cron: str = Field(
        "0 6 * * *",
        alias="ETL_SCHEDULE_CRON",
        description="When the newest day is scrubbed (cron), once the schedule is turned on",
    )
    schedule_timezone: str = Field(
        "UTC",
        alias="ETL_SCHEDULE_TIMEZONE",
        description="Time zone of the schedule; a day of leads is always a day of UTC",
    )
    schedule_campaigns: str = Field(
        "",
        alias="ETL_SCHEDULE_CAMPAIGNS",
        description="Campaigns that the schedule runs, separated by commas; all if not set",
    )
    catch_up_days: int = Field(
        7,
        alias="ETL_CATCH_UP_DAYS",
        ge=0,
        le=366,
        description="So many days back the schedule makes up for days that were missed",
    )
    retry_unknown_days: int = Field(
        3,
        alias="ETL_RETRY_UNKNOWN_DAYS",
        ge=0,
        le=31,
        description="So many days back phones that CCC left unanswered are asked about again",
    )
    retry_unknown_minutes: float = Field(
        10,
        alias="ETL_RETRY_UNKNOWN_MINUTES",
        ge=0,
        description="So long such a chunk is left alone before it is tried again",
    )
    leads_retention_days: int = Field(
        365,
        alias="ETL_LEADS_RETENTION_DAYS",
        ge=60,
        description="So many days leads are kept; older ones go with `retention apply`",
    )
    ledger_retention_days: int = Field(
        FIVE_YEARS,
        alias="ETL_LEDGER_RETENTION_DAYS",
        description="So many days evidence (ledger, exports) is kept; at least five years",
    )
    unknown_warn: float = Field(
        0.05,
        alias="ETL_UNKNOWN_WARN",
        ge=0,
        le=1,
        description="Share of UNKNOWN phones in a chunk from which its check warns",
    )
    unknown_error: float = Field(
        0.5,
        alias="ETL_UNKNOWN_ERROR",
        ge=0,
        le=1,
        description="Share of UNKNOWN phones in a chunk from which its check fails",
    )

    ui_url: str = Field(
        "http://127.0.0.1:3000",
        alias="ETL_UI_URL",
        pattern=r"^https?://[^\s?#]+$",
        description="Address of the Dagster UI, for links in alerts",
    )
    alert_webhook_url: SecretStr | None = Field(
        None,
        alias="ETL_ALERT_WEBHOOK_URL",
        description="Address that a failed run is posted to as JSON (Slack, Teams or any webhook)",
    )
    alert_ntfy_url: SecretStr | None = Field(
        None,
        alias="ETL_ALERT_NTFY_URL",
        description="ntfy topic that a failed run is pushed to",
    )

    snowflake_account: str = Field(
        _LOCAL_ACCOUNT, alias="SNOWFLAKE_ACCOUNT", description="Account identifier"
    )
    snowflake_user: str = Field("embedded", alias="SNOWFLAKE_USER", description="User name")
    snowflake_password: SecretStr | None = Field(
        None, alias="SNOWFLAKE_PASSWORD", description="Password, where no key pair is used"
    )
    snowflake_private_key: SecretStr | None = Field(
        None, alias="SNOWFLAKE_PRIVATE_KEY", description="Private key in PEM text"
    )
    snowflake_private_key_path: Path | None = Field(
        None, alias="SNOWFLAKE_PRIVATE_KEY_PATH", description="Private key file (PEM)"
    )
    snowflake_private_key_password: SecretStr | None = Field(
        None, alias="SNOWFLAKE_PRIVATE_KEY_PASSWORD", description="Pass phrase of the private key"
    )
    snowflake_role: str | None = Field(None, alias="SNOWFLAKE_ROLE", description="Role")
    snowflake_warehouse: str | None = Field(
        None, alias="SNOWFLAKE_WAREHOUSE", description="Virtual warehouse"
    )
    snowflake_database: str = Field(
        "ETL_SAMPLE", alias="SNOWFLAKE_DATABASE", description="Database of sources and tables"
    )
    snowflake_schema: str = Field(
        "LEAD_SCRUB", alias="SNOWFLAKE_SCHEMA", description="Schema of the tables written here"
    )
    snowflake_host: str | None = Field(
        None, alias="SNOWFLAKE_HOST", description="Host, where it does not follow from the account"
    )

    ccc_api_url: str | None = Field(
        None, alias="CCC_API_URL", description="Address of the litigator scrub (https)"
    )
    ccc_api_key: SecretStr | None = Field(
        None, alias="CCC_API_KEY", description="Key, sent in the header `loginId`"
    )
    ccc_batch_size: int = Field(
        1_000, alias="CCC_BATCH_SIZE", ge=1, le=10_000, description="Phones a request"
    )
    ccc_min_workers: int = Field(
        2, alias="CCC_MIN_WORKERS", ge=1, le=64, description="Fewest requests in flight"
    )
    ccc_max_workers: int = Field(
        16, alias="CCC_MAX_WORKERS", ge=1, le=256, description="Most requests in flight"
    )
    ccc_workers_per_batch: float = Field(
        1.5, alias="CCC_WORKERS_PER_BATCH", gt=0, le=16, description="Workers for each batch"
    )
    ccc_max_retries: int = Field(
        4, alias="CCC_MAX_RETRIES", ge=0, le=20, description="Retries of a transient failure"
    )
    ccc_retry_base_delay: float = Field(
        1.0, alias="CCC_RETRY_BASE_DELAY", gt=0, le=60, description="First retry's delay, seconds"
    )
    ccc_retry_max_delay: float = Field(
        30.0, alias="CCC_RETRY_MAX_DELAY", gt=0, le=600, description="Longest delay, seconds"
    )
    ccc_requests_per_minute: int = Field(
        1_000,
        alias="CCC_REQUESTS_PER_MINUTE",
        ge=1,
        description="Limit of this host, or of all that share a Redis",
    )
    ccc_verdict_ttl_days: float | None = Field(
        None,
        alias="CCC_VERDICT_TTL_DAYS",
        gt=0,
        le=31,
        description="How long an answer stays valid; the policy's (7) if not set",
    )
    ccc_price_per_1000: float | None = Field(
        None,
        alias="CCC_PRICE_PER_1000",
        ge=0,
        description="Price of 1,000 phones, in your contract's currency; costs are shown if set",
    )
    ccc_breaker_failures: int = Field(
        5, alias="CCC_BREAKER_FAILURES", ge=1, description="Failures in a row that open the breaker"
    )
    ccc_breaker_reset_seconds: float = Field(
        60.0, alias="CCC_BREAKER_RESET_SECONDS", gt=0, description="Seconds until a probe"
    )

    keep_ccc_answers: bool = Field(
        True,  # noqa: FBT003  pydantic's default
        alias="ETL_KEEP_CCC_ANSWERS",
        description="Keep the body of every CCC answer as evidence (89 kB per 10,000 phones)",
    )
    ledger_key_path: Path | None = Field(
        None,
        alias="ETL_LEDGER_KEY_PATH",
        description="Private key file (PEM, Ed25519) that signs the ledger's heads",
    )
    redis_url: SecretStr | None = Field(
        None,
        alias="ETL_REDIS_URL",
        description="Redis that several hosts must share: breaker, rate limit and locks are in it",
    )

    dnc_db_path: Path | None = Field(
        None, alias="DNC_DB_PATH", description="DNC store; `ETL_HOME/dnc.sqlite` if not set"
    )
    dnc_inbox: Path | None = Field(
        None, alias="DNC_INBOX", description="List files to load; `ETL_HOME/inbox/dnc` if not set"
    )
    dnc_snapshot_url: SecretStr | None = Field(
        None,
        alias="DNC_SNAPSHOT_URL",
        description="Where this host fetches its DNC store from, if another one keeps the lists",
    )
    dnc_export_url: SecretStr | None = Field(
        None,
        alias="DNC_EXPORT_URL",
        description="Where this host, which keeps the lists, exports its DNC store to",
    )
    dnc_export_minutes: float = Field(
        15,
        alias="DNC_EXPORT_MINUTES",
        ge=0.25,
        le=360,
        description="How often that is done; only what has changed is sent",
    )
    dnc_max_age_days: int | None = Field(
        None,
        alias="DNC_MAX_AGE_DAYS",
        ge=1,
        le=31,
        description="Oldest list that may clear a phone; the policy's (31) if not set",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read and check all settings.

        Args:
            environment: variable names to values; the process's own if None. Empty is not set.

        Raises:
            SettingsError: a value is out of bounds, production lacks a setting or points at a
                stand-in, or a local deployment points at a real service. Lists every fault.
        """
        environment = os.environ if environment is None else environment
        given = {name: value for name, value in environment.items() if value.strip()}
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            faults = [f"{e['loc'][0]}: {e['msg']}" for e in error.errors()]
            raise SettingsError(_refusal(faults)) from None  # the cause holds the values
        if faults := settings.faults(frozenset(given)):
            raise SettingsError(_refusal(faults))
        return settings

    @field_validator(
        "home",
        "dagster_yaml",
        "campaigns_dir",
        "policy_file",
        "ledger_key_path",
        "dnc_db_path",
        "dnc_inbox",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        try:
            return path.expanduser().resolve() if path else None
        except RuntimeError:
            raise ValueError("expected a path; ~ names a user whom this machine has not") from None

    @field_validator("ccc_api_url", "snowflake_host")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        try:
            is_loopback(address or "")
        except ValueError:
            raise ValueError("expected an address, such as https://host.example") from None
        return address

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

    def faults(self, given: frozenset[str]) -> list[str]:
        """Name what is wrong between settings, given the names that were set explicitly."""
        faults = self._local_faults(given) if self.is_local else self._production_faults(given)
        if self.ccc_min_workers > self.ccc_max_workers:
            faults.append("CCC_MIN_WORKERS is above CCC_MAX_WORKERS")
        if self.dnc_snapshot_url and self.dnc_export_url:
            faults.append(
                "DNC_SNAPSHOT_URL and DNC_EXPORT_URL are both set: a host either fetches the store"
                " or keeps the lists and exports it; unset one"
            )
        if self.unknown_warn > self.unknown_error:
            faults.append("ETL_UNKNOWN_WARN is above ETL_UNKNOWN_ERROR")
        if self.catch_up_days >= self.leads_retention_days:
            faults.append(
                "ETL_CATCH_UP_DAYS is not below ETL_LEADS_RETENTION_DAYS: days whose leads were"
                " removed would be run again"
            )
        if self.leads_retention_days > self.ledger_retention_days:
            faults.append(
                "ETL_LEADS_RETENTION_DAYS is above ETL_LEDGER_RETENTION_DAYS: leads would be kept"
                " longer than the proof of what was done with them"
            )
        return faults

    def _local_faults(self, given: frozenset[str]) -> list[str]:
        faults = [
            f"{name} is set, but ETL_DEPLOYMENT is local, which uses the embedded Snowflake:"
            " unset it, or set ETL_DEPLOYMENT=production"
            for name in sorted(given & _REAL_SNOWFLAKE)
        ]
        if self.ccc_api_url is not None and not is_loopback(self.ccc_api_url):
            faults.append(
                "CCC_API_URL points at another machine, but ETL_DEPLOYMENT is local, where it may"
                " only be a server on this one: unset it, or set ETL_DEPLOYMENT=production"
            )
        return faults

    def _production_faults(self, given: frozenset[str]) -> list[str]:
        faults = [
            f"{name} is not set, and production has no default for it"
            for name in REQUIRED_IN_PRODUCTION
            if name not in given
        ]
        if not given & _SNOWFLAKE_SECRETS:
            faults.append(
                "none of SNOWFLAKE_PRIVATE_KEY_PATH, SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_PASSWORD"
                " is set, and production signs in with one of them"
            )
        if self.snowflake_account == _LOCAL_ACCOUNT or is_loopback(self.snowflake_host or ""):
            faults.append("SNOWFLAKE_ACCOUNT or SNOWFLAKE_HOST names the embedded Snowflake")
        if self.ccc_api_url is not None:
            if is_loopback(self.ccc_api_url):
                faults.append("CCC_API_URL points at a sandbox on this machine")
            elif urlsplit(self.ccc_api_url).scheme != "https":
                faults.append("CCC_API_URL must start with https://: the key travels in a header")
        key = self.ccc_api_key.get_secret_value() if self.ccc_api_key else ""
        if "sandbox" in key.lower():
            faults.append("CCC_API_KEY is the sandbox's key")
        return faults

    def has_secret(self, name: str) -> bool:
        """Whether the secret of this environment variable is set."""
        fields = type(self).model_fields.items()
        return any(info.alias == name and getattr(self, field) for field, info in fields)

    @property
    def is_local(self) -> bool:
        """Whether the stand-ins serve this deployment."""
        return self.deployment is Deployment.LOCAL

    @property
    def has_sample_lists(self) -> bool:
        """Whether a missing DNC store is made of sample lists: only a local one that is ours."""
        ours = self.dnc_db_path is None and self.dnc_inbox is None and not self.dnc_snapshot_url
        return self.is_local and ours

    @property
    def ledger_name(self) -> str:
        """Whose tables are written: account, database and schema."""
        return f"{self.snowflake_account}/{self.snowflake_database}.{self.snowflake_schema}"

    @property
    def scheduled_campaigns(self) -> tuple[str, ...]:
        """The campaigns that the schedule runs; none means all."""
        return tuple(name.strip() for name in self.schedule_campaigns.split(",") if name.strip())

    @property
    def dnc_store(self) -> Path:
        """The DNC store's file."""
        return self.dnc_db_path or self.home / "dnc.sqlite"

    @property
    def dnc_inbox_dir(self) -> Path:
        """The folder where DNC list files arrive."""
        return self.dnc_inbox or self.home / "inbox" / "dnc"

    @property
    def opt_out_inbox_dir(self) -> Path:
        """The folder where opt-out files arrive."""
        return self.dnc_inbox_dir.parent / "opt_outs"


REQUIRED_IN_PRODUCTION: Final = (
    "ETL_HOME",
    "ETL_CHUNKS",
    "ETL_CAMPAIGNS_DIR",
    "ETL_START_DATE",
    "ETL_CONTACTS_TABLE",
    "SNOWFLAKE_ACCOUNT",
    "SNOWFLAKE_USER",
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_DATABASE",
    "SNOWFLAKE_SCHEMA",
    "CCC_API_URL",
    "CCC_API_KEY",
    "DNC_DB_PATH",
    "DNC_INBOX",
)
"""Settings that say where and who: production never guesses them."""

_SNOWFLAKE_SECRETS: Final = frozenset(
    {"SNOWFLAKE_PASSWORD", "SNOWFLAKE_PRIVATE_KEY", "SNOWFLAKE_PRIVATE_KEY_PATH"}
)
_REAL_SNOWFLAKE: Final = _SNOWFLAKE_SECRETS | {
    "SNOWFLAKE_ACCOUNT",
    "SNOWFLAKE_USER",
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_HOST",
    "SNOWFLAKE_PRIVATE_KEY_PASSWORD",
}


def is_loopback(address: str) -> bool:
    """Tell whether a URL or host name stays on this machine."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        # IPv4 as the system reads it: 127.1 and 2130706433 are loopback, too
        number = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (OSError, ValueError):
        return f".{host.rstrip('.')}".endswith(".localhost")
    return number.is_loopback or number.is_unspecified


def _refusal(faults: list[str]) -> str:
    return "the settings do not allow a start:\n  " + "\n  ".join(faults)
