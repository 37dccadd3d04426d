"""What proves that verdicts are as they were written: their batches, and the chains to their ends.

Belongs here: batches, rows and digests as `evidence.json` and the files beside it hold them. Does
not: the digests (`warehouse/canonical.py`), what is wrong in a chain (`warehouse/examination.py`).

A batch's digest covers all of its rows, so that all of them must be in the folder, other phones
among them. Of later batches the SHA-256 of the rows is enough.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pyarrow.compute as pc

from etl_dagster.evidence.forms import plain
from etl_dagster.warehouse.canonical import NEWEST, rows_text, version_of
from etl_dagster.warehouse.examination import ChainKey, Flaw, examine
from etl_dagster.warehouse.phone_history import VerdictRow
from etl_dagster.warehouse.reaches import read_chain
from etl_dagster.warehouse.session import Session

OTHER_PHONES: Final = "other_phones"
"""The folder of what has other phones in it as well."""


@dataclass(kw_only=True)
class ChainProof:
    """The chains of some verdicts.

    Attributes:
        chains: per chain its batches, from the first that is needed to the last there is.
        rows_files: batch id to the file with its rows.
        files: name to content.
        flaws: what is wrong in the chains.
    """

    chains: list[list[dict[str, Any]]] = field(default_factory=list)
    rows_files: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)


def prove(session: Session, verdicts: Iterable[VerdictRow]) -> ChainProof:
    """Read the chains of some verdicts, one at a time."""
    needed: dict[ChainKey, set[str]] = {}
    for row in verdicts:
        needed.setdefault(row.chain, set()).add(row.batch_id)
    proof = ChainProof()
    for key in sorted(needed):
        _prove_chain(session, key, needed[key], proof)
    return proof


def _prove_chain(session: Session, key: ChainKey, needed: set[str], proof: ChainProof) -> None:
    batches, rows = read_chain(session, key)
    flaws, strays = examine(batches, rows)
    proof.flaws += [*flaws, *(one for one in strays if one.batch_id in needed)]
    first = next((at for at, batch in enumerate(batches) if batch.batch_id in needed), None)
    if first is None:
        return
    links = []
    for batch in batches[first:]:
        own = rows.filter(pc.equal(rows["BATCH_ID"], batch.batch_id))
        text = rows_text(own, version=version_of(batch.digest) or NEWEST)
        links.append({**plain(asdict(batch)), "rows_sha256": hashlib.sha256(text).hexdigest()})
        if batch.batch_id in needed:
            name = f"{OTHER_PHONES}/rows-{len(proof.rows_files) + 1}.txt"
            proof.rows_files[batch.batch_id] = name
            proof.files[name] = text
    proof.chains.append(links)
