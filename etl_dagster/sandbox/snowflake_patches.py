"""Repairs of fakesnow 0.12.1: where its SQL differs from Snowflake's in what this project uses.

Belongs here: one function per difference, in :data:`REPAIRS`, with the reason. Each has a test that
fails without it (``--without NAME`` starts a server that lacks it). Does not: what the HTTP server
does (:mod:`~etl_dagster.sandbox.snowflake_protocol`,
:mod:`~etl_dagster.sandbox.snowflake_sessions`).
"""

import json
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.copy_into
import fakesnow.cursor
import fakesnow.transforms
import fakesnow.variables
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from fakesnow.dialect import parse_one
from fakesnow.transforms import stage
from fakesnow.transforms.merge import operations
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from etl_dagster.sandbox import snowflake_protocol, snowflake_sessions, snowflake_short_cuts

# Of type Any because their attributes are replaced.
arrow: Any = fakesnow.arrow
copy_into: Any = fakesnow.copy_into
transforms: Any = fakesnow.transforms
Cursor: Any = fakesnow.cursor.FakeSnowflakeCursor
Variables: Any = fakesnow.variables.Variables


def apply(*, without: Collection[str] = ()) -> None:
    """Install all repairs, these and those of the HTTP server, once per process.

    Raises:
        KeyError: ``without`` names a repair that does not exist.
    """
    wanted = REPAIRS | snowflake_sessions.REPAIRS | snowflake_protocol.REPAIRS
    wanted |= snowflake_short_cuts.SHORT_CUTS
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


