"""Publishing a chunk's callable leads, after the ledger has proved each of them again.

Belongs here: the proof, the publication, the checks on both. Does not: deciding who is callable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse.errors import WarehouseError
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


def count_unproven(
    session: Session, chunk: Chunk, *, required: Sequence[str], moment: datetime
) -> int:
    """Count the chunk's CALLABLE phones that the ledger, read in SQL alone, does not clear.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        required: the sources that must clear a phone.
        moment: verdicts must still be valid then, aware.
    """
    proof = render(
        "create_proven_phones", required=literals(required), required_count=len(required)
    )
    session.execute(proof, {**chunk.values, "moment": moment})
    return int(session.scalar(sql("count_unproven"), chunk.values))


def publish(
    session: Session, chunk: Chunk, *, required: Sequence[str], moment: datetime, run_id: str
) -> int:
    """Publish the chunk's callable leads and retract those that no longer are.

    Returns:
        The number of leads that the chunk has published.

    Raises:
        NotProvenError: the ledger does not clear every phone; what was published before stays.
        WarehouseError: the warehouse refused; what was published before stays.
    """
    unproven = count_unproven(session, chunk, required=required, moment=moment)
    if unproven:
        raise NotProvenError(
            f"{chunk}: {unproven} phones were decided CALLABLE without valid CLEAR verdicts from"
            f" {', '.join(required)} in PHONE_VERDICTS; nothing was published. Materialize"
            " ccc_enriched and dnc_filtered of this chunk again"
        )
    values = {**chunk.values, "moment": moment}
    session.execute(sql("create_publishable"), values)
    with session.transaction():
        session.execute(sql("delete_callable_leads"), chunk.values)
        session.execute(sql("insert_callable_leads"), {"run_id": run_id})
    return int(session.scalar(sql("count_callable_leads"), chunk.values))
