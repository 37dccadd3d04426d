"""Answers that are not on record yet: kept as they are, forgotten when told, forged by nobody."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
from fakeredis import FakeRedis, FakeServer
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_dagster.ccc import ScrubbedBatch
from etl_dagster.ccc.journal import KEPT_SECONDS, AnswerJournal
from etl_dagster.leads.verdicts import Verdict

NOW = datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=UTC)
REASONS = {Verdict.UNKNOWN: "http_503", Verdict.CLEAR: "", Verdict.LISTED: "litigator"}


def batch_of(name: str, *verdicts: Verdict, at: datetime = NOW) -> ScrubbedBatch:
    return ScrubbedBatch(
        batch_id=name,
        phones=np.arange(len(verdicts), dtype=np.int64) + 4075550100,
        verdicts=np.array(verdicts, dtype=np.int8),
        reasons=[REASONS[verdict] for verdict in verdicts],
        checked_at=at,
        evidence_hash="e" * 64,
        endpoint="https://nowhere.example/scrub",
        document=b'{"DNC": []}',
    )


def journal(redis: FakeRedis, name: str = "chunk", secret: str = "key") -> AnswerJournal:  # noqa: S107  invented
    return AnswerJournal(redis, name, secret=secret)


def same(one: ScrubbedBatch, other: ScrubbedBatch) -> bool:
    """Equal in every field; arrays in type, too."""
    for name in ScrubbedBatch.__slots__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, np.ndarray):
            if left.dtype != right.dtype or left.tolist() != right.tolist():
                return False
        elif left != right:
            return False
    return True


@settings(max_examples=50, deadline=None)
@given(kinds=st.lists(st.lists(st.sampled_from(Verdict), min_size=1, max_size=20), max_size=5))
def test_what_was_answered_comes_back_as_it_was(kinds: list[list[Verdict]]) -> None:
    redis = FakeRedis(server=FakeServer())
    batches = [
        batch_of(str(number), *verdicts, at=NOW + timedelta(seconds=number))
        for number, verdicts in enumerate(kinds)
    ]
    journal(redis).keep(batches)
    answered = [batch for batch in batches if set(batch.verdicts) != {Verdict.UNKNOWN}]
    kept = journal(redis).kept()  # another host's
    assert len(kept) == len(answered)
    assert all(same(one, other) for one, other in zip(kept, answered, strict=True))


def test_what_is_on_record_is_forgotten_and_the_rest_after_a_day(redis: FakeRedis) -> None:
    batches = [batch_of("one", Verdict.CLEAR), batch_of("two", Verdict.LISTED)]
    journal(redis).keep(batches)
    journal(redis).forget(batches[:1])
    journal(redis).forget([])
    assert [batch.batch_id for batch in journal(redis).kept()] == ["two"]
    assert 0 < redis.ttl("answers:chunk") <= KEPT_SECONDS
    assert journal(redis, "another chunk").kept() == []


def test_what_was_changed_or_is_another_accounts_or_chunks_is_left_out(redis: FakeRedis) -> None:
    journal(redis).keep([batch_of("one", Verdict.LISTED)])
    assert journal(redis, secret="another key").kept() == []
    packed = bytearray(redis.hget("answers:chunk", "one") or b"")
    redis.hset("answers:another", "one", bytes(packed))
    assert journal(redis, "another").kept() == []
    for position in (0, 40, len(packed) - 1):
        changed = packed.copy()
        changed[position] ^= 1
        redis.hset("answers:chunk", "one", bytes(changed))
        assert journal(redis).kept() == []
    redis.hset("answers:chunk", "one", b"")
    assert journal(redis).kept() == []


def test_a_redis_that_is_away_keeps_nothing_and_stops_nobody(
    redis_server: FakeServer, redis: FakeRedis
) -> None:
    redis_server.connected = False
    batches = [batch_of("one", Verdict.CLEAR)]
    journal(redis).keep(batches)
    journal(redis).forget(batches)
    assert journal(redis).kept() == []


def test_an_entry_of_another_release_is_left_out(redis: FakeRedis) -> None:
    ours = journal(redis)
    ours.keep([batch_of("a", Verdict.CLEAR), batch_of("b", Verdict.CLEAR)])
    (key,) = redis.keys()
    body = msgspec.msgpack.encode(["b", b"12345678"])
    redis.hset(key, "b", ours._seal(body) + body)
    assert [batch.batch_id for batch in ours.kept()] == ["a"]
