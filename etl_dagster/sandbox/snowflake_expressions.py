"""Repairs of fakesnow 0.12.1: where it reads names and expressions in SQL as Snowflake does not.

Belongs here: how such a part of a statement is read, in :data:`REPAIRS`, each with the reason and,
like those of :mod:`~etl_dagster.sandbox.snowflake_patches`, a test that fails without it. Does not:
what whole statements do, which is there.
"""

import json
import re
from typing import Any

import duckdb
import fakesnow.transforms
import fakesnow.variables
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp
from sqlglot.dialects.duckdb import DuckDB

# Of type Any because their attributes are replaced.
transforms: Any = fakesnow.transforms
Variables: Any = fakesnow.variables.Variables

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


def empty_lists() -> None:
    """`x IN ()` was false; Snowflake takes no list without a value."""

    def checked(self: Any, expression: exp.In) -> str:
        parts = ("expressions", "query", "unnest", "field")
        if not any(expression.args.get(part) for part in parts):
            raise ProgrammingError(
                msg="SQL compilation error:\nsyntax error unexpected ')' after IN (",
                errno=1003,
                sqlstate="42000",
            )
        said: str = original(self, expression)
        return said

    generator: Any = DuckDB.Generator
    original = generator.in_sql
    generator.in_sql = checked


#: In the order of their installation.
REPAIRS = (
    session_variables,
    reserved_words,
    number_aggregates,
    objects,
    dates_in_text,
    empty_lists,
)
