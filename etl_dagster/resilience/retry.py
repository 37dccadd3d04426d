"""When to try again, and how long to wait first.

Belongs here: the retry policy (tenacity does the looping), what is transient, ``Retry-After``.
Does not: what is called, or what follows when it finally fails.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import tenacity

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
PERMANENT_SERVER_STATUSES: Final = frozenset({501, 505})
_SERVER_ERRORS: Final = range(500, 600)


class OutOfTimeError(TimeoutError):
    """What is waited for would come after the deadline; the wait was not begun."""

    transient: Final = False


def is_transient(error: BaseException) -> bool:
    """Tell whether trying again can help: the one place that decides.

    The HTTP status decides where the error has one (``status``); else what the error declares
    (``transient``); else connection and time-out errors are transient and nothing more.
    """
    status = getattr(error, "status", None)
    if isinstance(status, int):
        passing = status in TRANSIENT_STATUSES or status in _SERVER_ERRORS
        return passing and status not in PERMANENT_SERVER_STATUSES
    declared = getattr(error, "transient", None)
    if isinstance(declared, bool):
        return declared
    return isinstance(error, (ConnectionError, TimeoutError))


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Read a ``Retry-After`` header.

    Args:
        value: Seconds or an HTTP date (RFC 9110, section 10.2.3).
        now: Seconds since the epoch.

    Returns:
        Seconds to wait, at least 0; None where there is no header or it says nothing sensible.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The older forms name no zone; RFC 9110 (5.6.7) has them in UTC.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and after how long to try again.

    Attributes:
        retries: Tries after the first.
        base_delay: Seconds before the first retry; doubled for each further one.
        max_delay: No doubling beyond; what a service demands by ``Retry-After`` may be longer.
        jitter: Up to this share is added to a delay, so that workers do not return in step.
    """

    retries: int = 4
    base_delay: float = 1.0
    max_delay: float = 30.0
    jitter: float = 0.25

    def delay(self, attempt: int, error: BaseException | None, *, draw: float) -> float:
        """Return the seconds to wait after the ``attempt``-th try (from 1) failed.

        Args:
            attempt: How many tries there have been.
            error: What the last one raised; its ``retry_after``, if any, is the least wait.
            draw: Where in the jitter, from 0 to 1.
        """
        backoff = min(self.base_delay * 2 ** (attempt - 1), self.max_delay)
        demanded = getattr(error, "retry_after", None) or 0.0
        return float(max(backoff, demanded) + backoff * self.jitter * draw)

    def retrying(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        deadline: float = float("inf"),
        on_retry: Callable[[BaseException], None] = lambda _error: None,
    ) -> tenacity.Retrying:
        """Return the tenacity loop; call it with the function to try.

        What is not transient is not tried again; the last error is raised as it is. A wait that
        would end after ``deadline`` is not begun.

        Args:
            sleep: Waits; may raise to cancel.
            clock: Seconds, on the scale of ``deadline``.
            deadline: No try begins after it.
            on_retry: Told each error that is followed by another try.
        """

        def give_up(state: tenacity.RetryCallState) -> bool:
            late = clock() + state.upcoming_sleep > deadline
            return state.attempt_number > self.retries or late

        def wait(state: tenacity.RetryCallState) -> float:
            return self.delay(state.attempt_number, _error(state), draw=random.random())  # noqa: S311  jitter

        def before(state: tenacity.RetryCallState) -> None:
            error = _error(state)
            if error is not None:
                on_retry(error)

        return tenacity.Retrying(
            sleep=sleep,
            stop=give_up,
            wait=wait,
            retry=tenacity.retry_if_exception(is_transient),
            before_sleep=before,
            reraise=True,
        )


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()
