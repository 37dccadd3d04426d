"""docs/grants.sql gives what the program's statements need, and no statement needs more."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlglot
from sqlglot import exp

from etl_dagster import warehouse
from etl_dagster.connect import open_warehouse
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox import sidecar
from etl_dagster.settings import PROJECT
from etl_dagster.warehouse import retraction
from etl_dagster.warehouse.session import Warehouse
from etl_dagster_tests.warehouse.conftest import CHUNK, Tables
from etl_dagster_tests.warehouse.test_reading import overheard

SQL = Path(warehouse.__file__).parent / "sql"
GRANTS = (PROJECT / "docs" / "grants.sql").read_text(encoding="utf-8")
COMMENT = re.compile(r"--[^\n]*")
# What each kind of statement needs; who makes a table or a view owns it and may do the rest.
NEEDS = {
    "CREATE TABLE": "CREATE TABLE",
    "CREATE OR REPLACE VIEW": "CREATE VIEW",
    "CREATE OR REPLACE TEMPORARY TABLE": "USAGE",
    "CREATE DATABASE": "CREATE DATABASE",
    "CREATE SCHEMA": "CREATE SCHEMA",
    **dict.fromkeys(("ALTER", "INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "WITH"), "USAGE"),
    **dict.fromkeys(("USE", "SET", "BEGIN", "COMMIT", "ROLLBACK"), "USAGE"),
    **dict.fromkeys(("PUT", "COPY INTO", "REMOVE"), "USAGE"),  # of a table's own stage
}
NOT_ON_AN_ACCOUNT = {"CREATE DATABASE", "CREATE SCHEMA"}
"""What is made for the embedded server alone, and granted to nobody."""
VERBS = re.compile(
    r"(BEGIN|COMMIT|ROLLBACK)$|(ALTER|CALL|COMMENT|COPY|CREATE|DELETE|DESC|DESCRIBE|DROP|EXECUTE|GET"
    r"|GRANT|INSERT|LIST|LS|MERGE|PUT|REMOVE|REVOKE|RM|SELECT|SET|SHOW|TRUNCATE|UNDROP|UNSET|UPDATE"
    r"|USE|WITH) "
)
OTHER_DATABASES = {"sandbox", "dnc", "resilience"}
"""Folders whose statements are for DuckDB and SQLite."""
WRITTEN = re.compile(
    r"\b(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|ALTER TABLE|TABLE IF NOT EXISTS|VIEW)"
    r" ([\w.\"{}]+)"
)


def statements() -> list[str]:
    """All of ours, without comments, on one line each."""
    paths = [path for path in SQL.rglob("*.sql") if path.parent.name != "fragments"]
    texts = (COMMENT.sub("", path.read_text(encoding="utf-8")) for path in paths)
    return [" ".join(text.split()) for text in texts]


def in_code() -> Iterator[str]:
    """Statements that stand in modules: what is filled in is `{}`."""
    package = PROJECT / "etl_dagster"
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] in OTHER_DATABASES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [one.value if isinstance(one, ast.Constant) else "{}" for one in parts]
            text = "".join(map(str, texts)).strip()
            if VERBS.match(text):
                yield text


def kind_of(statement: str) -> str | None:
    """The kind of a statement that NEEDS knows, the longest that fits."""
    fitting = (kind for kind in NEEDS if re.match(rf"{kind}\b", statement))
    return max(fitting, key=len, default=None)


def granted(role: str) -> set[tuple[str, str]]:
    """Privileges of a role, and what they are on."""
    found = re.findall(rf"GRANT ([A-Z ]+) ON ([\w. ]+) TO ROLE {role};", GRANTS)
    return {(str(privilege), str(on)) for privilege, on in found}


def test_the_grants_are_sql_of_snowflake() -> None:
    texts = [text.strip() for text in COMMENT.sub("", GRANTS).split(";") if text.strip()]
    for text in texts:
        (parsed,) = sqlglot.parse(text, read="snowflake")
        # roles, and what is granted on all there are, sqlglot knows as commands alone
        known = not re.search(r"CREATE ROLE|GRANT ROLE| ON (ALL|FUTURE) ", text)
        assert isinstance(parsed, (exp.Grant, exp.Create) if known else exp.Command), text


def on_the_schema() -> set[str]:
    """What the program's role may do in its schema."""
    found = granted("LEAD_SCRUB")
    return {privilege for privilege, on in found if on == "SCHEMA SALES.LEAD_SCRUB"}


def test_every_statement_has_what_it_needs() -> None:
    privileges, kinds = on_the_schema(), set()
    for text in (*statements(), *in_code()):
        kind = kind_of(text)
        assert kind, f"no grant is known to be enough for: {text[:60]}"
        assert NEEDS[kind] in privileges or kind in NOT_ON_AN_ACCOUNT, text[:60]
        kinds.add(kind)
    assert kinds > NOT_ON_AN_ACCOUNT | {"PUT", "COPY INTO", "REMOVE", "USE", "BEGIN"}


def test_nothing_else_is_sent_to_an_account(
    warehouse: Warehouse, snowflake_server: sidecar.Sidecar
) -> None:
    with overheard(warehouse.config, snowflake_server) as (config, heard):
        opened = open_warehouse(config, chunks=1, world=None)
        with opened.session() as session:
            Tables(session).said("ccc", Verdict.CLEAR, 4075550100)
            retraction.retract(session, CHUNK, np.array([4075550100]))
            session.set_variables({"MOMENT": f"{datetime.now(UTC)}"})
        opened.close()
    sent = [" ".join(COMMENT.sub("", text).split()) for text in heard]
    kinds = {kind_of(text) for text in sent}
    assert {None, *NOT_ON_AN_ACCOUNT} & kinds == set()
    assert {"PUT", "COPY INTO", "REMOVE", "SET", "USE", "BEGIN", "COMMIT"} < kinds
    staged = [text for text in sent if re.match("PUT|COPY|REMOVE", text)]
    assert [text for text in staged if not re.search(r" @%\w+/", text)] == []


def test_nothing_is_written_outside_of_the_schema() -> None:
    names = [name for text in statements() for name in WRITTEN.findall(text)]
    assert len(names) > 30
    assert [name for name in names if "." in name] == []


def test_who_only_reads_is_granted_nothing_that_writes() -> None:
    given = granted("LEAD_SCRUB_READ")
    assert {privilege for privilege, _ in given} == {"USAGE", "SELECT"}
    for kind in ("ALL TABLES", "ALL VIEWS", "FUTURE TABLES", "FUTURE VIEWS"):
        assert ("SELECT", f"{kind} IN SCHEMA SALES.LEAD_SCRUB") in given
