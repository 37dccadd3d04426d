"""Taking back what was published, when a list has a phone that it had not when it was scrubbed.

Belongs here: the published phones, those of other policies held to the ledger, and taking some of
them out. Does not: asking the lists; the new verdicts, which stand in the ledger before anything is
taken out.
"""

from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.warehouse.publication import load_blocked, prove
from etl_dagster.warehouse.scrubbing import phone_array
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import fragment, render, sql


def published_chunks(session: Session, *, moment: datetime, other_than: str = "") -> list[Chunk]:
    """The chunks with leads that may still be dialled, and of another policy than one, in order."""
    values = {"moment": moment, "other_than": other_than}
    rows = session.rows(sql("select_published_chunks"), values)
    return [Chunk(day, int(number)) for day, number in rows]


def published_phones(session: Session, chunk: Chunk, *, moment: datetime) -> NDArray[np.int64]:
    """The distinct phones of a chunk's leads that may still be dialled; int64."""
    values = {**chunk.values, "moment": moment}
    return phone_array(session.arrow_table(sql("select_published_phones"), values)["PHONE"])


class Others(NamedTuple):
    """What other policies than one published, in the order of the phones.

    Attributes:
        phones: int64, distinct.
        until: datetime64[us], the latest end with which a phone is published.
        unproven: bool, whether the services clear the phone for less by this policy.
    """

    phones: NDArray[np.int64]
    until: NDArray[np.datetime64]
    unproven: NDArray[np.bool_]


def published_by_others(session: Session, chunk: Chunk, policy: Policy) -> Others:
    """Find the chunk's phones that other policies published.

    Args:
        session: a session without an open transaction.
        chunk: the chunk.
        policy: the policy in force.
    """
    services = [source for source in policy.apis if source in policy.required_sources]
    prove(session, chunk, policy, required=services)
    leads = "lead_date = %(lead_date)s AND chunk = %(chunk)s AND policy_hash <> %(policy_hash)s"
    published = fragment("phones_of", beside="callable_until,", leads="CALLABLE_LEADS", which=leads)
    statement = render("select_published_by_others", published=published)
    found = session.arrow_table(statement, {**chunk.values, "policy_hash": policy.hash})
    return Others(
        phone_array(found["PHONE"]),
        found["PUBLISHED_UNTIL"].to_numpy().astype("datetime64[us]"),
        found["UNPROVEN"].to_numpy().astype(np.bool_),
    )


def retract(session: Session, chunk: Chunk, phones: NDArray[np.int64]) -> int:
    """Take phones out of a chunk's published leads, and leads that have none left.

    Returns:
        The number of leads that are no longer published.
    """
    load_blocked(session, phones)
    with session.transaction():
        for column in ("phone_1", "phone_2", "phone_3"):
            session.execute(render("mask_callable_leads", column=column), chunk.values)
        return session.execute(sql("delete_masked_leads"), chunk.values)
