"""Leases of several hosts, on a Redis that can be taken away and whose keys can be."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from fakeredis import FakeRedis, FakeServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.resilience.leases import (
    Lease,
    LeaseError,
    LeaseLostError,
    Leases,
    LeaseUnavailableError,
)
from etl_dagster.resilience.redis_client import RedisUnusableError, address_of, connect
from etl_dagster_tests.together import at_once

KEY = "lease:chunk"
SHORT = 0.3


@pytest.fixture
def host(redis_server: FakeServer) -> Callable[..., Leases]:
    """Makes the leases of one more host."""
    return lambda **options: Leases(FakeRedis(server=redis_server), **options)


def test_one_holder_at_a_time(host: Callable[..., Leases]) -> None:
    inside, most, done = [0], [0], [0]

    def work(_: int) -> None:
        leases = host()
        for _ in range(3):
            with leases.hold("chunk") as lease:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                lease.confirm()
                inside[0] -= 1
                done[0] += 1

    at_once(work, range(3))
    assert (most, done) == ([1], [9])


def test_names_do_not_wait_for_each_other_and_what_is_given_back_is_free(
    host: Callable[..., Leases], redis: FakeRedis
) -> None:
    with host().hold("chunk"), host().hold("another"):
        assert redis.exists(KEY)
    assert not redis.exists(KEY)
    with pytest.raises(ZeroDivisionError), host().hold("chunk"):
        raise ZeroDivisionError
    assert not redis.exists(KEY)


def test_it_is_renewed_for_as_long_as_it_is_held(
    host: Callable[..., Leases], redis: FakeRedis
) -> None:
    with host(seconds=SHORT).hold("chunk") as lease:
        holder = redis.get(KEY)
        time.sleep(3 * SHORT)
        assert redis.get(KEY) == holder
        lease.confirm()


def test_the_next_one_waits_until_a_killed_holders_lease_has_run_out(
    host: Callable[..., Leases], redis: FakeRedis
) -> None:
    redis.set(KEY, "killed", px=round(SHORT * 1000))
    began = time.monotonic()
    with host().hold("chunk"):
        assert time.monotonic() - began >= SHORT * 0.9


def test_a_lost_lease_is_not_confirmed_and_the_new_holders_is_not_given_back(
    host: Callable[..., Leases], redis: FakeRedis
) -> None:
    with host().hold("chunk") as lease:
        redis.set(KEY, "another host")
        with pytest.raises(LeaseLostError, match="chunk ran out"):
            lease.confirm()
    assert redis.get(KEY) == b"another host"


def test_one_that_ran_out_is_not_confirmed_though_nobody_took_it(
    host: Callable[..., Leases], redis: FakeRedis
) -> None:
    with host().hold("chunk") as lease:
        redis.delete(KEY)
        with pytest.raises(LeaseLostError):
            lease.confirm()


def test_without_redis_there_is_no_lock(
    host: Callable[..., Leases], redis_server: FakeServer
) -> None:
    ran = []
    redis_server.connected = False
    with (
        pytest.raises(LeaseUnavailableError, match=r"ETL_REDIS_URL.*nothing is written"),
        host().hold("chunk"),
    ):
        ran.append(True)
    assert not ran


def test_a_redis_that_goes_away_confirms_nothing_and_one_that_comes_back_does(
    host: Callable[..., Leases], redis_server: FakeServer
) -> None:
    with host(seconds=1).hold("chunk") as lease:
        redis_server.connected = False
        with pytest.raises(LeaseUnavailableError):
            lease.confirm()
        time.sleep(0.4)  # renewals fail meanwhile
        redis_server.connected = True
        time.sleep(0.3)
        lease.confirm()
        redis_server.connected = False  # giving it back is not possible, and no harm
    redis_server.connected = True


class Ledger:
    """A chain as the warehouse keeps it: who appends reads the end, then commits."""

    def __init__(self) -> None:
        self.positions: list[int] = []

    def end(self) -> int:
        return max(self.positions, default=0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["take", "read", "commit", "leave", "expire"]), st.booleans()),
        max_size=40,
    )
)
def test_whatever_runs_out_when_no_chain_forks(moves: list[tuple[str, bool]]) -> None:
    """Two hosts take, lose and give back the lease in any order, commits unconfirmed never."""
    server = FakeServer()
    redis, ledger = FakeRedis(server=server), Ledger()
    held: dict[bool, tuple[ExitStack, Lease]] = {}
    read: dict[bool, int] = {}
    with ExitStack() as everything:
        for move, host in moves:
            if move == "take" and host not in held and not redis.exists(KEY):
                stack = everything.enter_context(ExitStack())
                held[host] = (
                    stack,
                    stack.enter_context(Leases(FakeRedis(server=server)).hold("chunk")),
                )
            elif move == "read" and host in held:
                read[host] = ledger.end()
            elif move == "commit" and host in read:
                with suppress(LeaseError):
                    held[host][1].confirm()
                    ledger.positions.append(read[host] + 1)
                del read[host]
            elif move == "leave" and host in held:
                held.pop(host)[0].close()
                read.pop(host, None)
            elif move == "expire":
                redis.delete(KEY)
    assert ledger.positions == list(range(1, len(ledger.positions) + 1))


def test_messages_say_where_and_no_password() -> None:
    client = connect("redis://user:hunter2@127.0.0.1:1/0")
    with pytest.raises(LeaseUnavailableError) as caught, Leases(client).hold("chunk"):
        pass
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert address_of(connect("unix:///run/redis.sock")) == "/run/redis.sock"


def test_what_is_no_address_is_refused_without_being_quoted() -> None:
    with pytest.raises(RedisUnusableError, match="expected redis://") as caught:
        connect("hunter2@nowhere")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
