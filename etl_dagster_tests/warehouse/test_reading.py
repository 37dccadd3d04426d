"""Who only reads needs no more than SELECT: what reaches Snowflake, statement by statement."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from etl_dagster.connect import open_warehouse
from etl_dagster.evidence import gathering
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.leads.policy import Policy
from etl_dagster.report import preview
from etl_dagster.sandbox import sidecar
from etl_dagster.settings import Settings
from etl_dagster.warehouse import export, heads, retention, verification
from etl_dagster.warehouse.errors import SchemaMissingError, StatementError
from etl_dagster.warehouse.session import Session, Warehouse, WarehouseConfig
from etl_dagster.warehouse.tables import (
    TABLES,
    VIEWS,
    TablesMissingError,
    create_tables,
    missing_tables,
)
from etl_dagster_tests.warehouse.conftest import DAY, NOW, Tables
from etl_dagster_tests.warehouse.wire import listening

TEMPORARY = re.compile(r"CREATE OR REPLACE TEMPORARY TABLE (\w+)")
CAMPAIGN = (
    "SELECT 'A' AS \"First Name\", 'B' AS \"Last Name\", '1 Main St' AS \"Address\", '1' AS \"Zip\""
)


def read_preview(session: Session, folder: Path) -> None:
    (folder / "walk_in.sql").write_text(CAMPAIGN, encoding="utf-8")
    session.execute(
        "CREATE OR REPLACE TEMPORARY TABLE CONTACTS AS SELECT '' AS first_name, '' AS last_name,"
        " '' AS address, '' AS zip, '' AS phone, '' AS email, 1 AS rank"
    )
    found = preview.preview_day(
        session,
        DAY,
        load_campaigns(folder),
        names=(),
        force=False,
        settings=Settings.from_environment({"ETL_CONTACTS_TABLE": "CONTACTS"}),
        policy=Policy.load(None),
        moment=NOW,
    )
    assert found.total.leads == 1


def read_plan(session: Session, _: Path) -> None:
    retention.plan(session, leads_days=60, ledger_days=1830, moment=NOW + timedelta(days=1))


READERS: dict[str, tuple[Collection[str], Callable[[Session, Path], object]]] = {
    "ledger verify": (verification.TABLES, lambda session, _: verification.verify(session)),
    "ledger heads": (heads.TABLES, lambda session, _: heads.read_heads(session, ledger="ours")),
    "exports": (["exports"], lambda session, _: export.exports(session, most=3)),
    "preview": (preview.TABLES, read_preview),
    "retention plan": (retention.RULES, read_plan),
    "sql": ((), lambda session, _: session.arrow_table("SELECT * FROM CALLABLE_NOW")),
}


@pytest.fixture
def shared_config(tables: Tables, tables_warehouse: Warehouse) -> WarehouseConfig:
    """Of a schema that has the tables, empty."""
    assert not tables.count("LEADS")
    return tables_warehouse.config


@contextmanager
def overheard(
    config: WarehouseConfig, server: sidecar.Sidecar
) -> Iterator[tuple[WarehouseConfig, list[str]]]:
    with listening(server) as (port, heard):
        yield replace(config, connection_args={**config.connection_args, "port": port}), heard


def writes(statement: str, temporary: Collection[str]) -> bool:
    """Whether a statement needs more than SELECT: it writes, but not to a temporary table."""
    text = re.sub(r"\A(\s*--[^\n]*\n)+", "", statement).strip()
    if TEMPORARY.match(text) or re.match(r"(SELECT|WITH|USE|SET)\b", text):
        return False
    into = re.match(r"INSERT INTO (\w+)", text)
    return not (into and into[1] in temporary)


@pytest.mark.parametrize("name", READERS)
def test_a_command_that_reads_sends_nothing_that_writes(
    name: str, shared_config: WarehouseConfig, snowflake_server: sidecar.Sidecar, tmp_path: Path
) -> None:
    reads, read = READERS[name]
    with overheard(shared_config, snowflake_server) as (config, heard):
        warehouse = open_warehouse(config, chunks=1, world=None, reads=reads)
        with warehouse.session() as session:
            read(session, tmp_path)
        warehouse.close()
    temporary = {match[1] for one in heard if (match := TEMPORARY.search(one))}
    assert heard
    assert [one for one in heard if writes(one, temporary)] == []
    assert bool(temporary) is (name == "preview")
    assert not temporary & {table.upper() for table in (*TABLES, *VIEWS)}


def test_who_writes_still_makes_what_is_missing(
    warehouse: Warehouse, snowflake_server: sidecar.Sidecar
) -> None:
    with overheard(warehouse.config, snowflake_server) as (config, heard):
        open_warehouse(config, chunks=1, world=None).close()
    assert len([one for one in heard if writes(one, ())]) >= len(TABLES) + len(VIEWS)


def test_what_is_missing_for_a_reader_is_named(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        create_tables(session, chunks=1)
        session.execute("DROP TABLE RETENTIONS")
    with pytest.raises(
        TablesMissingError, match=r"^RETENTIONS: not in this schema.*etl-dagster init.*grants USAGE"
    ):
        open_warehouse(warehouse.config, chunks=1, world=None, reads=verification.TABLES)
    seen = ["exports", "callable_now"]
    open_warehouse(warehouse.config, chunks=1, world=None, reads=seen).close()
    with warehouse.session() as session:
        assert missing_tables(session, [*TABLES, *VIEWS]) == ["RETENTIONS"]


@pytest.mark.parametrize(
    ("table", "column"), [("dnc_filtered", "DECIDED_AT"), ("exports", "CALL_DATE")]
)
def test_a_column_that_an_earlier_version_did_not_make_is_named(
    warehouse: Warehouse, table: str, column: str
) -> None:
    with warehouse.session() as session:
        create_tables(session, chunks=1)
        session.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    says = rf"^{table.upper()} has no column {column}: .*etl-dagster init"
    with pytest.raises(TablesMissingError, match=says):
        open_warehouse(warehouse.config, chunks=1, world=None, reads=gathering.TABLES)
    open_warehouse(warehouse.config, chunks=1, world=None, reads=verification.TABLES).close()
    open_warehouse(warehouse.config, chunks=1, world=None).close()  # for writing
    open_warehouse(warehouse.config, chunks=1, world=None, reads=gathering.TABLES).close()


@pytest.mark.parametrize("reads", [None, ["exports"], ()])
def test_a_schema_that_is_not_there_is_named_and_not_made(
    warehouse: Warehouse, reads: Collection[str] | None
) -> None:
    mistyped = replace(warehouse.config, schema=f"{warehouse.config.schema}S", role="ETL")
    for config in (mistyped, replace(mistyped, database="NO_SUCH_DATABASE")):
        place = f'"{config.database}"."{config.schema}"'
        with pytest.raises(SchemaMissingError) as caught:
            open_warehouse(config, chunks=1, world=None, reads=reads)
        for word in (
            f"no schema {config.schema} (SNOWFLAKE_SCHEMA)",
            f"{config.database} (SNOWFLAKE_DATABASE)",
            "the role ETL (SNOWFLAKE_ROLE)",
            f"CREATE SCHEMA {place}; ",
            "docs/grants.sql",
        ):
            assert word in str(caught.value)
        with warehouse.session() as session, pytest.raises(StatementError):
            session.execute(f"USE SCHEMA {place}")
