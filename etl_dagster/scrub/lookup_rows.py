"""What the Do-Not-Call store found, as rows of the ledger and of the chunk's decisions.

Belongs here: one look-up in the tables' words. Does not: looking up, deciding (`chunk.py`).
"""

import uuid
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.dnc import Lookup
from etl_dagster.leads.verdicts import Cause, Decision, Decisions, Verdict
from etl_dagster.warehouse.ledger import LedgerBatch

SOURCE: Final = "dnc"


def ledger_batch(
    phones: NDArray[np.int64], found: Lookup, which: NDArray[np.bool_], moment: datetime
) -> LedgerBatch:
    """Some of the phones of a look-up as a ledger batch."""
    return LedgerBatch(
        batch_id=str(uuid.uuid4()),
        phones=phones[which],
        verdicts=found.verdicts[which],
        reasons=reasons(found).filter(pa.array(which)),
        valid_until=found.valid_until[which],
        list_versions=found.list_versions,
        checked_at=moment,
        evidence_hash="",
        endpoint="dnc-store",
    )


def decision_table(phones: NDArray[np.int64], found: Lookup, decided: Decisions) -> pa.Table:
    """What was found and decided as the rows of CHUNK_DECISIONS, one a phone."""
    return pa.table(
        {
            "PHONE": pa.array(phones),
            "DNC_VERDICT": names(Verdict, found.verdicts),
            "DNC_REASON": reasons(found),
            "LISTS": _lists(found),
            "VERDICT": names(Decision, decided.decisions),
            **{
                f"{source.upper()}_CAUSE": names(Cause, codes)
                for source, codes in decided.causes.items()
            },
        }
    )


def reasons(found: Lookup) -> pa.Array:
    """Why each phone is not CLEAR: the lists that have it, or what is unknown."""
    unknown = pa.array(found.reason_names).take(pa.array(found.reasons))
    return pc.if_else(pa.array(found.verdicts == Verdict.LISTED), _lists(found), unknown)


def _lists(found: Lookup) -> pa.Array:
    """The names of the lists that have each phone, separated by commas."""
    masks = pa.array(found.lists).dictionary_encode()
    names = [
        ",".join(name for bit, name in enumerate(found.list_names) if mask >> bit & 1)
        for mask in masks.dictionary.to_pylist()
    ]
    return pa.array(names, pa.string()).take(masks.indices)


def names(kind: type[Verdict] | type[Decision] | type[Cause], codes: NDArray[np.int8]) -> pa.Array:
    """The names of codes, as the tables spell them."""
    return pa.array([member.name for member in sorted(kind)]).take(pa.array(codes))
