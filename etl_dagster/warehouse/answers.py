"""The bodies of CCC's answers, kept in CCC_ANSWERS beside the ledger that has their hashes.

Belongs here: a body as a row and back, and holding what is kept to the ledger. Does not: what a
body says (`ccc/answer.py`), appending (`ledger.py`), the chains (`verification.py`).

A body is text of zlib and base64, which Snowflake and the embedded server store alike: an answer
about 10,000 phones is 410 kB as it comes and 89 kB as it is kept, in 6 ms.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from etl_dagster.warehouse.examination import ChainKey, Flaw
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

ENCODING: Final = "zlib+base64"
LONGEST: Final = 24_000_000
"""No answer is longer; a row that would unpack to more than that is damaged."""


@dataclass(frozen=True)
class KeptAnswer:
    """A row of CCC_ANSWERS with its body unpacked; `answered_at` is aware.

    Attributes:
        fault: why the body is not what was written, '' if it is.
    """

    evidence_hash: str
    endpoint: str
    answered_at: datetime
    body: bytes
    fault: str


def pack(document: bytes) -> dict[str, object]:
    """The columns of CCC_ANSWERS that hold a body."""
    return {
        "BYTE_COUNT": len(document),
        "ENCODING": ENCODING,
        "BODY": base64.b64encode(zlib.compress(document)).decode("ascii"),
    }


def unpack(evidence_hash: str, encoding: str, body: str) -> tuple[bytes, str]:
    """The body that `pack` packed, and why it is not the answer of that hash, '' if it is."""
    if encoding != ENCODING:
        return b"", f"its encoding is not {ENCODING}"
    inflate = zlib.decompressobj()
    try:
        document = inflate.decompress(base64.b64decode(body, validate=True), LONGEST)
    except (binascii.Error, ValueError, zlib.error):
        return b"", "it cannot be unpacked"
    if not inflate.eof or inflate.unused_data:
        return b"", "it is cut off, or has something after its end"
    if hashlib.sha256(document).hexdigest() != evidence_hash:
        return document, "it does not have the hash that its row names"
    return document, ""


def read_answers(session: Session, batch_id: str) -> list[KeptAnswer]:
    """The bodies kept of a batch: none or one, unless somebody added one."""
    rows = session.rows(sql("select_answers_of_batch"), {"batch_id": batch_id})
    return [
        KeptAnswer(evidence_hash, endpoint, answered_at, *unpack(evidence_hash, encoding, body))
        for evidence_hash, endpoint, answered_at, encoding, body in rows
    ]


def examine_answers(session: Session, lead_date: date) -> Iterator[Flaw | None]:
    """Hold each body kept of a day to its hash, and that hash to the ledger's.

    Yields:
        What is wrong, or None for a body that is right: once a body.
    """
    for batch in session.arrow(sql("select_answers"), {"lead_date": lead_date}):
        for row in batch.to_pylist():
            fault = unpack(row["EVIDENCE_HASH"], row["ENCODING"], row["BODY"])[1] or _misplaced(row)
            key = ChainKey(row["LEAD_DATE"], int(row["CHUNK"]), row["SOURCE"] or "ccc")
            yield damaged(key, row["BATCH_ID"], fault) if fault else None


def damaged(key: ChainKey, batch_id: str, fault: str) -> Flaw:
    """What is wrong where the body that is kept of a batch has a fault."""
    says = f"the raw answer that is kept of it: {fault}"
    return Flaw(kind="answer", says=says, key=key, batch_id=batch_id)


def _misplaced(row: Mapping[str, Any]) -> str:
    """Why a body is not that of the batch it names, '' if it is."""
    if row["LEDGER_HASH"] is None:
        return "the ledger has no rows of its batch"
    if row["LEDGER_HASHES"] > 1 or row["LEDGER_HASH"] != row["EVIDENCE_HASH"]:
        return "the ledger has another hash for the answer of its batch"
    return "another body is kept of its batch, too" if row["BODIES"] > 1 else ""