_VARIABLE_OR_SKIPPED = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'      # text
    | "(?:[^"]|"")*"              # a quoted name
    | --[^\n]* | //[^\n]* | /\*.*?\*/
    | \$\$.*?\$\$                 # text, dollar-quoted
    | [A-Za-z_][A-Za-z0-9_$]*     # a name, which may hold a dollar
    | \$(?P<name>[A-Za-z_][A-Za-z0-9_]*)""",
    re.VERBOSE | re.DOTALL,
)


def session_variables() -> None:
    """``$X`` was replaced inside texts and comments too, and as a prefix of longer names.

    A value's backslashes were read as a pattern's, and ``3 - $X`` with -5 became a comment.
    """

    def set_value(self: Any, name: str, value: str) -> None:
        self._variables[name.upper()] = value

    def update(self: Any, expression: Expr) -> None:
        if isinstance(expression, exp.Set) and not expression.args.get("unset"):
            assignment = expression.expressions[0].this
            value = assignment.expression.sql(dialect="snowflake")
            plain = isinstance(assignment.expression, exp.Literal | exp.Cast)
            set_value(self, assignment.this.name, value if plain else f"({value})")
        else:
            original(self, expression)

    def inline(self: Any, sql: str) -> str:
        def replace(found: re.Match[str]) -> str:
            name = found["name"]
            if name is None:
                return found[0]
            if name.upper() not in self._variables:
                what = f"Session variable '${name.upper()}' does not exist"
                raise ProgrammingError(
                    msg=f"SQL compilation error:\n{what}",
                    errno=2211,
                    sqlstate="02000",
                )
            return str(self._variables[name.upper()])

        return _VARIABLE_OR_SKIPPED.sub(replace, sql)

    original = Variables.update_variables
    Variables.update_variables = update
    Variables.inline_variables = inline


def reserved_words() -> None:
    """Names that are words of DuckDB's grammar and not of Snowflake's (``at``) were refused."""
    words = {
        name
        for name, category in duckdb.execute(
            "SELECT upper(keyword_name), keyword_category FROM duckdb_keywords()"
        ).fetchall()
        if category != "unreserved"
    }
    original = transforms.upper_case_unquoted_identifiers

    def quote(expression: Expr) -> Any:
        named = original(expression)
        if isinstance(named, exp.Identifier) and named.name in words:
            named.set("quoted", True)  # noqa: FBT003 - sqlglot's own way
        return named

    transforms.upper_case_unquoted_identifiers = quote


def number_aggregates() -> None:
    """SUM and AVG of a NUMBER came back as floating point, which loses cents."""
    transforms.numeric_agg_implicit_cast = lambda expression: expression


def objects() -> None:
    """OBJECT_CONSTRUCT ran a query for every row, and did not understand ``* EXCLUDE``.

    OBJECT_DELETE was missing.
    """

    def construct(expression: Expr) -> Any:
        if isinstance(expression, exp.Anonymous) and expression.name.upper() == "OBJECT_DELETE":
            target, *keys = expression.expressions
            return _call("JSON_MERGE_PATCH", target, _object([(k, exp.null()) for k in keys]))
        keep_nulls = isinstance(expression, exp.JSONObject)
        if not isinstance(expression, exp.JSONObject | exp.StarMap | exp.Struct):
            return expression
        pairs = expression.expressions or [expression.this]
        if pairs[0].is_star:
            columns = exp.var(f"*COLUMNS({pairs[0].sql(dialect='duckdb')})")
            packed = _call("TO_JSON", _call("STRUCT_PACK", columns))
            # Merging into an empty object is what drops NULLs (RFC 7396).
            return packed if keep_nulls else _call("JSON_MERGE_PATCH", _text("{}"), packed)
        if not all(isinstance(pair.this, exp.Literal) for pair in pairs):
            return original(expression)
        named = [(pair.this, pair.expression) for pair in pairs]
        return _object(named) if keep_nulls else _joined(named)

    original = transforms.object_construct
    transforms.object_construct = construct


def _call(name: str, *arguments: Expr) -> Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _object(pairs: list[tuple[Expr, Expr]]) -> Expr:
    flat = [part for key, value in pairs for part in (key, _call("TO_JSON", value))]
    return _call("JSON_OBJECT", *flat)


def _joined(pairs: list[tuple[Expr, Expr]]) -> Expr:
    """An object without its NULLs, which joining text leaves out at half the cost of merging."""
    members = [
        exp.DPipe(
            this=_text(f"{json.dumps(key.name, ensure_ascii=False)}:"),
            expression=exp.cast(_call("TO_JSON", value), "TEXT"),
            safe=True,
        )
        for key, value in pairs
    ]
    inside = _call("CONCAT_WS", _text(","), *members)
    return exp.cast(_call("CONCAT", _text("{"), inside, _text("}")), "JSON")


def _text(value: str) -> Expr:
    return exp.Literal.string(value)


def dates_in_text() -> None:
    """TRY_TO_DATE of a column took ISO dates only; Snowflake also takes 12/31/2026, 31-DEC-2026."""

    def parse(expression: Expr) -> Any:
        named = isinstance(expression, exp.Anonymous) and expression.name.upper() == "TRY_TO_DATE"
        if named and len(expression.expressions) == 1:
            text = exp.cast(expression.expressions[0], "TEXT")
        elif (
            isinstance(expression, exp.TsOrDsToDate)
            and expression.args.get("safe")
            and not expression.args.get("format")
        ):
            text = exp.cast(expression.this, "TEXT")
        else:
            return original(expression)
        date = exp.DataType.build("DATE")

        def by(pattern: str) -> Expr:
            parsed = _call("TRY_STRPTIME", text.copy(), exp.Literal.string(pattern))
            return exp.Cast(this=parsed, to=date.copy())

        slashes = _call("CONTAINS", text.copy(), exp.Literal.string("/"))
        letters = _call("REGEXP_MATCHES", text.copy(), exp.Literal.string("[A-Za-z]{3}"))
        return (
            exp.Case()
            .when(slashes, by("%m/%d/%Y"))
            .when(letters, by("%d-%b-%Y"))
            .else_(exp.TryCast(this=text.copy(), to=date.copy()))
        )

    original = transforms.to_date
    transforms.to_date = parse


def merge_in_one() -> None:
    """MERGE ran as four statements, lost columns used in expressions, and failed after BEGIN.

    DuckDB has a MERGE of its own: one statement, all or nothing.
    """

    def keep(statement: Expr) -> list[Expr]:
        if isinstance(statement, exp.Merge):
            for when in statement.args["whens"].expressions:
                then = when.args["then"]
                if isinstance(then, exp.Update):  # DuckDB wants bare columns to the left of `=`
                    for assignment in then.expressions:
                        assignment.set("this", exp.column(assignment.this.this))
        return [statement]

    def execute(self: Any, statement: Expr, params: Any = None) -> None:
        if not isinstance(statement, exp.Merge):
            original(self, statement, params)
            return
        sql = f"{statement.sql(dialect='duckdb')} RETURNING merge_action"
        try:
            actions = self._duck_conn.execute(sql, params).to_arrow_table().column(0)
        except duckdb.InvalidInputException as error:
            if "more than once" not in str(error):
                raise
            raise ProgrammingError(
                msg="Duplicate row detected during DML action", errno=100090, sqlstate="42P18"
            ) from error
        done = {str(c["values"]): c["counts"] for c in pc.value_counts(actions).to_pylist()}
        performed = operations(statement)
        counts = [
            f'{done.get(action, 0)} AS "number of rows {operation}"'
            for action, operation in _MERGE_ACTIONS.items()
            if performed[operation]
        ]
        original(self, sqlglot.parse_one(f"SELECT {', '.join(counts)}", read="duckdb"))
        self._rowcount = sum(done.values())

    original = Cursor._execute  # noqa: SLF001
    transforms.merge = keep
    Cursor._execute = execute  # noqa: SLF001


_MERGE_ACTIONS = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


def described_unions() -> None:
    """Describing a UNION ran all of it; only a plain SELECT was described without running."""

    def describe(self: Any, command: str) -> Any:
        statement = parse_one(self._inline_variables(command))
        if isinstance(statement, exp.Query) and not isinstance(statement, exp.Select):
            inner = statement.sql(dialect="snowflake")
            command = f"SELECT * FROM ({inner})"  # noqa: S608 - the client's own statement
        return original(self, command)

    original = Cursor._describe_only  # noqa: SLF001
    Cursor._describe_only = describe  # noqa: SLF001


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

    original = Cursor.execute
    Cursor.execute = execute


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


#: By name, in the order of their installation.
REPAIRS: dict[str, Callable[[], None]] = {
    repair.__name__: repair
    for repair in (
        null_timestamps,
        session_variables,
        reserved_words,
        number_aggregates,
        objects,
        dates_in_text,
        merge_in_one,
        described_unions,
        removed_stage_files,
        temporary_copy_targets,
    )
}
