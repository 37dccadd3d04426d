"""docs/grants.sql gives what the program's statements need, and no statement needs more."""

import re
from pathlib import Path

import sqlglot
from sqlglot import exp

from etl_dagster import warehouse
from etl_dagster.settings import PROJECT

SQL = Path(warehouse.__file__).parent / "sql"
GRANTS = (PROJECT / "docs" / "grants.sql").read_text(encoding="utf-8")
COMMENT = re.compile(r"--[^\n]*")
# What each kind of statement needs; who makes a table or a view owns it and may do the rest.
NEEDS = {
    "CREATE TABLE": "CREATE TABLE",
    "CREATE OR REPLACE VIEW": "CREATE VIEW",
    "CREATE OR REPLACE TEMPORARY TABLE": "USAGE",
    **dict.fromkeys(("ALTER", "INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "WITH"), "USAGE"),
}
WRITTEN = re.compile(
    r"\b(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|ALTER TABLE|TABLE IF NOT EXISTS|VIEW)"
    r" ([\w.\"{}]+)"
)


def statements() -> list[str]:
    """All of ours, without comments, on one line each."""
    paths = [path for path in SQL.rglob("*.sql") if path.parent.name != "fragments"]
    texts = (COMMENT.sub("", path.read_text(encoding="utf-8")) for path in paths)
    return [" ".join(text.split()) for text in texts]


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


def test_every_statement_has_what_it_needs() -> None:
    privileges = {
        privilege for privilege, on in granted("LEAD_SCRUB") if on == "SCHEMA SALES.LEAD_SCRUB"
    }
    for text in statements():
        kind = next((kind for kind in NEEDS if text.startswith(kind)), None)
        assert kind, f"no grant is known to be enough for: {text[:60]}"
        assert NEEDS[kind] in privileges


def test_nothing_is_written_outside_of_the_schema() -> None:
    names = [name for text in statements() for name in WRITTEN.findall(text)]
    assert len(names) > 30
    assert [name for name in names if "." in name] == []


def test_who_only_reads_is_granted_nothing_that_writes() -> None:
    given = granted("LEAD_SCRUB_READ")
    assert {privilege for privilege, _ in given} == {"USAGE", "SELECT"}
    for kind in ("ALL TABLES", "ALL VIEWS", "FUTURE TABLES", "FUTURE VIEWS"):
        assert ("SELECT", f"{kind} IN SCHEMA SALES.LEAD_SCRUB") in given
