"""The tables and views that this project writes, made if they are missing.

Belongs here: their order and what must hold between them and the settings. Does not: their
columns, which stand in `sql/tables/`.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.session import Column, Session
from etl_dagster.warehouse.statements import fragment, render, sql

TABLES: Final = (
    "leads",
    "phone_verdicts",
    "scrub_batches",
    "ccc_answers",
    "policies",
    "ccc_enriched",
    "dnc_filtered",
    "callable_leads",
    "exports",
    "retentions",
    "locks",
    "call_places",
    "call_windows",
)
ADDED: Final = (
    ("dnc_filtered", "DECIDED_AT", "alter_dnc_filtered"),
    ("exports", "CALL_DATE", "alter_exports"),
    ("ccc_enriched", "SOURCE", "alter_ccc_enriched"),
)
"""Columns that tables of earlier versions lack, each the last of its table, and what adds them."""
VIEWS: Final = (
    "latest_verdicts",
    "ccc_enriched_leads",
    "dnc_filtered_leads",
    "callable_now",
    "callable_within_hours",
)


_DECLARED: Final = re.compile(r"^ {4}([a-z_0-9]+) ([A-Z_]+)", re.MULTILINE)
_REPORTED: Final = {"VARCHAR": "TEXT"}
"""Types that Snowflake reports under another name than they are declared by."""


class ChunksChangedError(WarehouseError):
    """The stored leads were cut into another number of chunks than the settings say."""


class TablesMissingError(WarehouseError):
    """Tables to be read are not there, or this role may not see them."""


def create_tables(session: Session, *, chunks: int) -> None:
    """Create what is missing and check what is there; views are always made anew.

    A table that an earlier version made gets the column that it lacks; nothing else of it changes.

    Args:
        session: a session without an open transaction (DDL commits).
        chunks: the number of chunks a day is cut into.

    Raises:
        ChunksChangedError: LEADS holds leads in other chunks than `chunks` puts them in.
        WarehouseError: the warehouse refused.
    """
    for name in missing_tables(session, TABLES):  # mostly none: one statement for thirteen
        session.execute(sql(f"tables/{name.lower()}"))
    for table, column, statement in ADDED:
        if column not in {each.name for each in columns(session, table)}:
            session.execute(sql(statement))
    for name in VIEWS:
        session.execute(render(f"tables/{name}"))
    _check_chunks(session, chunks)


def need_tables(session: Session, names: Collection[str], *, chunks: int) -> None:
    """See to it that tables and views can be read; nothing is written.

    Args:
        session: any.
        names: of TABLES and VIEWS.
        chunks: the number of chunks a day is cut into, which is checked if LEADS are read.

    Raises:
        TablesMissingError: one is not there, or this role may not see it, or it lacks a column that
            a later version of this project added.
        ChunksChangedError: LEADS holds leads in other chunks than `chunks` puts them in.
    """
    if missing := missing_tables(session, names):
        raise TablesMissingError(
            f"{', '.join(missing)}: not in this schema, or not to be seen by this role. The role"
            " that writes the schema (SNOWFLAKE_SCHEMA) makes them with etl-dagster init; to only"
            " read, a role needs the grants USAGE on it and SELECT on them"
        )
    lacking = [
        f"{table.upper()} has no column {column}"
        for table, column, _ in ADDED
        if table in names and column not in {each.name for each in columns(session, table)}
    ]
    if lacking:
        raise TablesMissingError(
            f"{', '.join(lacking)}: an earlier version of this project made it. The role that owns"
            " the tables adds what they lack, and changes nothing else, with etl-dagster init"
        )
    if "leads" in names:
        _check_chunks(session, chunks)


def missing_tables(session: Session, names: Collection[str]) -> list[str]:
    """Those of these tables and views that are not there, or that this role may not see."""
    if not names:
        return []
    present = {str(name).upper() for (name,) in session.rows(sql("select_table_names"))}
    return [name.upper() for name in names if name.upper() not in present]


def _check_chunks(session: Session, chunks: int) -> None:
    bucket = fragment("chunk", lead_id="lead_id", chunks=chunks)
    if session.scalar(render("check_chunks", chunk=bucket)):
        raise ChunksChangedError(
            f"LEADS was written with another number of chunks than ETL_CHUNKS={chunks}: set it"
            " back, or start with an empty schema (SNOWFLAKE_SCHEMA)"
        )


def columns(session: Session, table: str) -> list[Column]:
    """The columns of one of the tables, in order."""
    if table.lower() not in {*TABLES, *VIEWS}:
        raise ValueError(f"{table} is none of this project's tables")
    return session.describe(f"SELECT * FROM {table}")  # noqa: S608  a name from the list above


def differences(table: str, found: Sequence[Column]) -> list[str]:
    """How a table differs from its declaration in `sql/tables/`, a sentence each.

    Args:
        table: one of TABLES.
        found: its columns, as `columns` returns them.
    """
    declared = {
        name.upper(): _REPORTED.get(kind, kind)
        for name, kind in _DECLARED.findall(sql(f"tables/{table}"))
    }
    present = {column.name: column.type for column in found}
    name = table.upper()
    wrong = [
        *(f"{name} has no column {one}" for one in declared if one not in present),
        *(f"{name} has a column {one} of nobody's" for one in present if one not in declared),
        *(
            f"{name}.{one} is {present[one]}, declared is {kind}"
            for one, kind in declared.items()
            if present.get(one, kind) != kind
        ),
    ]
    if present.keys() == declared.keys() and list(present) != list(declared):
        wrong.append(f"the columns of {name} are in another order")
    return wrong
