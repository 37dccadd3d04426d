"""The clock of this host, held against Snowflake's.

Belongs here: that they agree. Does not: what the clock says, which callers give as `moment`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from etl_dagster.warehouse.errors import ClockError
from etl_dagster.warehouse.execution import Session

MOST: Final = timedelta(seconds=5)
"""So far apart they may be; synchronised ones are by some thousandths of a second."""


def need_clock(
    session: Session, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """See to it that this host's clock is right: of several hosts' words the newest counts.

    Raises:
        ClockError: it is not; a verdict of it would outlast later ones, or count for nothing.
    """
    before = now()
    right = session.scalar("SELECT SYSDATE()").replace(tzinfo=UTC)
    apart = max(before - right, right - now())
    if apart > MOST:
        which = "ahead of" if before > right else "behind"
        raise ClockError(
            f"the clock of this host is {apart.total_seconds():,.0f} seconds {which} Snowflake's,"
            f" and may be {MOST.total_seconds():.0f}: have it set by NTP (chrony,"
            " systemd-timesyncd), then try again. Verdicts count by it, the newest first"
        )
