"""One batch, from phones to verdicts, with every policy applied to every request.

Belongs here: attempts, retries, bisecting, and which failure makes phones UNKNOWN for which
reason. Does not: the stream of batches and its checkpoints (:mod:`~etl_dagster.ccc.scrubber`).
"""

import contextlib
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.ccc.answer import Answer
from etl_dagster.ccc.errors import (
    CccIncompleteError,
    CccRateLimitedError,
    CccRefusedError,
    CccRejectedError,
    CccRequestError,
    CccStatusError,
)
from etl_dagster.ccc.line import Line
from etl_dagster.ccc.records import ScrubbedBatch
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.resilience import BreakerOpenError, OutOfTimeError, Stop

BREAKER_OPEN: Final = "breaker_open"
DEADLINE: Final = "deadline"
BATCH_REJECTED: Final = "batch_rejected"

_PROBE_NAP: Final = 0.05


class Asker:
    """Asks CCC about one chunk, under all policies; its deadline runs from now on.

    Args:
        line: To CCC; it outlives the chunk.
        stop: Cancels; :class:`~etl_dagster.resilience.CancelledError` is raised then.
    """

    def __init__(self, line: Line, stop: Stop) -> None:
        self.stop = stop
        self._line = line
        self._config = line.config
        self._deadline = line.clock() + line.config.chunk_deadline

    def scrub(self, phones: NDArray[np.int64]) -> list[ScrubbedBatch]:
        """Return the verdicts of one batch: each phone in one of the results, once.

        A batch that CCC refuses (400), or leaves phones out of, is halved until the phones that it
        does not like are alone; of an answer that leaves some out, nothing is used.
        It is halved breadth first: if they are few, some part is soon accepted, and if none is,
        the requests are at fault and not the phones.

        Raises:
            CccAuthError: The key is refused.
            CancelledError: ``stop`` was thrown.
        """
        done: list[ScrubbedBatch] = []
        parts, extra = deque([phones]), self._config.bisect_requests
        accepted = hopeless = False
        while parts:
            part = parts.popleft()
            try:
                batch = self._ask(part)
            except (CccRejectedError, CccIncompleteError) as error:
                hopeless = not accepted and extra <= self._config.bisect_requests / 2
                if part.size > 1 and extra > 1 and not hopeless:
                    self._line.meter.count("bisects")
                    extra -= 2
                    parts += [part[: part.size // 2], part[part.size // 2 :]]
                    continue
                batch = self._failed(part, error)
                if part.size > 1 and isinstance(error, CccRejectedError):
                    batch = self.unknown(part, BATCH_REJECTED)  # some may be as good as any
            accepted = accepted or bool(batch.verdicts.any())
            done.append(batch)
        if hopeless and not accepted:
            self._blame(CccRefusedError("CCC answers no part of a batch as it should"))
        return done

    def request(self, ask: Callable[[], Answer], *, usual: bool = False) -> Answer:
        """Ask, and ask again while that can help.

        Args:
            ask: Makes one request.
            usual: It is about a full batch, so that its latency can be compared.

        Raises:
            BreakerOpenError: CCC is away.
            CccRequestError: There is no intact answer.
            OutOfTimeError: There is no room for a request before the deadline.
        """
        retrying = self._config.retry_policy.retrying(
            sleep=self.stop.sleep,
            clock=self._line.clock,
            deadline=self._deadline,
            on_retry=self._before_retry,
        )
        return retrying(self._attempt, ask, usual)

    def unknown(
        self, phones: NDArray[np.int64], reason: str, *, evidence: str = "", document: bytes = b""
    ) -> ScrubbedBatch:
        """Return ``phones`` as UNKNOWN, all for one reason."""
        verdicts = np.full(phones.size, Verdict.UNKNOWN, dtype=np.int8)
        return self._batch(phones, Answer(verdicts, [reason] * phones.size, evidence, document))

    def _failed(self, phones: NDArray[np.int64], error: CccRequestError) -> ScrubbedBatch:
        evidence, document = error.evidence_hash, error.document
        return self.unknown(phones, error.reason, evidence=evidence, document=document)

    def _ask(self, phones: NDArray[np.int64]) -> ScrubbedBatch:
        usual = phones.size == self._config.batch_size
        try:
            answer = self.request(lambda: self._line.client.ask(phones), usual=usual)
        except (CccRejectedError, CccIncompleteError):
            raise
        except CccRequestError as error:
            return self._failed(phones, error)
        except (BreakerOpenError, OutOfTimeError) as error:
            self._line.meter.degrade()
            return self.unknown(phones, reason_of(error))
        return self._batch(phones, answer)

    def _before_retry(self, _error: BaseException) -> None:
        """Count the retry; do not wait for it if the circuit has opened meanwhile."""
        self._refuse_if_open()
        self._line.meter.count("retries")

    def _attempt(self, ask: Callable[[], Answer], usual: bool) -> Answer:  # noqa: FBT001 - tenacity passes it on
        while self._line.clock() <= self._deadline:
            if self._refuse_if_open():
                try:
                    return self._send(ask, usual=usual)
                except BreakerOpenError as error:
                    if not error.probing:  # else another thread was quicker to probe
                        raise
            self.stop.sleep(_PROBE_NAP)  # its outcome is near
        raise OutOfTimeError("the time for this scrub is up")

    def _send(self, ask: Callable[[], Answer], *, usual: bool) -> Answer:
        with self._line.throttle.turn(self.stop, deadline=self._deadline) as left_at:
            self._line.limiter.acquire(sleep=self.stop.sleep, deadline=self._deadline)
            with self._line.breaker.attempt():
                self.stop.check()
                self._line.meter.count("requests")
                started = time.perf_counter()
                try:
                    answer = ask()
                except CccRequestError as error:
                    self.stop.check()  # cut off by us: that says nothing of CCC
                    if isinstance(error, CccStatusError):
                        self._slow_down(error, left_at)
                    raise
            latency = time.perf_counter() - started
            self._line.throttle.succeeded(latency if usual else None)
            self._line.meter.answered(latency)
            return answer

    def _slow_down(self, error: CccStatusError, left_at: float) -> None:
        if isinstance(error, CccRateLimitedError):
            self._line.meter.count("rate_limited")
            error.stale = not self._line.throttle.refused(left_at, retry_after=error.retry_after)
        elif error.retry_after is not None:
            self._line.throttle.refused(left_at, retry_after=error.retry_after)

    def _refuse_if_open(self) -> bool:
        """Return False while a probe is under way; raise if the circuit is open."""
        try:
            self._line.breaker.check()
        except BreakerOpenError as error:
            if not error.probing:
                raise
            return False
        return True

    def _blame(self, error: CccRefusedError) -> None:
        """Tell the breaker of a failure that no single request shows."""
        with contextlib.suppress(CccRefusedError, BreakerOpenError), self._line.breaker.attempt():
            raise error

    def _batch(self, phones: NDArray[np.int64], answer: Answer) -> ScrubbedBatch:
        return ScrubbedBatch(
            # unique is enough; uuid4 asks the kernel, which makes threads wait for one another
            batch_id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
            phones=phones,
            verdicts=answer.verdicts,
            reasons=list(answer.reasons),
            checked_at=datetime.fromtimestamp(self._line.clock(), UTC),
            evidence_hash=answer.evidence_hash,
            endpoint=self._config.endpoint,
            document=answer.document,
        )


def reason_of(error: BreakerOpenError | CccRequestError | OutOfTimeError) -> str:
    """Why there is no answer, as stored with UNKNOWN verdicts."""
    if isinstance(error, CccRequestError):
        return error.reason
    return BREAKER_OPEN if isinstance(error, BreakerOpenError) else DEADLINE
