"""One borrowed connection's statements: run whole, cancelled when interrupted, held together.

Belongs here: :class:`Connection`, what a :class:`~etl_dagster.warehouse.execution.Session` reads
and writes by. Does not: results, parameters, who lends the connection.

Python runs signal handlers, which is how a run is terminated, only between the main thread's own
instructions: while that thread sits in the connector, waiting for a long statement, nothing would
be heard. So a statement runs in a thread of its own, and the caller waits on a lock, which signals
do interrupt.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etl_dagster.warehouse import parameters, statements
from etl_dagster.warehouse.errors import (
    WarehouseError,
    WarehouseMisuseError,
    WarehouseStoppedError,
    WarehouseUnreachableError,
    lost,
    translated,
)
from etl_dagster.warehouse.parameters import Params
from etl_dagster.warehouse.statements import Statement

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

_UNDOING: Final = ("ROLLBACK", "REMOVE ")
"""What a session that was stopped still runs."""
CANCEL_SECONDS: Final = 10.0
_CANCEL_AGAIN_SECONDS: Final = 0.2

Result = TypeVar("Result")


class Connection:
    """A connection for the use of one thread: statements, transactions, cancelling."""

    def __init__(self, connection: "SnowflakeConnection", *, query_tag: str) -> None:
        self._connection = connection
        self._tag = query_tag
        self._in_transaction = False
        self._staged: list[str] = []
        self._columns: dict[str, frozenset[str]] = {}
        self._cancel: Callable[[], None] | None = None
        #: Set once the run is ending: nothing more is run but what undoes.
        self.stopped = False
        #: Set once the connection must not be used again.
        self.broken = False
        #: Called before every COMMIT; what they raise undoes it (``locks.guarded``).
        self.guards: list[Callable[[], None]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the body does, or, if anything is raised, roll all of it back.

        Raises:
            WarehouseMisuseError: One is open already.
        """
        if self._in_transaction:
            raise WarehouseMisuseError("a transaction is open; they do not nest in Snowflake")
        self._in_transaction = True
        try:
            self._execute("BEGIN", None, internal=True)
            yield
            for guard in self.guards:
                guard()
            self._execute("COMMIT", None, internal=True)
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._in_transaction = False
        self._clean_up()

    def remove_afterwards(self, stage_path: str) -> None:
        """Remove these staged files once the open transaction has ended, however it ends."""
        self._staged.append(stage_path)

    def _give_up(self, error: BaseException) -> None:
        """Undo what is open; what goes wrong with that is a note on the error that led here."""
        if self.broken:
            return  # closing the connection makes Snowflake roll back
        try:
            self._execute("ROLLBACK", None, internal=True)
            self._clean_up()
        except WarehouseError as further:
            self.broken = True
            error.add_note(f"and, when rolling back: {further}")

    def _clean_up(self) -> None:
        while self._staged:
            path = self._staged.pop()
            self._execute(Statement(f"REMOVE {path}", "remove loaded files"), None)

    def stop(self) -> None:
        """From another thread: cancel what runs; from now on only undo what is open."""
        self.stopped = True
        if (cancel := self._cancel) is not None:
            cancel()

    def _execute(
        self, sql: str, params: Params, *, describe_only: bool = False, internal: bool = False
    ) -> "SnowflakeCursor":
        name = statements.name_of(sql)
        if self.stopped and not sql.startswith(_UNDOING):
            raise WarehouseStoppedError(f"{name}: not run, the run is ending")
        if not internal:
            self._check(sql, name)
            if statements.commits(sql):
                self._columns.clear()
        bound = parameters.bound(name, params)
        cursor = self._connection.cursor()
        request = uuid.uuid4()
        options: dict[str, Any] = {"_statement_params": {"requestId": str(request)}}
        if self._tag:
            options["_statement_params"]["QUERY_TAG"] = self._tag
        if describe_only:
            options |= {"_describe_only": True, "_is_internal": True}

        def cancel() -> None:
            # Best effort: what counts is how the statement itself ends, and it is waited for.
            with suppress(Exception):
                self._connection._cancel_query(sql, request)  # noqa: SLF001 - no public way by request

        if not sql.startswith(_UNDOING):
            self._cancel = cancel
        try:
            self._run(sql, lambda: cursor.execute(sql, bound, **options), cancel=cancel)
        finally:
            self._cancel = None
        return cursor

    def _check(self, sql: str, name: str) -> None:
        if statements.controls_transaction(sql):
            raise WarehouseMisuseError(f"{name}: transactions are begun and ended by transaction()")
        if self._in_transaction and statements.commits(sql):
            raise WarehouseMisuseError(f"{name}: would commit the open transaction; run it before")

    def _run(
        self,
        sql: str,
        function: Callable[[], Result],
        *,
        cancel: Callable[[], None] = lambda: None,
    ) -> Result:
        if self.broken:
            raise WarehouseUnreachableError("this session's connection was lost; borrow a new one")
        outcome: Future[Result] = Future()

        def call() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
                outcome.set_exception(error)

        worker = threading.Thread(target=call, name="warehouse-statement", daemon=True)
        try:
            worker.start()
            error = outcome.exception()
        except BaseException:
            if worker.is_alive():
                _cancel(outcome, cancel)
            self.broken = not outcome.done()
            raise
        if error is not None:
            self.broken = lost(error)
            # Not chained: the connector's message may quote data.
            raise translated(error, statements.name_of(sql)) from None
        return outcome.result()


def _cancel(outcome: "Future[Result]", cancel: Callable[[], None]) -> None:
    """Ask for a call's early end and wait for it, at most `CANCEL_SECONDS`.

    It may be asked too early to have any effect, so it is asked again until the call has ended.
    """

    def keep_cancelling() -> None:
        for _ in range(int(CANCEL_SECONDS / _CANCEL_AGAIN_SECONDS)):
            cancel()
            if wait([outcome], _CANCEL_AGAIN_SECONDS).done:
                return

    threading.Thread(target=keep_cancelling, name="warehouse-cancel", daemon=True).start()
    wait([outcome], CANCEL_SECONDS)
