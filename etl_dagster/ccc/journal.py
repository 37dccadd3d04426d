"""Answers that are bought and not on record yet, kept where a killed host does not take them along.

Belongs here: keeping a batch in Redis until it is in a committed checkpoint, and reading what a
dead run left. Does not: committing (the caller's), making the client.

A checkpoint holds up to seconds of answers. Without the journal they die with the process that
asked, and are bought again; with it only requests in flight are. An entry is sealed with a key made
of the account's own, so that who can write to Redis cannot make a phone clear.
"""

import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from redis.exceptions import RedisError

from etl_dagster.ccc.records import ScrubbedBatch
from etl_dagster.leads.verdicts import Verdict

if TYPE_CHECKING:
    from redis import Redis

KEPT_SECONDS: Final = 86_400
"""What nobody has taken over by then is forgotten."""
_SEAL_BYTES: Final = hashlib.sha256().digest_size


class _Entry(msgspec.Struct, array_like=True):
    """A `ScrubbedBatch` as it is kept: arrays as bytes, little-endian."""

    batch_id: str
    phones: bytes
    verdicts: bytes
    reasons: list[str]
    checked_at: datetime
    evidence_hash: str
    endpoint: str
    document: bytes


class AnswerJournal:
    """The answers of one chunk that are not on record yet.

    It only saves money: where Redis fails it, answers are bought again, and nothing else happens.

    Args:
        client: The Redis, which returns bytes.
        name: The chunk's, with whose ledger it is.
        secret: The CCC key; nobody without it can add an answer.
    """

    def __init__(self, client: "Redis", name: str, *, secret: str) -> None:
        self._client = client
        self._key = f"answers:{name}"
        self._seal_key = hashlib.sha256(b"etl_dagster answers\0" + secret.encode()).digest()

    def keep(self, batches: Sequence[ScrubbedBatch]) -> None:
        """Keep what CCC answered; batches without an answer are not worth it."""
        entries: dict[Any, Any] = {
            batch.batch_id: self._pack(batch)
            for batch in batches
            if (batch.verdicts != Verdict.UNKNOWN).any()
        }
        if entries:
            with suppress(RedisError):
                self._client.hset(self._key, mapping=entries)
                self._client.expire(self._key, KEPT_SECONDS)

    def kept(self) -> list[ScrubbedBatch]:
        """What is kept, oldest first; what is not ours or damaged is left out."""
        found: dict[Any, Any] = {}
        with suppress(RedisError):
            found = self._client.hgetall(self._key)
        batches = [batch for packed in found.values() if (batch := self._unpack(packed))]
        return sorted(batches, key=lambda batch: batch.checked_at)

    def forget(self, batches: Sequence[ScrubbedBatch]) -> None:
        """Drop what is on record now."""
        if batches:
            with suppress(RedisError):
                self._client.hdel(self._key, *(batch.batch_id for batch in batches))

    def _pack(self, batch: ScrubbedBatch) -> bytes:
        fields = {name: getattr(batch, name) for name in _Entry.__struct_fields__}
        fields["phones"] = batch.phones.astype("<i8").tobytes()
        fields["verdicts"] = batch.verdicts.astype(np.int8).tobytes()
        body = msgspec.msgpack.encode(_Entry(**fields))
        return self._seal(body) + body

    def _unpack(self, packed: bytes) -> ScrubbedBatch | None:
        seal, body = packed[:_SEAL_BYTES], packed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(body)):
            return None
        try:
            entry = msgspec.msgpack.decode(body, type=_Entry)
        except msgspec.MsgspecError:  # of another release: what was bought then is bought again
            return None
        fields = msgspec.structs.asdict(entry)
        fields["phones"] = np.frombuffer(entry.phones, "<i8").astype(np.int64)
        fields["verdicts"] = np.frombuffer(entry.verdicts, np.int8).copy()
        return ScrubbedBatch(**fields)

    def _seal(self, body: bytes) -> bytes:
        # the name is sealed too: an answer of one chunk is none of another
        text = self._key.encode() + b"\0" + body
        return hmac.digest(self._seal_key, text, "sha256")
