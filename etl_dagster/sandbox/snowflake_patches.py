"""Repairs of fakesnow 0.12.1: where what statements do differs from Snowflake's.

Belongs here: installing all repairs; those of whole statements, one function per difference, in
:data:`REPAIRS`, with the reason. Each has a test that fails without it (``--without NAME`` starts a
server that lacks it). Does not: names and expressions in them
(:mod:`~etl_dagster.sandbox.snowflake_expressions`), what the HTTP server does
(:mod:`~etl_dagster.sandbox.snowflake_protocol`, :mod:`~etl_dagster.sandbox.snowflake_sessions`).
"""

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fakesnow.arrow
import fakesnow.copy_into
import fakesnow.transforms
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.dialect import parse_one
from fakesnow.transforms import stage
from sqlglot import exp

from etl_dagster.sandbox import (
    snowflake_expressions,
    snowflake_protocol,
    snowflake_sessions,
    snowflake_short_cuts,
)
from etl_dagster.sandbox import snowflake_routes as routes

# Of type Any because their attributes are replaced.
arrow: Any = fakesnow.arrow
copy_into: Any = fakesnow.copy_into
transforms: Any = fakesnow.transforms


def apply(*, without: Collection[str] = ()) -> None:
    """Install all repairs, these and those of the HTTP server, once per process.

    Raises:
        KeyError: ``without`` names a repair that does not exist.
    """
    everything = (
        *REPAIRS,
        *snowflake_expressions.REPAIRS,
        *snowflake_sessions.REPAIRS,
        *snowflake_protocol.REPAIRS,
        *snowflake_short_cuts.SHORT_CUTS,
    )
    wanted = {repair.__name__: repair for repair in everything}
    for name in without:
        del wanted[name]
    for repair in wanted.values():
        repair()


def null_timestamps() -> None:
    """A NULL timestamp was sent as 1970-01-01: the validity of the column was dropped."""
    original = arrow.timestamp_to_sf_struct

    def convert(column: Any) -> Any:
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if not column.null_count:
            return original(column)
        filled = pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type))
        struct = original(filled)
        fields = [struct.field(i) for i in range(struct.type.num_fields)]
        return pa.StructArray.from_arrays(fields, fields=list(struct.type), mask=pc.is_null(column))

    arrow.timestamp_to_sf_struct = convert


def described_unions() -> None:
    """Describing a UNION ran all of it; only a plain SELECT was described without running."""

    def describe(self: Any, command: str) -> Any:
        statement = parse_one(self._inline_variables(command))
        if isinstance(statement, exp.Query) and not isinstance(statement, exp.Select):
            inner = statement.sql(dialect="snowflake")
            command = f"SELECT * FROM ({inner})"  # noqa: S608 - the client's own statement
        return original(self, command)

    original = routes.cursor._describe_only  # noqa: SLF001
    routes.cursor._describe_only = describe  # noqa: SLF001


_REMOVE = re.compile(
    r"\s*(?:remove|rm)\s+@(?P<stage>\S+?)/(?P<path>[\w./-]+)\s*;?\s*", re.IGNORECASE
)


def removed_stage_files() -> None:
    """REMOVE was not implemented, so that every loaded file stayed."""

    def execute(self: Any, command: str, *args: Any, **options: Any) -> Any:
        found = _REMOVE.fullmatch(command)
        if found is None:
            return original(self, command, *args, **options)
        connection = self._conn
        place = (connection.database, connection.schema)
        database, schema, name = stage.parts_from_var(found["stage"], *place)
        url = copy_into.stage_url_from_var(
            f"{found['stage']}/{found['path']}",
            connection._duck_conn,  # noqa: SLF001
            *place,
            connection.table_stages,
            exp.table_(name.removeprefix("%"), db=schema, catalog=database),
        )
        folder = Path(url)
        names = sorted(file.name for file in folder.rglob("*") if file.is_file())
        shutil.rmtree(folder, ignore_errors=True)
        rows = " UNION ALL ".join(f"SELECT '{n}' AS name, 'removed' AS result" for n in names)
        return original(
            self, rows or "SELECT '' AS name, 'removed' AS result WHERE FALSE", **options
        )

    original = routes.cursor.execute
    routes.cursor.execute = execute


def temporary_copy_targets() -> None:
    """COPY INTO looked for a temporary table among the schema's tables, where it is not."""
    original = copy_into._describe_table  # noqa: SLF001

    def describe(
        table: exp.Table, connection: Any, database: str | None, schema: str | None
    ) -> Any:
        temporary = connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE temporary AND table_name = ?", [table.name]
        ).fetchone()
        if temporary and not table.db:
            database, schema = "temp", "main"
        return original(table, connection, database, schema)

    copy_into._describe_table = describe  # noqa: SLF001


#: In the order of their installation.
REPAIRS = (
    null_timestamps,
    described_unions,
    removed_stage_files,
    temporary_copy_targets,
)
