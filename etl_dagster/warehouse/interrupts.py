"""Wait for a blocking call in such a way that an exception raised meanwhile gets through at once.

Belongs here: the waiting. Python runs signal handlers, which is how a run is terminated, only
between the main thread's own instructions: while that thread sits in the connector, waiting for a
long statement, nothing would be heard. So the call runs in a thread of its own, and the caller
waits on a lock, which signals do interrupt. Does not: what cancelling means.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")

CANCEL_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.2


class Outcome(Generic[Result]):
    """What became of the call: ``error``, or ``result`` if that is None."""

    result: Result
    error: Exception | None = None


def run(
    function: Callable[[], Result],
    *,
    cancel: Callable[[], None],
) -> Outcome[Result]:
    """Call ``function`` in a thread and wait; if the wait is interrupted, cancel it and re-raise.

    Args:
        function: The blocking call.
        cancel: Asks for the call's early end. It may come too early to have any effect, so it is
            called again until the call ended, for at most :data:`CANCEL_SECONDS`.

    Raises:
        BaseException: Whatever interrupted the wait. The call has ended by then, unless
            cancelling it did not help.
    """
    outcome: Outcome[Result] = Outcome()
    done = threading.Event()

    def call() -> None:
        try:
            outcome.result = function()
        except Exception as error:  # noqa: BLE001 - handed to the waiting thread
            outcome.error = error
        finally:
            done.set()

    def keep_cancelling() -> None:
        for _ in range(int(CANCEL_SECONDS / _CANCEL_AGAIN_SECONDS)):
            cancel()
            if done.wait(_CANCEL_AGAIN_SECONDS):
                return

    worker = threading.Thread(target=call, name="warehouse-statement", daemon=True)
    try:
        worker.start()
        done.wait()
    except BaseException:
        if worker.is_alive():
            threading.Thread(target=keep_cancelling, name="warehouse-cancel", daemon=True).start()
            done.wait(CANCEL_SECONDS)
        raise
    return outcome
