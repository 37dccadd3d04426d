"""Publishing a chunk's callable leads, after the ledger has proved each of them again.

Belongs here: the proof, the publication, the checks on both. Does not: deciding who is callable.
"""

from dataclasses import dataclass
from datetime import datetime

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.scrubbing import counts
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql
from etl_dagster.warehouse.templates import literals, render


class NotProvenError(WarehouseError):
    """A phone was decided CALLABLE that the ledger does not clear; nothing was published."""


@dataclass(frozen=True)
class Conservation:
    """How many leads a chunk has, and how many of them DNC_FILTERED judges exactly once."""

    leads: int
    judged: int
    violations: int


def check_conservation(session: Session, chunk: Chunk) -> Conservation:
    """Compare LEADS with DNC_FILTERED: every lead must end in exactly one class."""
    row = session.row(sql("check_conservation"), chunk.values)
    return Conservation(*(int(value or 0) for value in row)) if row else Conservation(0, 0, 0)


def count_unproven(session: Session, chunk: Chunk, policy: Policy) -> int:
    """Count the chunk's CALLABLE phones that the ledger, read in SQL alone, does not clear.

    A phone that it cleared and whose verdicts have run out since is not counted; `publish` leaves
    it out.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: which sources must clear a phone, and for how long an answer is valid.
    """
    required = policy.required_sources
    proof = render(
        "create_proven_phones", required=literals(required), required_count=len(required)
    )
    limits = {
        "ccc_ttl_seconds": round(policy.ccc_ttl.total_seconds()),
        "policy_hash": policy.hash,
    }
    session.execute(proof, {**chunk.values, **limits})
    return int(session.scalar(sql("count_unproven"), chunk.values))


def publish(
    session: Session, chunk: Chunk, policy: Policy, *, moment: datetime, run_id: str
) -> int:
    """Publish the chunk's callable leads and retract those that no longer are.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: the policy in force.
        moment: now, aware; verdicts must still be valid then.
        run_id: the run that publishes.

    Returns:
        The number of leads that the chunk has published.

    Raises:
        NotProvenError: the ledger does not clear every phone; what was published before stays.
        WarehouseError: the warehouse refused; what was published before stays.
    """
    unproven = count_unproven(session, chunk, policy)
    if unproven:
        raise NotProvenError(
            f"{chunk}: {unproven} phones were decided CALLABLE without valid CLEAR verdicts from"
            f" {', '.join(policy.required_sources)} in PHONE_VERDICTS under the policy in force"
            f" ({policy.hash[:8]}); nothing was published."
            " Materialize ccc_enriched and dnc_filtered of this chunk again"
        )
    values = {**chunk.values, "moment": moment}
    session.execute(sql("create_publishable"), values)
    with session.transaction():
        session.execute(sql("delete_callable_leads"), chunk.values)
        session.execute(sql("delete_older_callable_leads"), chunk.values)
        session.execute(
            sql("insert_callable_leads"), {"policy_hash": policy.hash, "run_id": run_id}
        )
    return sum(published_leads(session, chunk).values())


def published_leads(session: Session, chunk: Chunk) -> dict[str, int]:
    """The chunk's published leads by campaign."""
    return counts(session, "count_callable_leads", chunk.values)
