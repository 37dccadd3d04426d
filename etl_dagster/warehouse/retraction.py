"""Taking back what was published, when a list has a phone that it had not when it was scrubbed.

Belongs here: the published phones, and taking some of them out. Does not: asking the lists; the
new verdicts, which stand in the ledger before anything is taken out.
"""

from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse.scrubbing import phone_array
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import render, sql


def published_chunks(session: Session, *, moment: datetime) -> list[Chunk]:
    """The chunks with leads that may still be dialled, in order."""
    rows = session.rows(sql("select_published_chunks"), {"moment": moment})
    return [Chunk(day, int(number)) for day, number in rows]


def published_phones(session: Session, chunk: Chunk, *, moment: datetime) -> NDArray[np.int64]:
    """The distinct phones of a chunk's leads that may still be dialled; int64."""
    values = {**chunk.values, "moment": moment}
    return phone_array(session.arrow_table(sql("select_published_phones"), values)["PHONE"])


def retract(session: Session, chunk: Chunk, phones: NDArray[np.int64]) -> int:
    """Take phones out of a chunk's published leads, and leads that have none left.

    Returns:
        The number of leads that are no longer published.
    """
    session.execute(sql("create_blocked_phones"))
    session.load("BLOCKED_PHONES", pa.table({"PHONE": pa.array(phones)}))
    with session.transaction():
        for column in ("phone_1", "phone_2", "phone_3"):
            session.execute(render("mask_callable_leads", column=column), chunk.values)
        return session.execute(sql("delete_masked_leads"), chunk.values)
