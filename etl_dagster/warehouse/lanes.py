"""Work on several chunks at once, each in a lane: a thread with a session of its own.

Belongs here: handing out work in order, stopping all of it when one fails or the caller is
interrupted. Does not: what is done to a chunk, nor telling anyone of it, which is the caller's.

A chunk's statements are small and wait for each other: one lane leaves the warehouse, and a core,
idle most of the time.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Final, TypeVar

from etl_dagster.warehouse.connection import CANCEL_SECONDS
from etl_dagster.warehouse.session import Session, Warehouse

Item = TypeVar("Item")
Result = TypeVar("Result")

_STOP_AGAIN_SECONDS: Final = 0.2


@contextmanager
def in_lanes(
    warehouse: Warehouse,
    items: Iterable[Item],
    work: Callable[[Session, Item], Result],
    *,
    lanes: int,
) -> Iterator[Iterator[tuple[Item, Result]]]:
    """Do the work on every item, several at a time; give each with its result, in order.

    When one fails, none is begun any more; those under way end as they would, and what they return
    is given before the failure is raised. When the body raises, which an interruption of the
    caller does, too, the statements of all lanes are cancelled and rolled back before it goes on.

    Args:
        warehouse: lends a session a lane.
        items: in the order in which they are begun.
        work: run in a lane's thread; whatever it shares with other lanes must allow for that.
        lanes: how many at a time, at least 1.

    Yields:
        The items with their results, and then what the first item, in order, raised.
    """
    queued = list(items)
    free: SimpleQueue[Session] = SimpleQueue()
    failed: list[Item] = []

    def run(item: Item) -> Result:
        session = free.get()
        if failed:
            free.put(session)
            raise NotBegunError
        try:
            return work(session, item)
        except BaseException:
            failed.append(item)
            raise
        finally:
            free.put(session)

    def results() -> Iterator[tuple[Item, Result]]:
        for item, future in zip(queued, futures, strict=True):
            if future.exception() is None:
                yield item, future.result()
        if failed:
            errors = [future.exception() for future in futures]
            raise next(one for one in errors if one and not isinstance(one, NotBegunError))

    with ExitStack() as stack:
        width = min(lanes, len(queued)) or 1
        sessions = [stack.enter_context(warehouse.session()) for _ in range(width)]
        for session in sessions:
            free.put(session)
        pool = stack.enter_context(ThreadPoolExecutor(width, thread_name_prefix="lane"))
        futures = [pool.submit(run, item) for item in queued]
        try:
            yield results()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _stop(sessions, futures)
            raise


class NotBegunError(RuntimeError):
    """An item was not begun, because another had failed; that one's error is what counts."""


def _stop(sessions: Iterable[Session], futures: Iterable[Future[Result]]) -> None:
    """Cancel what the lanes run, again until they have ended: a first try may come too early."""
    running = [future for future in futures if not future.done()]
    if not running:
        return
    for _ in range(int(CANCEL_SECONDS / _STOP_AGAIN_SECONDS)):
        for session in sessions:
            session.stop()
        if not wait(running, _STOP_AGAIN_SECONDS).not_done:
            return
