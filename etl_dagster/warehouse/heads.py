"""Heads: where every chain of the ledger ended at a moment, kept where the warehouse cannot reach.

Belongs here: reading them from the warehouse, their file, its hash and signature. Does not: looking
for them in the ledger again (`verification.py`), keys (`identity/signatures.py`).

A chain alone cannot show that its end was cut off, or that all of it was written anew; heads that
somebody else holds can.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from etl_dagster.identity import signatures
from etl_dagster.identity.signatures import Signature
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

FORMAT: Final = "etl_dagster ledger heads 1"
TABLES: Final = ("scrub_batches", "retentions")
"""What is read."""


class HeadsError(ValueError):
    """A file of heads cannot be read, was changed, or is not signed by whom it should be."""


@dataclass(frozen=True)
class Head:
    """The newest batch of a chain at some moment."""

    lead_date: date
    chunk: int
    source: str
    position: Annotated[int, msgspec.Meta(ge=1)]
    digest: str


@dataclass(frozen=True, kw_only=True)
class RetentionsHead:
    """The last record of what retention removed, at some moment."""

    position: Annotated[int, msgspec.Meta(ge=1)]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Where the chains of a ledger ended.

    Attributes:
        ledger: whose: database and schema.
        taken_at: when, UTC.
        heads: a head a chain, in order.
        retentions: where the records of RETENTIONS ended; None if there were none.
    """

    format: Literal["etl_dagster ledger heads 1"]
    ledger: str
    taken_at: datetime
    heads: Sequence[Head]
    retentions: RetentionsHead | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """What is in a file of heads."""

    anchor: Heads
    sha256: str
    signature: Signature | None = None


def read_heads(session: Session, *, ledger: str) -> Heads:
    """Read where the chains end now: all of the ledger in one statement, then the retentions.

    Args:
        session: any.
        ledger: how the ledger is called, for whoever reads the file.
    """
    heads = [
        Head(day, int(chunk), str(source), int(position), str(digest))
        for day, chunk, source, position, digest in session.rows(sql("select_heads"))
    ]
    last = session.row(sql("select_last_retention"))
    return Heads(
        format=FORMAT,
        ledger=ledger,
        taken_at=datetime.now(UTC),
        heads=heads,
        retentions=RetentionsHead(position=int(last[0]), digest=str(last[1])) if last else None,
    )


def write_file(heads: Heads, path: Path, *, private_key: Path | None = None) -> None:
    """Write heads as canonical JSON, with its SHA-256 and, if there is a key, a signature.

    Raises:
        KeyFileError: the key cannot be used; nothing is written.
        HeadsError: the file cannot be written.
    """
    text = _canonical(heads)
    signature = signatures.sign(text, private_key) if private_key else None
    content = _File(heads, hashlib.sha256(text).hexdigest(), signature)
    try:
        path.write_bytes(_json(msgspec.to_builtins(content)) + b"\n")
    except OSError as error:
        raise HeadsError(f"{path}: {error.strerror}") from error


def read_file(path: Path, *, public_key: Path | None = None) -> Heads:
    """Read heads, and refuse what was changed.

    Args:
        path: the file.
        public_key: who must have signed it; without, only its own hash vouches for it.

    Raises:
        HeadsError: it cannot be read, does not have its hash, or is not signed by that key.
        KeyFileError: the public key's file is none.
    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise HeadsError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HeadsError(f"{path} is not a file of heads: {error}") from error
    text = _canonical(content.anchor)
    if hashlib.sha256(text).hexdigest() != content.sha256:
        raise HeadsError(f"{path} was changed: its heads do not have its SHA-256")
    if public_key:
        if content.signature is None:
            raise HeadsError(f"{path} is not signed")
        if not signatures.is_signed(text, content.signature, public_key):
            raise HeadsError(f"{path} is not signed by the key in {public_key}, or was changed")
    return content.anchor


def _canonical(heads: Heads) -> bytes:
    """Without retentions where there were none, as files were written before there were any."""
    values = msgspec.to_builtins(heads)
    if heads.retentions is None:
        del values["retentions"]
    return _json(values)


def _json(value: Any) -> bytes:
    """Sorted keys, no blanks, ASCII: the same value is always the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
