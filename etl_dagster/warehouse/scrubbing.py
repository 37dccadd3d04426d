"""From the chunk's phones to its verdicts: evidence out, decisions in.

Belongs here: reading what is known of a chunk's phones, writing CCC_ENRICHED and DNC_FILTERED.
Does not: asking a source, deciding (`leads/verdicts.py`), the ledger (`ledger.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.policy_text import APIS, SOURCES
from etl_dagster.leads.verdicts import Evidence
from etl_dagster.warehouse.parameters import Params
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import each, fragment, render, sql

ASK_AGAIN_BEFORE: Final = timedelta(hours=12)
"""Answers that run out within so long of a run are asked for again by it."""


@dataclass(frozen=True, kw_only=True)
class ChunkEvidence:
    """What the ledger knows of a chunk's n distinct phones.

    Attributes:
        phones: int64, shape (n,), ascending.
        apis: each service's newest verdicts.
        dnc_on_record: bool, shape (n,): the newest DNC verdict in the ledger is of these list
            versions under this policy, and has not run out.
        dnc_verdicts: int8, shape (n,): that verdict.
        list_versions: the DNC lists and versions that `dnc_on_record` is about.
    """

    phones: NDArray[np.int64]
    apis: Mapping[str, Evidence]
    dnc_on_record: NDArray[np.bool_]
    dnc_verdicts: NDArray[np.int8]
    list_versions: str


def gather_evidence(session: Session, chunk: Chunk) -> int:
    """Put the chunk's distinct phones beside each source's newest ledger row.

    Returns:
        The number of distinct phones. The rows stay in the session's CHUNK_EVIDENCE, which the
        other functions here read.
    """
    which = "lead_date = %(lead_date)s AND chunk = %(chunk)s"
    phones = fragment("phones_of", beside="", leads="LEADS", which=which)
    return gather_evidence_of(session, phones, chunk.values)


def gather_evidence_of(session: Session, phones: str, values: Mapping[str, object]) -> int:
    """Do what `gather_evidence` does for any phones.

    Args:
        session: any.
        phones: a query whose column `phone` holds each phone once.
        values: what it binds.
    """
    words, joins = each("newest_word", SOURCES, between=",\n    "), each("join_newest", SOURCES)
    statement = render("create_chunk_evidence", phones=phones, words=words, joins=joins)
    session.execute(statement, values)
    return int(session.scalar(sql("count_chunk_phones")))


def phones_to_ask(
    session: Session, policy: Policy, api: str, *, moment: datetime, force: bool
) -> NDArray[np.int64]:
    """The phones that a service has to be asked about; int64, ascending.

    Args:
        session: the session in which `gather_evidence` ran.
        policy: how long an answer is valid, and by which one it must have been judged.
        api: the service.
        moment: now, aware; what runs out soon after it is asked again, lest it run out between
            the decision and its publication.
        force: ask about all phones.
    """
    values = asking_rule(policy, api, moment=moment, force=force)
    statement = render("select_phones_to_ask", source=api)
    return phone_array(session.arrow_table(statement, values)["PHONE"])


def asking_rule(policy: Policy, api: str, *, moment: datetime, force: bool) -> dict[str, object]:
    """What `select_phones_to_ask` binds; arguments as for `phones_to_ask`."""
    ttl = policy.ttl(api)
    return {
        "valid_beyond": moment + min(ASK_AGAIN_BEFORE, ttl / 4),
        "ttl_seconds": round(ttl.total_seconds()),
        "policy_hash": policy.hash,
        "force": force,
    }


def write_ccc_enriched(
    session: Session, chunk: Chunk, api: str, *, run_id: str
) -> tuple[int, dict[str, int]]:
    """Replace a service's rows of the chunk in CCC_ENRICHED.

    Returns:
        The number of leads, and the distinct phones by the service's verdict.
    """
    insert = render("insert_ccc_enriched", source=api)
    with session.transaction():
        session.execute(render("delete_ccc_enriched", source=api), chunk.values)
        leads = session.execute(insert, {**chunk.values, "run_id": run_id})
    return leads, counts(session, render("count_ccc_enriched", source=api))


def count_unanswered(session: Session, api: str) -> int:
    """The chunk's phones without an answer that a service might give when asked again.

    Args:
        session: the session in which `gather_evidence` ran.
        api: the service.
    """
    return int(session.scalar(render("count_unanswered", source=api)))


def read_evidence(
    session: Session,
    *,
    list_versions: str,
    policy: Policy,
    moment: datetime,
) -> ChunkEvidence:
    """Read what the decision needs of the chunk's phones.

    Args:
        session: the session in which `gather_evidence` ran.
        list_versions: the DNC lists and versions in force.
        policy: the policy in force.
        moment: the moment of the decision, aware.
    """
    values = {
        "list_versions": list_versions,
        "policy_hash": policy.hash,
        **{f"{api}_ttl_seconds": round(policy.ttl(api).total_seconds()) for api in APIS},
        "moment": moment,
    }
    evidence = each("api_evidence", APIS, between=",\n    ")
    table = session.arrow_table(render("select_evidence", api_evidence=evidence), values)
    return ChunkEvidence(
        phones=phone_array(table["PHONE"]),
        apis={api: _evidence(table, api.upper()) for api in APIS},
        dnc_on_record=table["DNC_ON_RECORD"].cast(pa.bool_()).to_numpy(),
        dnc_verdicts=table["DNC_VERDICT"].cast(pa.int8()).to_numpy(),
        list_versions=list_versions,
    )


def _evidence(table: pa.Table, api: str) -> Evidence:
    until = table[f"{api}_VALID_UNTIL"].cast(pa.timestamp("us")).to_numpy()
    return Evidence(
        verdicts=table[f"{api}_VERDICT"].cast(pa.int8()).to_numpy(),
        valid_until=until.astype("datetime64[us]"),
    )


def write_dnc_filtered(  # noqa: PLR0913  each is written
    session: Session,
    chunk: Chunk,
    decisions: pa.Table,
    *,
    moment: datetime,
    policy_hash: str,
    run_id: str,
) -> dict[str, int]:
    """Replace the chunk in DNC_FILTERED.

    Args:
        session: the session in which `gather_evidence` ran.
        chunk: the chunk.
        decisions: one row a phone: PHONE, DNC_VERDICT, DNC_REASON, LISTS, VERDICT, and what of it
            each source is the cause of, such as DNC_CAUSE.
        moment: the moment of the decision, aware.
        policy_hash: the policy that was applied.
        run_id: the run that writes.

    Returns:
        Leads by verdict.
    """
    causes = ", ".join(f"{source}_cause VARCHAR" for source in SOURCES)
    session.execute(render("create_chunk_decisions", causes=causes))
    session.load("CHUNK_DECISIONS", decisions)
    values = {
        **chunk.values,
        "moment": moment,
        "policy_hash": policy_hash,
        "run_id": run_id,
    }
    with session.transaction():
        session.execute(sql("delete_dnc_filtered"), chunk.values)
        reasons = each("api_reason", APIS, between="\n            || ")
        session.execute(render("insert_dnc_filtered", api_reasons=reasons), values)
    return counts(session, sql("count_dnc_filtered"), chunk.values)


def counts(session: Session, statement: str, values: Params = None) -> dict[str, int]:
    """Run a statement that returns names and numbers."""
    return {str(key): int(number) for key, number in session.rows(statement, values)}


def naive(moment: datetime) -> datetime:
    """A moment as the tables hold it: UTC, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def phone_array(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of phones, however the warehouse types its numbers, as int64."""
    phones: NDArray[np.int64] = pc.cast(column, pa.int64()).to_numpy()
    return phones
