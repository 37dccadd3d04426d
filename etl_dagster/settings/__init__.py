"""Every setting of the program, read from the environment in one place and checked as a whole.

Belongs here: reading them, the rules between them (what production must state, what may not be
mixed), and what follows from several. Does not: one setting's own bounds (`fields`); using any of
them. Secrets come from the environment only and are never shown: not in errors, not in `repr`.
"""

import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import ValidationError

from etl_dagster.settings.fields import FIVE_YEARS, Deployment, Fields
from etl_dagster.settings.places import LOCAL_ACCOUNT, PROJECT, is_loopback

__all__ = (
    "FIVE_YEARS",
    "PROJECT",
    "REQUIRED_IN_PRODUCTION",
    "Deployment",
    "Settings",
    "SettingsError",
    "is_loopback",
)

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

_ALIKE: Final = {"ETL": 0.8, "CCC": 0.8, "DNC": 0.8, "SNOWFLAKE": 0.93}
"""From so alike on a name is a misspelt one; other variables of a machine may begin like ours, and
there are many of Snowflake's."""
_MANY_HOSTS: Final = re.compile(r"^ *class: *\w*(Celery|K8s)\w*Launcher", re.MULTILINE)
"""A launcher in `dagster.yaml` that hands runs to other hosts."""


class SettingsError(ValueError):
    """The environment does not make a usable configuration; the message names each setting."""


class Settings(Fields):
    """The whole configuration."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read and check all settings.

        Args:
            environment: variable names to values; the process's own if None. Empty is not set.

        Raises:
            SettingsError: a value is out of bounds, a variable is nearly called as a setting,
                production lacks a setting or points at a stand-in, or a local deployment points
                at a real service. Lists every fault.
        """
        environment = os.environ if environment is None else environment
        given = {name: value for name, value in environment.items() if value.strip()}
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            ours = "Value error, "
            faults = [f"{e['loc'][0]}: {e['msg'].removeprefix(ours)}" for e in error.errors()]
        else:
            faults = settings.faults(frozenset(given)) + _misspelt(given)
            if not faults:
                return settings
        told = "\n  ".join(["the settings do not allow a start:", *faults])
        raise SettingsError(told)  # not above: its context would hold the values

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
        return faults + [
            f"{name} points at another machine, but ETL_DEPLOYMENT is local, where it may"
            " only be a server on this one: unset it, or set ETL_DEPLOYMENT=production"
            for name, url in self._ccc_urls().items()
            if not is_loopback(url)
        ]

    def _ccc_urls(self) -> dict[str, str]:
        urls = {"CCC_API_URL": self.ccc_api_url, "CCC_FULL_API_URL": self.ccc_full_api_url}
        return {name: url for name, url in urls.items() if url is not None}

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
        if self.snowflake_private_key and self.snowflake_private_key_path:
            faults.append(
                "SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_PRIVATE_KEY_PATH are both set, and one key"
                " signs in: unset one"
            )
        if self.snowflake_account == LOCAL_ACCOUNT or is_loopback(self.snowflake_host or ""):
            faults.append("SNOWFLAKE_ACCOUNT or SNOWFLAKE_HOST names the embedded Snowflake")
        for name, url in self._ccc_urls().items():
            if is_loopback(url):
                faults.append(f"{name} points at a sandbox on this machine")
            elif urlsplit(url).scheme != "https":
                faults.append(f"{name} must start with https://: the key travels in a header")
        key = self.ccc_api_key.get_secret_value() if self.ccc_api_key else ""
        if "sandbox" in key.lower():
            faults.append("CCC_API_KEY is the sandbox's key")
        return faults

    def price_per_1000(self, api: str) -> float | None:
        """What a service takes for 1,000 phones, in the contract's currency, if that is known."""
        return self.ccc_price_per_1000 if api == "ccc" else self.ccc_full_price_per_1000

    def check_days(self, apis: Collection[str]) -> None:
        """See that days can be run: what keeps them from that keeps nothing else from starting.

        Raises:
            SettingsError: a service of the policy has no address, or hosts share no locks.
        """
        if "ccc_full" in apis and not (self.is_local or self.ccc_full_api_url):
            raise SettingsError(
                "CCC_FULL_API_URL is not set, and the policy requires ccc_full: set it to"
                " https://www.dncscrub.com, or take ccc_full out of required_sources"
            )
        file = self.dagster_yaml
        if not self.redis_url and file.is_file() and _MANY_HOSTS.search(file.read_text("utf-8")):
            raise SettingsError(
                f"ETL_REDIS_URL is not set, and {file} hands runs to several hosts: they would"
                " share neither locks of chunks nor CCC's limit; set it, on each of them"
            )

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


def _misspelt(given: Collection[str]) -> list[str]:
    """Name what would be left at its default, because it is not quite called as its setting."""
    known = [str(field.alias) for field in Settings.model_fields.values()]
    kinds = {name: name.partition("_")[0] for name in sorted({*given} - {*known})}
    near = {
        name: get_close_matches(name, known, 1, _ALIKE[kind])
        for name, kind in kinds.items()
        if kind in _ALIKE  # a machine may have hundreds of others
    }
    return [f"{name} is no setting: {like[0]} is" for name, like in near.items() if like]
