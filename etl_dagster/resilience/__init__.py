"""Policies for calling an unreliable service: breaker, retry, limiter, throttle, workers.

Usable alone: nothing here knows what is called. Every policy is keyword-only; clocks and sleeps
are injected. Put together, one attempt of one batch is the following, tried again as
:class:`RetryPolicy` says, by the threads of a :class:`WorkerPool`::

    breaker.check()                      # an open circuit fails at once
    with throttle.turn(stop):            # how many at a time, and pauses the service asked for
        limiter.acquire(sleep=stop.sleep)    # how many a minute, over all processes of the host
        with breaker.attempt():          # one outcome, recorded when the call is over
            answer = call()
"""

from etl_dagster.resilience.breaker import Breaker, BreakerOpenError, Outcome
from etl_dagster.resilience.breaker_store import BreakerStore, RedisStore, SqliteStore
from etl_dagster.resilience.limiter import RequestLimiter, host_bucket, redis_bucket
from etl_dagster.resilience.retry import (
    OutOfTimeError,
    RetryPolicy,
    is_transient,
    parse_retry_after,
)
from etl_dagster.resilience.shared_file import SharedFileError
from etl_dagster.resilience.throttle import Throttle
from etl_dagster.resilience.workers import (
    CancelledError,
    ExhaustedError,
    NothingYetError,
    Stop,
    WorkerPool,
    calculate_workers,
)

__all__ = [
    "Breaker",
    "BreakerOpenError",
    "BreakerStore",
    "CancelledError",
    "ExhaustedError",
    "NothingYetError",
    "OutOfTimeError",
    "Outcome",
    "RedisStore",
    "RequestLimiter",
    "RetryPolicy",
    "SharedFileError",
    "SqliteStore",
    "Stop",
    "Throttle",
    "WorkerPool",
    "calculate_workers",
    "host_bucket",
    "is_transient",
    "parse_retry_after",
    "redis_bucket",
]
