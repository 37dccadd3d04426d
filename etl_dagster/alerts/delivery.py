"""Getting an alert out: all channels at once, in bounded time, none silenced by another.

Belongs here: trying again, the time, what follows when nobody was told. Does not: the requests.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from etl_dagster.alerts.alert import Alert
from etl_dagster.alerts.channels import AlertError, Channel
from etl_dagster.resilience import (
    ExhaustedError,
    NothingYetError,
    RetryPolicy,
    Stop,
    WorkerPool,
)

SECONDS: Final = 8.0
"""All channels together get so long: five alerts in one tick stay under Dagster's 60 seconds."""
RETRY: Final = RetryPolicy(retries=3, base_delay=0.3, max_delay=2.0)


def deliver(
    alert: Alert,
    channels: Sequence[Channel],
    *,
    log: Callable[[str], None],
    seconds: float = SECONDS,
    retry: RetryPolicy = RETRY,
) -> None:
    """Tell the log, then all channels at the same time.

    Args:
        alert: what to tell.
        channels: whom to tell; none is fine.
        log: takes a line; told first, and of each channel that fails.
        seconds: how long all of it may take, whatever servers do.
        retry: for failures that may pass.

    Raises:
        AlertError: there are channels, and none took the alert.
    """
    log(alert.line)
    if not channels:
        return
    until, stop = time.monotonic() + seconds, Stop()
    failures = {one.name: f"{one.name}: no answer within {seconds:g} seconds" for one in channels}

    def attempt(channel: Channel) -> tuple[str, str]:
        trying = retry.retrying(sleep=stop.sleep, clock=time.monotonic, deadline=until)
        try:
            trying(channel.send, alert)
        except AlertError as error:
            return channel.name, str(error)
        return channel.name, ""

    size = len(channels)
    with (
        WorkerPool(attempt, channels, workers=size, ahead=size, stop=stop, name="alert") as pool,
        suppress(ExhaustedError, NothingYetError),
    ):
        while True:
            name, failure = pool.take(max(until - time.monotonic(), 0))
            failures[name] = failure
    failed = [failure for failure in failures.values() if failure]
    for failure in failed:
        log(f"the alert was not delivered to {failure}")
    if len(failed) == size:
        raise AlertError(f"nobody was told of the failed run, see the log: {'; '.join(failed)}")
