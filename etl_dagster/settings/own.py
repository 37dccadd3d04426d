"""Settings of this program's own: names, types, bounds, defaults and what each is for.

Belongs here: what can be said of one setting alone. Does not: the rules between settings, and
where they are read (`etl_dagster.settings`); the outside services (`services.py`). A field's
environment variable is its name in capitals, after `ETL_` unless it begins with its outside
service: `chunks` is `ETL_CHUNKS`, `ccc_api_url` is `CCC_API_URL`.
"""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

PROJECT: Final = Path(__file__).resolve().parents[2]
"""The checkout (or site-packages, where the package is installed as a wheel)."""
FIVE_YEARS: Final = 5 * 366
"""Days that records of calls and opt-outs have to be kept."""
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]
_TABLE_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){0,2}$"


class Deployment(StrEnum):
    """Where the outside world is: stand-ins on this machine, or the real services."""

    LOCAL = "local"
    PRODUCTION = "production"


def _variable(field: str) -> str:
    """The environment variable of a field."""
    of_a_service = field.startswith(("snowflake_", "ccc_", "dnc_"))
    return field.upper() if of_a_service else f"ETL_{field.upper()}"


class Own(BaseModel):
    """What this program does, and where; aliases are the environment variables' names."""

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
        PROJECT / ".etl",
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
        pattern=r"^https?://[^\s?#]+$",
        description="Address of the Dagster UI, for links in alerts",
    )
    alert_webhook_url: SecretStr | None = Field(
        None,
        description="Address that a failed run is posted to as JSON (Slack, Teams or any webhook)",
    )
    alert_ntfy_url: SecretStr | None = Field(
        None, description="ntfy topic that a failed run is pushed to"
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
