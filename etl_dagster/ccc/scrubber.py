"""Phones in, checkpoints of verdicts out: many batches at once, politely, never failing open.

Belongs here: the stream of batches, checkpoints, cancellation, the canary. Does not: one batch
(:mod:`~etl_dagster.ccc.asker`), storing verdicts, knowing which phones have a fresh one already.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pyrate_limiter import AbstractBucket

from etl_dagster.ccc.asker import Asker, reason_of
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.desk import Desk
from etl_dagster.ccc.errors import CccRequestError, CccUnavailableError
from etl_dagster.ccc.line import Line
from etl_dagster.ccc.records import Checkpoint, ScrubbedBatch, ScrubProgress, ScrubSummary
from etl_dagster.leads.phones import valid_phones
from etl_dagster.resilience import (
    BreakerOpenError,
    BreakerStore,
    ExhaustedError,
    NothingYetError,
    OutOfTimeError,
    Stop,
    WorkerPool,
    calculate_workers,
)

INVALID: Final = "invalid"


class CccScrubber:
    """Scrubs chunks of phones, one after the other; use it as a context manager.

    Args:
        config: The settings.
        clock: Seconds since the epoch; shared by all processes that share ``state_dir``.
        sleep: Waits, for tests that own the time; by default waiting ends when cancelled.
        progress: Told how far a scrub is, at most every ``progress_seconds``, by the thread that
            takes the checkpoints.
        on_breaker: Told old and new state when the circuit changes; called by any thread.
        breaker_store: Where the circuit's state is, if not in ``state_dir``.
        bucket: Where requests are counted, if not in ``state_dir``.
        answered: Told of batches as they are decided, before a checkpoint; called by any thread.

    Raises:
        SharedFileError: ``state_dir`` cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each is a policy of its own, all keyword-only
        self,
        config: CccConfig,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] | None = None,
        progress: Callable[[ScrubProgress], None] | None = None,
        on_breaker: Callable[[str, str], None] | None = None,
        breaker_store: BreakerStore | None = None,
        bucket: AbstractBucket | None = None,
        answered: Callable[[Sequence[ScrubbedBatch]], None] | None = None,
    ) -> None:
        self._config = config
        self._answered = answered
        self._sleep = sleep
        self._progress = progress
        self._line = Line(
            config, clock=clock, on_breaker=on_breaker, store=breaker_store, bucket=bucket
        )
        self._verified = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and files; a probe that is still held is freed."""
        self._line.close()

    @property
    def summary(self) -> ScrubSummary:
        """The counts so far, as a snapshot."""
        return self._line.summary()

    def canary(self) -> None:
        """Ask about the vendor's test numbers; the next scrub relies on it.

        Raises:
            CccCanaryError: The answers are wrong.
            CccAuthError: The key is refused.
            CccUnavailableError: There is no intact answer; scrubbing now would give UNKNOWN.
        """
        asker = Asker(self._line, Stop(self._sleep))
        try:
            asker.request(self._line.client.canary)
        except (BreakerOpenError, CccRequestError, OutOfTimeError) as error:
            reason = reason_of(error)
            raise CccUnavailableError(
                f"CCC could not be asked about its test numbers ({reason}): nothing can be scrubbed"
                " now; a later run does what is missing",
                reason=reason,
            ) from error
        self._verified = True

    def scrub(self, phones: NDArray[np.int64]) -> Iterator[Checkpoint]:
        """Decide on ``phones``, in checkpoints; requests go on while a checkpoint is written.

        Asks about the test numbers first, unless :meth:`canary` just did. Closing the iterator,
        or an error of its consumer, cancels: requests are cut off, the breaker's probe is freed.

        Args:
            phones: int64; what occurs twice is asked once.

        Yields:
            Checkpoints; together they hold each distinct phone exactly once, unless an error ends
            them. Phones that are not valid numbers are UNKNOWN and never sent.

        Raises:
            CccAuthError: The key is refused; what was decided before has been yielded.
            CccCanaryError: The test numbers' answers are wrong; nothing was asked.
            TypeError: ``phones`` are not integers.
        """
        if phones.dtype.kind not in "iu":  # a float may have lost digits
            raise TypeError(f"phones must be an array of integers, not {phones.dtype}")
        distinct = _distinct(phones.astype(np.int64))
        valid = valid_phones(distinct)
        stop = Stop(self._sleep)
        asker = Asker(self._line, stop)
        desk = Desk(distinct.size, self._line, self._progress)
        with self._line.meter.running():
            if not valid.all():
                desk.put([asker.unknown(distinct[~valid], INVALID)])
            sendable = distinct[valid]
            reason = self._unverified() if sendable.size else ""
            if reason:
                for batch in _slices(sendable, self._config.batch_size):
                    desk.put([asker.unknown(batch, reason)])
                    if desk.due():
                        yield desk.checkpoint()
            else:
                yield from self._pooled(asker, sendable, desk)
            if desk.holds:
                yield desk.checkpoint()

    def _pooled(self, asker: Asker, phones: NDArray[np.int64], desk: Desk) -> Iterator[Checkpoint]:
        config, stop = self._config, asker.stop
        workers = calculate_workers(
            phones.size,
            config.batch_size,
            config.min_workers,
            config.max_workers,
            config.workers_per_batch,
        )
        pool = WorkerPool(
            lambda batch: self._told(asker.scrub(batch)),
            _slices(phones, config.batch_size),
            workers=workers,
            ahead=workers + config.checkpoint_batches,  # the next checkpoint, while one is written
            stop=stop,
            name="ccc",
        )
        finished = False
        try:
            with pool:
                while not finished:
                    try:
                        desk.put(pool.take(desk.patience()))
                    except NothingYetError:
                        desk.report()
                    except ExhaustedError:
                        finished = True
                    if desk.due():
                        yield desk.checkpoint()
        except Exception:
            # what others have asked is paid for: they are given the time for their answers
            for batches in pool.join(config.cancel_seconds):
                desk.put(batches)
            if desk.holds:
                yield desk.checkpoint()
            raise
        finally:
            stop.cancel()
            if not finished:
                self._line.client.abort()
            pool.join(config.cancel_seconds)
            self._line.breaker.abandon()

    def _told(self, batches: list[ScrubbedBatch]) -> list[ScrubbedBatch]:
        if self._answered is not None:
            self._answered(batches)
        return batches

    def _unverified(self) -> str:
        """Ask about the test numbers if need be; return why they could not be asked about."""
        if not self._verified:
            try:
                self.canary()
            except CccUnavailableError as error:
                self._line.meter.degrade()
                return error.reason
        self._verified = False
        return ""


def requests_for(phones: int, *, batch_size: int) -> int:
    """Return how many requests one scrub of ``phones`` makes if nothing goes wrong.

    One asks about the test numbers, then each batch takes one; without phones there is none.
    """
    return 1 + -(-phones // batch_size) if phones else 0


def _distinct(phones: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort in place and drop repetitions; twenty times as fast as ``np.unique`` hashes."""
    phones.sort()
    first = phones[:1] - 1
    return phones.compress(np.diff(phones, prepend=first).astype(np.bool_))


def _slices(phones: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, phones.size, size):
        yield phones[start : start + size]
