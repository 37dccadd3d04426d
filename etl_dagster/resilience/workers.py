"""Threads that work through a stream of items, bounded, in order if wanted, cancellable.

Belongs here: how many workers, the pool, cancellation. Does not: how many of them may call at
the same time (:mod:`~etl_dagster.resilience.throttle`), what they do.
"""

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_NAP = 0.1


def calculate_workers(
    workload_size: int,
    batch_size: int,
    min_workers: int = 2,
    max_workers: int = 16,
    workers_per_batch: float = 1.5,
) -> int:
    """Return how many workers suit a workload.

    Args:
        workload_size: Items to process.
        batch_size: Items per batch.
        min_workers: Never fewer.
        max_workers: Never more.
        workers_per_batch: Workers wanted for each batch.

    Returns:
        ``clamp(int(ceil(workload_size / batch_size) * workers_per_batch), min, max)``.
    """
    wanted = int(math.ceil(workload_size / batch_size) * workers_per_batch)
    return max(min_workers, min(wanted, max_workers))


class CancelledError(Exception):
    """The work was cancelled; nothing is wrong."""


class NothingYetError(Exception):
    """No result has come within the time; there will be more."""


class ExhaustedError(Exception):
    """All results have been taken."""


class Stop:
    """A switch that ends all waiting of those who share it.

    Args:
        sleep: Waits instead of the switch's own waiting, for tests that own the time.
    """

    def __init__(self, sleep: Callable[[float], None] | None = None) -> None:
        self._event = threading.Event()
        self._sleep = sleep or self._event.wait

    @property
    def cancelled(self) -> bool:
        """Whether it was thrown."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Throw it."""
        self._event.set()

    def check(self) -> None:
        """Raise :class:`CancelledError` if it was thrown."""
        if self._event.is_set():
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait, but raise :class:`CancelledError` as soon as it is thrown."""
        self.check()
        self._sleep(seconds)
        self.check()


class WorkerPool(Generic[T, R]):
    """Runs ``function`` on each item; at most ``ahead`` are begun and not yet taken.

    Memory is bounded by ``ahead``, whatever the number of items: they are pulled one by one.
    Threads are daemons, so that a call that hangs cannot keep the process from ending.

    Args:
        function: Called by several threads at once; should raise :class:`CancelledError` soon
            after ``stop`` is thrown.
        items: Pulled by one thread at a time.
        workers: How many threads.
        ahead: How many items are begun before the first of them is taken.
        stop: Ends the work early.
        name: Of the threads.
    """

    def __init__(  # noqa: PLR0913 - each is a policy of its own, all keyword-only
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        workers: int,
        ahead: int,
        stop: Stop,
        name: str = "worker",
    ) -> None:
        self._function = function
        self._items = iter(items)
        self._pulling = threading.Lock()
        self._room = threading.Semaphore(max(ahead, workers))
        self._stop = stop
        self._done: queue.SimpleQueue[tuple[R] | BaseException | None] = queue.SimpleQueue()
        self._working = workers
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True)
            for n in range(workers)
        ]

    def __enter__(self) -> "WorkerPool[T, R]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.cancel()

    def take(self, timeout: float) -> R:
        """Return a result, as they come; what ``function`` or the items raised is raised here.

        Raises:
            NothingYetError: There is none within ``timeout`` seconds.
            ExhaustedError: There are no more.
        """
        until = time.monotonic() + timeout
        while self._working:
            try:
                message = self._done.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                raise NothingYetError from None
            if message is None:
                self._working -= 1
                continue
            if isinstance(message, BaseException):
                raise message
            self._room.release()
            return message[0]
        raise ExhaustedError

    def join(self, seconds: float) -> list[R]:
        """Cancel, wait at most so long for the threads, return what is done and was not taken."""
        self._stop.cancel()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        done: list[R] = []
        with contextlib.suppress(queue.Empty):
            while True:
                message = self._done.get_nowait()
                if isinstance(message, tuple):
                    done.append(message[0])
        return done

    def _work(self) -> None:
        try:
            while not self._stop.cancelled:
                if not self._room.acquire(timeout=_NAP):
                    continue
                with self._pulling:
                    try:
                        item = next(self._items)
                    except StopIteration:
                        return
                self._done.put((self._function(item),))
        except CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 - raised where results are taken
            self._done.put(error)
        finally:
            # after what this thread did: when all have said so, there is nothing left to take
            self._done.put(None)
