"""Two hosts and one chunk: the locks of a run over hosts, on a Redis in this process."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fakeredis import FakeRedis

from etl_dagster.defs.resources import WriterLocks
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.resilience.leases import (
    LeaseError,
    LeaseLostError,
    Leases,
    LeaseUnavailableError,
)
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.errors import WarehouseStoppedError, WarehouseUnreachableError
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster_tests.defs.line import CLEAN, DAY, Line, crowd
from etl_dagster_tests.defs.test_reruns import assert_chains_are_whole
from etl_dagster_tests.together import at_once
from etl_dagster_tests.warehouse.conftest import batch_of

CHUNK = Chunk(DAY, 0)
ORIGIN = Provenance(chunk=CHUNK, source="ccc", policy_hash="p", run_id="r", deployment="local")
NOWHERE = "redis://127.0.0.1:1/0"
KEY = f"lease:here:{CHUNK}"


@pytest.fixture
def host(tmp_path: Path, redis: FakeRedis) -> Callable[[str], WriterLocks]:
    """Makes the locks of a host: lock files of its own, the Redis of all."""

    def make(name: str) -> WriterLocks:
        locks = WriterLocks(folder=str(tmp_path / name), scope="here", redis_url=NOWHERE)
        locks._leases = Leases(redis)
        return locks

    return make


@pytest.fixture
def without_redis(tmp_path: Path) -> WriterLocks:
    """The locks of a host whose Redis does not answer."""
    return WriterLocks(folder=str(tmp_path / "locks"), scope="here", redis_url=NOWHERE)


def test_two_hosts_append_to_one_chain_in_turn(
    one_chunk: Line, host: Callable[[str], WriterLocks]
) -> None:
    def append(name: str) -> None:
        locks = host(name)
        with one_chunk.session() as session:
            for phone in CLEAN[:5]:
                with locks.hold_everywhere(CHUNK, session):
                    batch = batch_of([phone], Verdict.CLEAR)
                    ledger.append(session, [batch], origin=ORIGIN)

    at_once(append, ("one", "two"))
    assert one_chunk.count("SCRUB_BATCHES") == 10
    assert_chains_are_whole(one_chunk)


def test_who_has_lost_the_lock_commits_nothing(
    one_chunk: Line, host: Callable[[str], WriterLocks], redis: FakeRedis
) -> None:
    locks = host("one")
    with one_chunk.session() as session:
        with locks.hold_everywhere(CHUNK, session):
            ledger.append(session, [batch_of([CLEAN[0]], Verdict.CLEAR)], origin=ORIGIN)
        with locks.hold_everywhere(CHUNK, session):
            redis.set(KEY, "another host")
            with pytest.raises(LeaseLostError):
                ledger.append(session, [batch_of([CLEAN[1]], Verdict.CLEAR)], origin=ORIGIN)
        redis.delete(KEY)
        with locks.hold_everywhere(CHUNK, session):  # the session is as good as before
            ledger.append(session, [batch_of([CLEAN[2]], Verdict.CLEAR)], origin=ORIGIN)
    found = one_chunk.rows("SELECT phone FROM PHONE_VERDICTS ORDER BY phone")
    assert [row["PHONE"] for row in found] == [CLEAN[0], CLEAN[2]]
    assert_chains_are_whole(one_chunk)


def test_a_lost_connections_lock_runs_out_since_its_commit_may_be_under_way(
    one_chunk: Line, host: Callable[[str], WriterLocks], redis: FakeRedis
) -> None:
    locks = host("one")
    with one_chunk.session() as session, locks.hold_everywhere(CHUNK, session):
        pass
    assert not redis.exists(KEY)
    with (
        pytest.raises(WarehouseUnreachableError),
        one_chunk.session() as session,
        locks.hold_everywhere(CHUNK, session),
        session.transaction(),
    ):
        session.broken = True  # as any statement leaves it whose answer did not come
    assert redis.pttl(KEY) > 0


def test_what_only_one_host_has_is_locked_without_redis(
    one_chunk: Line, without_redis: WriterLocks
) -> None:
    with without_redis.hold("opt-out inbox"):
        pass
    alone = WriterLocks(folder=without_redis.folder, scope="here")
    with one_chunk.session() as session:
        with alone.hold_everywhere(CHUNK, session):
            ledger.append(session, [batch_of([CLEAN[0]], Verdict.CLEAR)], origin=ORIGIN)
        with pytest.raises(LeaseUnavailableError), without_redis.hold_everywhere(CHUNK, session):
            pytest.fail("there is no lock")
    assert one_chunk.count("PHONE_VERDICTS") == 1


def test_a_run_writes_and_buys_nothing_while_redis_is_away(
    one_chunk: Line, without_redis: WriterLocks
) -> None:
    one_chunk.people(crowd(16))
    one_chunk.resources["locks"] = without_redis
    result = one_chunk.run()
    assert not result.success
    assert "Redis at 127.0.0.1:1 (ETL_REDIS_URL) cannot be asked" in result.error.splitlines()[-1]
    assert one_chunk.count("LEADS") == one_chunk.count("SCRUB_BATCHES") == 0
    assert one_chunk.bought() == set()


@pytest.mark.parametrize("other", ["same host", "another host"])
def test_who_waits_for_a_lock_gives_up_when_its_run_ends(
    one_chunk: Line, host: Callable[[str], WriterLocks], other: str
) -> None:
    outcome: list[BaseException] = []
    waits = threading.Event()

    def wait() -> None:
        waits.set()
        try:
            with host("same host").hold_everywhere(CHUNK, second):
                outcome.append(AssertionError("it had the lock"))
        except (WarehouseStoppedError, LeaseError) as error:
            outcome.append(error)

    with (
        one_chunk.session() as first,
        one_chunk.session() as second,
        host(other).hold_everywhere(CHUNK, first),
    ):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waits.wait()
        second.stop()
        waiting.join(timeout=20)
        assert not waiting.is_alive()
    assert "the run is ending" in str(outcome[0])
