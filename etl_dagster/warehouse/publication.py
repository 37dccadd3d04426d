"""Publishing a chunk's callable leads, after the ledger has proved each of them again.

Belongs here: the proof, the publication, the checks on both. Does not: deciding who is callable;
asking the lists, which the caller does between proof and publication.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.policy_text import ALWAYS
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.scrubbing import counts, phone_array
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import literals, render, sql


class NotProvenError(WarehouseError):
    """A phone was decided CALLABLE that the ledger did not clear then; nothing was published."""


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
    """Count the chunk's CALLABLE phones that the ledger, read in SQL alone, never cleared.

    A phone that it cleared when it was decided on, and that has been listed or whose verdicts have
    run out since, is not counted; `publish` leaves it out.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: which sources must clear a phone, and for how long an answer is valid.
    """
    prove(session, chunk, policy, required=policy.required_sources)
    values = {**chunk.values, "policy_hash": policy.hash}
    return int(session.scalar(render("count_unproven", **_clear(policy.required_sources)), values))


def prove(session: Session, chunk: Chunk, policy: Policy, *, required: Collection[str]) -> None:
    """Make PROVEN_PHONES: the chunk's phones that the ledger clears as it is now.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: what the words of the ledger are held to.
        required: those of the policy's required sources that must clear a phone.
    """
    values = {
        **chunk.values,
        "policy_hash": policy.hash,
        "ccc_ttl_seconds": round(policy.ttl("ccc").total_seconds()),
    }
    session.execute(render("create_proven_phones", **_clear(required)), values)


def _clear(required: Collection[str]) -> dict[str, object]:
    """What a statement needs to tell which phones are clear."""
    return {
        "required": literals(required) or "NULL",  # Snowflake takes no empty list
        "required_count": len(required),
        "heard": literals(sorted({*ALWAYS, *required})),
    }


def publish(  # noqa: PLR0913  each is part of what is published
    session: Session,
    chunk: Chunk,
    policy: Policy,
    *,
    ask_again: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    moment: datetime,
    run_id: str,
) -> int:
    """Publish the chunk's callable leads and retract those that no longer are.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: the policy in force.
        ask_again: asks the lists about the proved phones, which may have changed since the chunk
            was scrubbed, puts what is no longer CLEAR into the ledger, and returns it. That is
            proved no longer, whatever the clock of another host made newer in the ledger.
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
    proved = phone_array(session.arrow_table(sql("select_proven_phones"))["PHONE"])
    if len(proved) and len(blocked := ask_again(proved)):
        load_blocked(session, blocked)
        session.execute(sql("delete_blocked_phones"))
    values = {**chunk.values, "moment": moment}
    session.execute(sql("create_publishable"), values)
    with session.transaction():
        session.execute(sql("delete_callable_leads"), chunk.values)
        session.execute(sql("delete_older_callable_leads"), chunk.values)
        session.execute(
            sql("insert_callable_leads"), {"policy_hash": policy.hash, "run_id": run_id}
        )
    return sum(published_leads(session, chunk).values())


def load_blocked(session: Session, phones: NDArray[np.int64]) -> None:
    """Make BLOCKED_PHONES, a temporary table, of phones."""
    session.execute(sql("create_blocked_phones"))
    session.load("BLOCKED_PHONES", pa.table({"PHONE": pa.array(phones)}))


def published_leads(session: Session, chunk: Chunk) -> dict[str, int]:
    """The chunk's published leads by campaign."""
    return counts(session, sql("count_callable_leads"), chunk.values)
