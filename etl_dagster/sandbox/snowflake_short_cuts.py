"""Short cuts in fakesnow 0.12.1: the same answers, sooner.

Belongs here: what makes no difference but to the time, in :data:`SHORT_CUTS`; each has a test that
the answers stay the same. Does not: repairs (:mod:`~etl_dagster.sandbox.snowflake_patches`).
"""

from typing import Any

from fakesnow.transforms import stage
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.snowflake import Snowflake

from etl_dagster.sandbox import snowflake_routes as routes


def described_by_results() -> None:
    """Every statement was planned once more to describe its result, which has names and types."""
    execute, describe = routes.cursor._execute, routes.cursor._describe_last_sql  # noqa: SLF001

    def noting(self: Any, transformed: Any, *args: Any) -> None:
        self.described = ""
        execute(self, transformed, *args)
        if transformed.args.get("result_scan_sfqid"):
            return  # an older result: nothing was run
        columns = self._duck_conn.description or ()
        nothing = (None,) * 4
        self.described = self._last_sql
        self.columns = [(column[0], str(column[1]), *nothing) for column in columns]

    def described(self: Any) -> Any:
        # a result that was looked up by its query id comes with another statement
        return self.columns if self.described is self._last_sql else describe(self)

    routes.cursor._execute, routes.cursor._describe_last_sql = noting, described  # noqa: SLF001


def capitals_by_words() -> None:
    """INITCAP cut every text by regular expressions; most hold words and spaces only.

    Any other of Snowflake's delimiters in a text, and it is done as before.
    """
    transforms: Any = DuckDB.Generator.TRANSFORMS
    general, usual = transforms[exp.Initcap], Snowflake.INITCAP_DEFAULT_DELIMITER_CHARS

    def quick(generator: Any, expression: exp.Initcap) -> str:
        slow: str = general(generator, expression)
        delimiters = expression.args.get("expression")
        if delimiters is not None and delimiters.name != usual:
            return slow
        text = generator.sql(expression, "this")
        others = generator.sql(exp.Literal.string(_one_of(usual.replace(" ", ""))))
        words = (
            f"ARRAY_TO_STRING(LIST_TRANSFORM(STRING_SPLIT(LOWER({text}), ' '),"
            " LAMBDA word : UPPER(word[1]) || word[2:]), ' ')"
        )
        return f"CASE WHEN REGEXP_MATCHES({text}, {others}) THEN {slow} ELSE {words} END"

    transforms[exp.Initcap] = quick


def stages_found_once() -> None:
    """Every PUT, COPY and REMOVE looked its table's stage up several times, in all catalogs.

    A session that changes no table finds the same stage again.
    """
    look_up, execute = stage.TableStages.lookup_sql, routes.cursor._execute  # noqa: SLF001

    def known(self: Any, *name: str) -> str:
        found = self.__dict__.setdefault("found", {})
        if name not in found:
            statement = look_up(self, *name)
            row = self._duck_conn.execute(statement).fetchone()
            if row is None:
                return statement
            found[name] = row[0]
        return exp.select(exp.Literal.string(found[name])).sql(dialect="duckdb")

    def forgetting(self: Any, transformed: Any, *args: Any) -> None:
        if not isinstance(transformed, _LEAVES_TABLES):
            self._conn.table_stages.__dict__.pop("found", None)
        execute(self, transformed, *args)

    stages: Any = stage.TableStages
    stages.lookup_sql, routes.cursor._execute = known, forgetting  # noqa: SLF001


#: Statements after which every table is where it was.
_LEAVES_TABLES = (exp.Query, exp.DML, exp.Copy, exp.Transaction, exp.Commit)


def _one_of(characters: str) -> str:
    """A regular expression for any one of these characters."""
    return "[" + "".join(f"\\x{ord(character):02x}" for character in characters) + "]"


#: In the order of their installation, after all repairs.
SHORT_CUTS = (described_by_results, capitals_by_words, stages_found_once)
