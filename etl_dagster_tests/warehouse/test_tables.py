import pytest

from etl_dagster.warehouse import export as exporting
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.tables import (
    TABLES,
    VIEWS,
    ChunksChangedError,
    columns,
    create_tables,
    differences,
)
from etl_dagster_tests.warehouse.conftest import Tables


def test_creating_twice_keeps_what_is_there(tables: Tables) -> None:
    tables.lead("0000", 4075550100)
    create_tables(tables.session, chunks=1)
    assert tables.count("LEADS") == 1


def test_a_decision_table_of_an_earlier_version_gets_the_column_that_it_lacks(
    warehouse: Warehouse,
) -> None:
    with warehouse.session() as session:
        create_tables(session, chunks=1)
        session.execute("ALTER TABLE DNC_FILTERED DROP COLUMN decided_at")
        create_tables(session, chunks=1)
        assert differences("dnc_filtered", columns(session, "dnc_filtered")) == []


def test_all_tables_and_views_can_be_read(tables: Tables) -> None:
    for name in (*TABLES, *VIEWS):
        assert tables.count(name) == 0
        assert len(columns(tables.session, name)) > 3


def test_columns_are_those_of_the_table(tables: Tables) -> None:
    found = {column.name: column.type for column in columns(tables.session, "leads")}
    assert found["PHONE_1"] == "NUMBER"
    assert found["ZIP"] == "TEXT"
    assert found["ATTRIBUTES"] == "VARIANT"


def test_only_tables_of_this_project_are_described(tables: Tables) -> None:
    with pytest.raises(ValueError, match="none of this project's tables"):
        columns(tables.session, "LEADS; DROP TABLE LEADS")


@pytest.mark.parametrize(("lead_id", "chunks", "moved"), [("000a", 2, False), ("000b", 2, True)])
def test_another_number_of_chunks_is_found_out(
    tables: Tables, lead_id: str, chunks: int, *, moved: bool
) -> None:
    tables.lead(lead_id)  # in chunk 0 of 1
    if not moved:
        create_tables(tables.session, chunks=chunks)
        return
    with pytest.raises(ChunksChangedError, match="ETL_CHUNKS=2"):
        create_tables(tables.session, chunks=chunks)


def test_a_table_of_exports_that_knew_no_hours_gets_their_day_and_keeps_its_rows(
    warehouse: Warehouse,
) -> None:
    with warehouse.session() as session:
        create_tables(session, chunks=1)
        session.execute("ALTER TABLE EXPORTS DROP COLUMN call_date")
        session.execute(
            "INSERT INTO EXPORTS SELECT 'e', SYSDATE(), NULL, 'c', 1, 1, 's', 'csv', 'f', 'p',"
            " 'l', '', 'b'"
        )
        assert differences("exports", columns(session, "exports"))
        for _ in range(2):
            create_tables(session, chunks=1)
            assert differences("exports", columns(session, "exports")) == []
        (record,) = exporting.exports(session, most=9)
        assert (record.export_id, record.exported_by, record.call_date) == ("e", "b", None)


def test_an_empty_schema_takes_any_number_of_chunks(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        for chunks in (1, 7, 1000):
            create_tables(session, chunks=chunks)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_as_it_is_made_differs_in_nothing(tables: Tables, table: str) -> None:
    assert differences(table, columns(tables.session, table)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE LEADS DROP COLUMN city", ["LEADS has no column CITY"]),
        ("ALTER TABLE LEADS ADD COLUMN hue VARCHAR", ["LEADS has a column HUE of nobody's"]),
        (
            "CREATE OR REPLACE TABLE LEADS AS SELECT * EXCLUDE (run_id), 1 AS run_id FROM LEADS",
            ["LEADS.RUN_ID is NUMBER, declared is TEXT"],
        ),
        (
            "CREATE OR REPLACE TABLE LEADS AS SELECT * EXCLUDE (lead_date), lead_date FROM LEADS",
            ["the columns of LEADS are in another order"],
        ),
    ],
)
def test_what_somebody_changed_in_a_table_is_named(
    warehouse: Warehouse, change: str, said: list[str]
) -> None:
    with warehouse.session() as session:
        create_tables(session, chunks=1)
        session.execute(change)
        assert differences("leads", columns(session, "leads")) == said
