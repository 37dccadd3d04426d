"""One borrowed connection: run statements, read their results, hold transactions together.

Belongs here: :class:`Session`. Does not: who lends the connection
(:mod:`~etl_dagster.warehouse.session`), results as Arrow (:mod:`~etl_dagster.warehouse.results`),
loading files (:mod:`~etl_dagster.warehouse.loading`).
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etl_dagster.warehouse import interrupts, loading, parameters, results, statements
from etl_dagster.warehouse.errors import (
    WarehouseError,
    WarehouseMisuseError,
    WarehouseStoppedError,
    WarehouseUnreachableError,
    lost,
    translated,
)
from etl_dagster.warehouse.parameters import Params
from etl_dagster.warehouse.results import Column
from etl_dagster.warehouse.statements import Statement

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

_UNDOING: Final = ("ROLLBACK", "REMOVE ")
"""What a session that was stopped still runs."""

Row = tuple[Any, ...]
Result = TypeVar("Result")


class Session:
    """A connection for the use of one thread; borrowed from ``Warehouse.session()``.

    Statements without parameters reach Snowflake as they are: ``LIKE '%x'`` needs no care.
    With parameters (``%(name)s`` for a mapping, ``%s`` for a sequence) a literal ``%`` is doubled.
    Aware datetimes are sent as UTC; results of TIMESTAMP_NTZ come back as aware UTC datetimes.

    An exception that interrupts a statement (Ctrl-C, a run being terminated) cancels it in
    Snowflake before it goes on. Errors are those of :mod:`~etl_dagster.warehouse.errors`.
    """

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

    def execute(self, sql: str, params: Params = None) -> int:
        """Run a statement and return how many rows it inserted, updated and deleted."""
        return self._execute(sql, params).rowcount or 0

    def rows(self, sql: str, params: Params = None) -> list[Row]:
        """Run a query and return its rows: for small results."""
        cursor = self._execute(sql, params)
        found = self._run(sql, cursor.fetchall)
        naive = [i for i, c in enumerate(cursor.description) if results.is_utc(c)]
        return [results.aware(row, naive) for row in found] if naive else found

    def row(self, sql: str, params: Params = None) -> Row | None:
        """Run a query and return its only row, or None.

        Raises:
            WarehouseMisuseError: There is more than one.
        """
        found = self.rows(sql, params)
        if len(found) > 1:
            name = statements.name_of(sql)
            raise WarehouseMisuseError(f"{name}: {len(found)} rows, expected one")
        return found[0] if found else None

    def scalar(self, sql: str, params: Params = None) -> Any:
        """Run a query and return the only value of its only row, or None if it has no row."""
        row = self.row(sql, params)
        if row is not None and len(row) != 1:
            name = statements.name_of(sql)
            raise WarehouseMisuseError(f"{name}: {len(row)} columns, expected one")
        return None if row is None else row[0]

    def describe(self, sql: str) -> list[Column]:
        """Return a query's columns without running it."""
        cursor = self._execute(sql, None, describe_only=True)
        return [results.column(c) for c in cursor.description]

    def columns_of(self, table: str) -> frozenset[str]:
        """Return the upper-case names of a table's columns; asked once, until DDL of ours runs."""
        if table not in self._columns:
            described = self.describe(f"SELECT * FROM {table}")  # noqa: S608 - a name, not a value
            self._columns[table] = frozenset(column.name.upper() for column in described)
        return self._columns[table]

    def arrow(self, sql: str, params: Params = None) -> "Iterator[pa.RecordBatch]":
        """Run a query and yield its rows batch by batch, never holding all of them.

        Columns have one Arrow type each in all batches: NUMBER of scale 0 is int64, other NUMBER
        decimal128, DATE date32, TIMESTAMP_NTZ timestamp[us] (UTC), TEXT and VARIANT string.
        """
        cursor = self._execute(sql, params)
        batches = results.batches(cursor)
        while (batch := self._run(sql, lambda: next(batches, None))) is not None:
            yield batch

    def arrow_table(self, sql: str, params: Params = None) -> "pa.Table":
        """Run a query and return all of its rows; columns as in :meth:`arrow`."""
        import pyarrow as pa  # noqa: PLC0415 - only who reads Arrow needs it

        cursor = self._execute(sql, params)
        found = self._run(sql, lambda: list(results.batches(cursor)))
        return pa.Table.from_batches(found, results.schema(cursor.description))

    def load(self, table: str, data: "pa.Table", *, columns: Sequence[str] | None = None) -> int:
        """Append ``data`` to ``table``, matching columns by name; return how many rows.

        All or nothing: without a transaction of the caller's it runs in one of its own.

        Args:
            table: Its plain name, qualified or not.
            data: Rows; column names match in any case.
            columns: Which of its columns to load; default: all.

        Raises:
            LoadMismatchError: Other than the rows sent were stored. Inside a transaction of the
                caller's, let it pass, so that the transaction is rolled back.
        """
        chosen = data if columns is None else data.select(list(columns))
        if self._in_transaction:
            return loading.load(self, table, chosen)
        with self.transaction():
            return loading.load(self, table, chosen)

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
            self.rows(Statement(f"REMOVE {path}", "remove loaded files"))

    def set_variables(self, variables: Mapping[str, str | int | date]) -> None:
        """Set session variables, which SQL reads as ``$NAME``.

        Text is quoted; dates and datetimes become typed values (datetimes in UTC).

        Raises:
            WarehouseMisuseError: A name is not a plain identifier, or a value is of another type
                or longer than Snowflake's 256 bytes.
        """
        for name, value in variables.items():
            self._execute(f"SET {name} = {parameters.literal(name, value)}", None)

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
        ended = False

        def call() -> Result:
            nonlocal ended
            try:
                return function()
            finally:
                ended = True

        try:
            outcome = interrupts.run(call, cancel=cancel)
        except BaseException:
            self.broken = not ended
            raise
        if outcome.error is not None:
            self.broken = lost(outcome.error)
            # Not chained: the connector's message may quote data.
            raise translated(outcome.error, statements.name_of(sql)) from None
        return outcome.result
