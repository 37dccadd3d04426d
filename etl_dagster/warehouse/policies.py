"""The text of each policy that ever decided, kept in POLICIES beside the ledger that has its hash.

Belongs here: keeping and reading it. Does not: what a policy is (`leads/policy.py`).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

from etl_dagster.leads.policy import Policy
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql


@dataclass(frozen=True, kw_only=True)
class KeptPolicy:
    """A row of POLICIES; `first_used_at` is aware."""

    policy_hash: str
    text: str
    code_version: str
    first_used_at: datetime
    first_run_id: str

    @property
    def whole(self) -> bool:
        """Whether the text has the hash."""
        return hashlib.sha256(self.text.encode()).hexdigest() == self.policy_hash


def keep_policy(session: Session, policy: Policy, *, run_id: str) -> bool:
    """Put the policy's text on record unless this release has done so before.

    Two runs that begin at once may both do so, which changes nothing for whoever reads it.

    Args:
        session: any.
        policy: the policy, as its verdicts have its hash.
        run_id: the run that uses it.

    Returns:
        Whether it was new.
    """
    values = {
        "policy_hash": policy.hash,
        "text": policy.meaning,
        "code_version": metadata.version("etl-dagster"),
        "first_used_at": datetime.now(UTC),
        "first_run_id": run_id,
    }
    return bool(session.execute(sql("insert_policy"), values))


def read_policies(session: Session) -> list[KeptPolicy]:
    """Every policy on record, and every release that used it, oldest first."""
    return session.records(KeptPolicy, sql("select_policies"))
