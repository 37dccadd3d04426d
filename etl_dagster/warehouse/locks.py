"""Transactions that one writer at a time may be in, whatever host it is on.

Belongs here: taking such a lock, having a lock from elsewhere confirmed before a commit. Does not:
what is done under one; locks that files or Redis hold.

Snowflake has no statement that locks, and appending excludes nobody. But an UPDATE excludes every
other UPDATE of its row until its transaction ends
(https://docs.snowflake.com/en/sql-reference/transactions), and what is read after it has waited is
what the other has committed. At most 20 statements may wait for one table: this is for what is
seldom done, and not for every batch of the ledger.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from etl_dagster.identity.who import operator
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql


class LockError(WarehouseError):
    """A lock could not be taken, since somebody removed its row."""


@contextmanager
def locked(session: Session, name: str) -> Iterator[None]:
    """Be in a transaction in which nobody else can be under the same name.

    Args:
        session: a session without an open transaction.
        name: what for.

    Raises:
        LockError: the row of the lock went away between making sure of it and taking it.
        WarehouseError: the warehouse refused; or the body raised, and all of it is undone.
    """
    values = {"name": name, "moment": datetime.now(UTC), "taken_by": operator()}
    # Two who insert at once leave two rows. That does no harm: the later of them to begin its
    # transaction sees, and updates, the row of the other.
    session.execute(sql("insert_lock"), values)
    with session.transaction():
        # first of all, since the embedded server can make only the first statement wait
        if not session.execute(sql("take_lock"), values):
            raise LockError(f"the row {name!r} of LOCKS is gone: somebody removes it; try again")
        yield


@contextmanager
def guarded(session: Session, guard: Callable[[], None]) -> Iterator[None]:
    """Have `guard` called right before every commit of the body; what it raises undoes that.

    Args:
        session: whose transactions; a statement outside of one commits itself, unguarded.
        guard: raises if what was done may not be committed any more.
    """
    session.guards.append(guard)
    try:
        yield
    finally:
        session.guards.remove(guard)
