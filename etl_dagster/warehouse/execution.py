"""One borrowed connection: run statements, read their results, load tables.

Belongs here: :class:`Session`. Does not: how a statement runs and transactions hold together
(:mod:`~etl_dagster.warehouse.connection`), who lends the connection
(:mod:`~etl_dagster.warehouse.session`), results as Arrow (:mod:`~etl_dagster.warehouse.results`),
loading files (:mod:`~etl_dagster.warehouse.loading`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from etl_dagster.leads.campaign_columns import Column
from etl_dagster.warehouse import loading, parameters, results, statements
from etl_dagster.warehouse.connection import Connection
from etl_dagster.warehouse.errors import WarehouseMisuseError
from etl_dagster.warehouse.parameters import Params

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

Row = tuple[Any, ...]
Record = TypeVar("Record", bound="DataclassInstance")


class Session(Connection):
    """A connection for the use of one thread; borrowed from ``Warehouse.session()``.

    Statements without parameters reach Snowflake as they are: ``LIKE '%x'`` needs no care.
    With parameters (``%(name)s`` for a mapping, ``%s`` for a sequence) a literal ``%`` is doubled.
    Aware datetimes are sent as UTC; results of TIMESTAMP_NTZ come back as aware UTC datetimes.

    An exception that interrupts a statement (Ctrl-C, a run being terminated) cancels it in
    Snowflake before it goes on. Errors are those of :mod:`~etl_dagster.warehouse.errors`.
    """

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

    def records(self, kind: type[Record], sql: str, params: Params = None) -> list[Record]:
        """Run a query and return its rows as records of a dataclass, field by field in order."""
        names = [field.name for field in fields(kind)]
        return [kind(**dict(zip(names, row, strict=True))) for row in self.rows(sql, params)]

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

    def load(self, table: str, data: "pa.Table") -> int:
        """Append ``data`` to ``table``, matching columns by name; return how many rows.

        All or nothing: without a transaction of the caller's it runs in one of its own.

        Args:
            table: Its plain name, qualified or not.
            data: Rows; column names match in any case.

        Raises:
            LoadMismatchError: Other than the rows sent were stored. Inside a transaction of the
                caller's, let it pass, so that the transaction is rolled back.
        """
        if self._in_transaction:
            return loading.load(self, table, data)
        with self.transaction():
            return loading.load(self, table, data)

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set session variables to texts, which SQL reads as ``$NAME``.

        Raises:
            WarehouseMisuseError: A name is not a plain identifier, or a value is longer than
                Snowflake's 256 bytes.
        """
        for name, value in variables.items():
            self._execute(f"SET {name} = {parameters.literal(name, value)}", None)
