"""One batch, from phones to verdicts, with every policy applied to every request.

Belongs here: attempts, retries, bisecting, and which failure makes phones UNKNOWN for which
reason. Does not: the stream of batches and its checkpoints (:mod:`~etl_dagster.ccc.scrubber`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.ccc.client import Answer, CccClient
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.errors import (
    CccRateLimitedError,
    CccRejectedError,
    CccRequestError,
    CccStatusError,
)
from etl_dagster.ccc.meter import Meter
from etl_dagster.ccc.records import ScrubbedBatch, decided, unknown
from etl_dagster.resilience import Breaker, BreakerOpenError, RequestLimiter, Stop, Throttle, Turn

BREAKER_OPEN: Final = "breaker_open"
DEADLINE: Final = "deadline"

_PROBE_NAP: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Asks CCC under all policies.

    Attributes:
        config: The settings.
        client: Makes the requests.
        breaker: Shared with all processes of the host.
        limiter: The same.
        throttle: Of this scrubber.
        meter: Of this scrubber.
        stop: Cancels; :class:`~etl_dagster.resilience.CancelledError` is raised then.
        clock: Seconds since the epoch.
        deadline: On that clock; no request begins after it.
    """

    config: CccConfig
    client: CccClient
    breaker: Breaker
    limiter: RequestLimiter
    throttle: Throttle
    meter: Meter
    stop: Stop
    clock: Callable[[], float]
    deadline: float

    def scrub(self, phones: NDArray[np.int64]) -> list[ScrubbedBatch]:
        """Return the verdicts of one batch: each phone in one of the results, once.

        Raises:
            CccAuthError: The key is refused.
            CancelledError: ``stop`` was thrown.
        """
        done: list[ScrubbedBatch] = []
        parts, extra = [phones], self.config.bisect_requests
        while parts:
            part = parts.pop()
            halves = self._scrub_part(part, whole=part is phones, split=extra > 1, done=done)
            extra -= len(halves)
            parts += halves
        return done

    def request(self, ask: Callable[[], Answer], *, whole: bool = True) -> Answer:
        """Ask, and ask again while that can help.

        Args:
            ask: Makes one request.
            whole: Whether it is not about a part of a batch that was refused.

        Raises:
            BreakerOpenError: CCC is away.
            CccRequestError: There is no intact answer.
            TimeoutError: There is no room for a request before the deadline.
        """
        retrying = self.config.retry_policy.retrying(
            sleep=self.stop.sleep,
            clock=self.clock,
            deadline=self.deadline,
            on_retry=self.meter.retried,
        )
        return retrying(self._attempt, ask, whole)

    def unknown(self, phones: NDArray[np.int64], reason: str, evidence: str = "") -> ScrubbedBatch:
        """Return ``phones`` as UNKNOWN."""
        return unknown(
            phones,
            reason,
            checked_at=self._now(),
            evidence_hash=evidence,
            endpoint=self.config.endpoint,
        )

    def _scrub_part(
        self, phones: NDArray[np.int64], *, whole: bool, split: bool, done: list[ScrubbedBatch]
    ) -> list[NDArray[np.int64]]:
        """Put what is decided to ``done``, or return the halves that are still to be asked."""
        try:
            answer = self.request(lambda: self.client.ask(phones), whole=whole)
        except CccRejectedError as error:
            if split and phones.size > 1:
                self.meter.bisected()
                middle = phones.size // 2
                return [phones[:middle], phones[middle:]]
            done.append(self.unknown(phones, error.reason))
        except CccRequestError as error:
            done.append(self.unknown(phones, error.reason, error.evidence_hash))
        except BreakerOpenError:
            self.meter.degrade()
            done.append(self.unknown(phones, BREAKER_OPEN))
        except TimeoutError:
            self.meter.degrade()
            done.append(self.unknown(phones, DEADLINE))
        else:
            done.append(
                decided(
                    phones,
                    answer.verdicts,
                    checked_at=self._now(),
                    evidence_hash=answer.evidence_hash,
                    endpoint=self.config.endpoint,
                )
            )
        return []

    def _attempt(self, ask: Callable[[], Answer], whole: bool) -> Answer:  # noqa: FBT001 - tenacity passes it on
        self._await_breaker()
        with self.throttle.turn(self.stop, deadline=self.deadline) as turn:
            self.limiter.acquire(sleep=self.stop.sleep, deadline=self.deadline)
            with self.breaker.attempt():
                self.stop.check()
                self.meter.sent()
                started = time.perf_counter()
                try:
                    answer = ask()
                except CccRequestError as error:
                    self.stop.check()  # cut off by us: that says nothing of CCC
                    self.meter.failed(error)
                    if isinstance(error, CccRejectedError):
                        error.part = not whole
                    elif isinstance(error, CccStatusError):
                        self._slow_down(error, turn)
                    raise
            latency = time.perf_counter() - started
            self.throttle.succeeded(latency)
            self.meter.answered(latency)
            return answer

    def _slow_down(self, error: CccStatusError, turn: Turn) -> None:
        limited = isinstance(error, CccRateLimitedError)
        if limited or error.retry_after is not None:
            news = self.throttle.refused(turn, retry_after=error.retry_after)
            if isinstance(error, CccRateLimitedError):
                error.stale = not news

    def _await_breaker(self) -> None:
        """Let a probe that is under way decide; raise at once if the circuit is open."""
        while self.clock() <= self.deadline:
            try:
                self.breaker.check()
            except BreakerOpenError as error:
                if not error.probing:
                    raise
                self.stop.sleep(_PROBE_NAP)
            else:
                return
        raise TimeoutError("the time for this scrub is up")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)
