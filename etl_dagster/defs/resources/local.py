"""What is on this machine, as resources: the stand-ins, the scrub policy, the reports.

Belongs here: where they are and whether there are any. Does not: starting stand-ins
(`etl_dagster.sandbox`), what a policy or a report says.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from etl_dagster.leads.policy import Policy

if TYPE_CHECKING:
    from etl_dagster.sandbox.local import LocalWorld

UNSET: Final = ""
"""What an optional text has as its value where it is not set: resources have no None secrets."""


class LocalResource(dg.ConfigurableResource[Any]):
    """The stand-ins of a local deployment: embedded Snowflake, CCC sandbox, sample data.

    In production it is off, and nothing can turn it on but the deployment setting.
    """

    enabled: bool = Field(description="True only where ETL_DEPLOYMENT is local")
    home: str = Field(description="ETL_HOME")
    deployment: str = Field(description="ETL_DEPLOYMENT")

    def world(self) -> "LocalWorld | None":
        """The stand-ins, or None in production."""
        if not self.enabled:
            return None
        from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415  production has none

        return LocalWorld(Path(self.home))


class PolicyResource(dg.ConfigurableResource[Any]):
    """The scrub policy."""

    path: str = Field(UNSET, description="Policy file; the built-in policy if empty")
    ccc_ttl_days: float = Field(0, description="Shorter validity of CCC answers; 0: the policy's")
    dnc_max_age_days: int = Field(0, description="Shorter age of lists; 0: the policy's")

    def load(self) -> Policy:
        """The policy in force."""
        policy = Policy.load(Path(self.path) if self.path else None)
        return policy.with_limits(
            ccc_ttl_days=self.ccc_ttl_days or None,
            dnc_max_age_days=self.dnc_max_age_days or None,
        )


class ReportsResource(dg.ConfigurableResource[Any]):
    """Where reports are written."""

    folder: str = Field(description="Folder of the reports")

    def write(self, name: str, text: str) -> str:
        """Write a report whole or not at all; return its path."""
        path = Path(self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return str(path)
