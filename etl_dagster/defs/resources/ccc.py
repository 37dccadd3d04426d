"""The scrubs of CCC as resources, with its HTTP client, retry policy and breaker.

Belongs here: their configuration turned into a scrubber. Does not: what a scrubber does
(`etl_dagster.ccc`).
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import ResourceDependency
from pydantic import Field

from etl_dagster.ccc import LITIGATOR_SCRUB, SOURCES, CccConfig, CccError, CccScrubber, Source
from etl_dagster.defs.resources.local import UNSET, LocalResource
from etl_dagster.leads.policy import Policy
from etl_dagster.resilience import RedisStore, redis_bucket, redis_client

if TYPE_CHECKING:
    from etl_dagster.ccc.journal import AnswerJournal


class HttpClientResource(dg.ConfigurableResource[Any]):
    """The HTTP client of the CCC API (httpx): where, with which key, how long it waits."""

    url: str = Field(UNSET, description="Address; the sandbox's in a local deployment if empty")
    api_key: str = Field(UNSET, description="Key, sent in the header loginId")
    connect_seconds: float = Field(5.0, gt=0)
    read_seconds: float = Field(30.0, gt=0)
    write_seconds: float = Field(10.0, gt=0)
    pool_seconds: float = Field(10.0, gt=0)


class RetryResource(dg.ConfigurableResource[Any]):
    """The retry policy of the CCC API (tenacity)."""

    max_retries: int = Field(4, ge=0, description="Retries of a transient failure")
    base_delay: float = Field(1.0, gt=0, description="First delay, seconds; doubles each time")
    max_delay: float = Field(30.0, ge=0, description="Longest delay, seconds")


class BreakerResource(dg.ConfigurableResource[Any]):
    """The circuit breaker of the CCC API (pybreaker), shared by the processes of this host."""

    failures: int = Field(5, ge=1, description="Failures in a row that open it")
    reset_seconds: float = Field(60.0, ge=0, description="Seconds until one probe is let through")
    successes: int = Field(2, ge=1, description="Successes that close it")


class CccResource(dg.ConfigurableResource[Any]):
    """A scrub of CCC, behind its client, retry policy and breaker."""

    source: str = Field("ccc", description="Which: ccc (litigator scrub) or ccc_full")
    local: ResourceDependency[LocalResource]
    http: ResourceDependency[HttpClientResource]
    retry: ResourceDependency[RetryResource]
    breaker: ResourceDependency[BreakerResource]
    batch_size: int = Field(1_000, ge=1, le=10_000, description="Phones a request")
    min_workers: int = Field(2, ge=1)
    max_workers: int = Field(16, ge=1)
    workers_per_batch: float = Field(1.5, gt=0)
    requests_per_minute: int = Field(1_000, ge=1)
    state_dir: str = Field(description="Folder of the breaker's and limiter's shared state")
    redis_url: str = Field(UNSET, description="Redis that keeps that state for several hosts")

    def trouble(self) -> str | None:
        """Why CCC cannot be asked now, or None if it answers its test numbers as it must.

        An open circuit is told without asking; one that has been open for its time is put to the
        test. Takes at most some seconds, whatever CCC does.
        """
        source = SOURCES[self.source](Policy.load())  # no policy changes what its canaries are
        hasty = replace(self._config(source), max_retries=0, read_timeout=5.0, answer_timeout=10.0)
        with self._scrubber(hasty) as scrub:
            try:
                scrub.canary()
            except CccError as error:
                return f"{error} (circuit breaker: {scrub.summary.breaker_state})"
        return None

    def scrubber(self, policy: Policy, **options: Any) -> CccScrubber:
        """A scrubber for one step, whose answers a policy judges; a context manager."""
        return self._scrubber(self._config(SOURCES[self.source](policy)), **options)

    def journal(self, name: str) -> "AnswerJournal | None":
        """Where answers are kept until they are on record; None without Redis."""
        if not self.redis_url:
            return None
        from etl_dagster.ccc.journal import AnswerJournal  # noqa: PLC0415  it needs Redis

        client = redis_client.connect(self.redis_url)
        return AnswerJournal(client, name, secret=self._config().api_key)

    def _scrubber(self, config: CccConfig, **options: Any) -> CccScrubber:
        if self.redis_url:
            client = redis_client.connect(self.redis_url)
            options["breaker_store"] = RedisStore(client, name=config.endpoint)
            options["bucket"] = redis_bucket(
                client, name=config.endpoint, per_minute=config.requests_per_minute
            )
        return CccScrubber(config, **options)

    def _config(self, source: Source = LITIGATOR_SCRUB) -> CccConfig:
        world = self.local.world()
        sandbox = world.ccc(self.http.url) if world else None
        return CccConfig(
            source=source,
            url=sandbox.url if sandbox else self.http.url,
            api_key=self.http.api_key or (sandbox.key if sandbox else UNSET),
            connect_timeout=self.http.connect_seconds,
            read_timeout=self.http.read_seconds,
            write_timeout=self.http.write_seconds,
            pool_timeout=self.http.pool_seconds,
            batch_size=self.batch_size,
            min_workers=self.min_workers,
            max_workers=self.max_workers,
            workers_per_batch=self.workers_per_batch,
            max_retries=self.retry.max_retries,
            retry_base_delay=self.retry.base_delay,
            retry_max_delay=self.retry.max_delay,
            requests_per_minute=self.requests_per_minute,
            breaker_failures=self.breaker.failures,
            breaker_reset_seconds=self.breaker.reset_seconds,
            breaker_successes=self.breaker.successes,
            state_dir=Path(self.state_dir),
        )


def trouble(policy: Policy, *services: CccResource) -> str | None:
    """Why a service that the policy asks cannot be asked now, or None."""
    asked = (one for one in services if one.source in policy.apis)
    return next(filter(None, (one.trouble() for one in asked)), None)
