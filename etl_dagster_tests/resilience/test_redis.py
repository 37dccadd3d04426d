"""Breaker and limiter over several hosts, on a Redis in this process or at TEST_REDIS_URL."""

import os
import uuid
from typing import Any

import pytest
import redis
from fakeredis import FakeStrictRedis

from etl_dagster.resilience import (
    Breaker,
    BreakerOpenError,
    OutOfTimeError,
    RedisStore,
    RequestLimiter,
    redis_bucket,
)
from etl_dagster_tests.resilience.clock import Clock


@pytest.fixture
def client() -> Any:
    url = os.environ.get("TEST_REDIS_URL")
    return redis.Redis.from_url(url) if url else FakeStrictRedis(server_type="redis")


def test_hosts_share_a_circuit(client: Any) -> None:
    clock, name = Clock(1_000_000.5), str(uuid.uuid4())
    one, two = (
        Breaker(
            name="x",
            failures=2,
            store=RedisStore(client, name=name, fresh_seconds=0),
            clock=clock,
        )
        for _ in range(2)
    )
    for breaker in (one, two):
        with pytest.raises(OSError, match="down"), breaker.attempt():
            raise OSError("down")
    with pytest.raises(BreakerOpenError):
        one.check()
    clock.now += 59.9
    with pytest.raises(BreakerOpenError):
        two.check()
    clock.now += 0.2
    with one.attempt(), pytest.raises(BreakerOpenError) as caught:
        two.check()
    assert caught.value.probing
    with two.attempt():
        pass
    assert one.state == two.state == "closed"
    with pytest.raises(OSError, match="down"), one.attempt():
        raise OSError("down")
    with two.attempt():
        pass
    with pytest.raises(OSError, match="down"), one.attempt():
        raise OSError("down")
    assert two.state == "closed"  # a success came in between


def test_hosts_share_a_limit(client: Any) -> None:
    clock, name = Clock(), str(uuid.uuid4())
    one, two = (
        RequestLimiter(redis_bucket(client, name=name, per_minute=3), clock=clock) for _ in range(2)
    )
    one.acquire()
    two.acquire()
    one.acquire()
    with pytest.raises(OutOfTimeError):
        two.acquire(deadline=clock.now + 10)
    clock.now += 61
    two.acquire()
