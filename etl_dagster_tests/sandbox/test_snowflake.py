"""The embedded Snowflake as a process: it keeps what was committed, and cleans up after itself."""

import hashlib
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import MEMORY_LIMIT, NAME, THREADS
from etl_dagster.warehouse.errors import StatementError, WarehouseError
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig
from etl_dagster_tests.embedded import LONG, following, kill
from etl_dagster_tests.together import at_once


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a server started by the test puts what it calls temporary."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    sidecar.stop(NAME, tmp_path / "home")


@pytest.fixture
def own(home: Path, warehouse_config: WarehouseConfig) -> Iterator[Warehouse]:
    """A warehouse on a server that the test may kill; it follows the server's successors."""

    warehouse = following(home, warehouse_config)
    warehouse.ensure_schema()
    yield warehouse
    warehouse.close()


def test_what_was_committed_outlives_a_kill(home: Path, own: Warehouse) -> None:
    with own.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(10, 0), b VARCHAR, at TIMESTAMP_NTZ)")
        session.execute("CREATE VIEW V AS SELECT a FROM T WHERE b IS NOT NULL")
        session.execute("CREATE DATABASE IF NOT EXISTS OTHER")
        session.execute("CREATE SCHEMA IF NOT EXISTS OTHER.SIDE")
        session.execute("CREATE TABLE OTHER.SIDE.T (a NUMBER(10, 0))")
        session.execute("INSERT INTO OTHER.SIDE.T VALUES (7)")
        place = f"{own.config.database}.{own.config.schema}"
        session.execute(f"USE SCHEMA {place}")
        session.load("T", pa.table({"a": range(1000), "b": ["x"] * 1000}))
        with pytest.raises(WarehouseError), session.transaction():  # noqa: PT012
            session.execute("DELETE FROM T")
            kill(home)
            session.execute("INSERT INTO T (a) VALUES (-1)")
    with own.session() as session:
        assert session.row("SELECT COUNT(*), MIN(a), SUM(a) FROM T") == (1000, 0, 499_500)
        assert session.scalar("SELECT COUNT(*) FROM V") == 1000
        assert session.scalar("SELECT a FROM OTHER.SIDE.T") == 7


def test_every_commit_that_was_confirmed_is_kept(home: Path, own: Warehouse) -> None:
    """Killed in the middle of a stream of commits, twice."""
    confirmed: list[int] = []
    with own.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(10, 0), part NUMBER(1, 0))")
    for start in (0, 1000):
        with pytest.raises(WarehouseError), own.session() as session:  # noqa: PT012
            for number in range(start, start + 1000):
                if number == start + 10:
                    threading.Timer(0.05, kill, [home]).start()
                with session.transaction():
                    session.execute("INSERT INTO T VALUES (%s, 1)", [number])
                    session.execute("INSERT INTO T VALUES (%s, 2)", [number])
                confirmed.append(number)
        with own.session() as session:
            rows = session.rows("SELECT a, COUNT(*) FROM T GROUP BY a")
        assert all(count == 2 for _, count in rows)
        kept = {number for number, _ in rows}
        assert kept >= set(confirmed)
        assert len(kept - set(confirmed)) <= (start // 1000) + 1  # one in flight a kill
    assert len(confirmed) >= 20


def test_stopping_keeps_the_data_and_nothing_else(
    temporary: Path, home: Path, own: Warehouse
) -> None:
    with own.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(10, 0))")
        session.load("T", pa.table({"a": [1]}))
    assert sidecar.stop(NAME, home)
    names = {path.name for path in (home / NAME).iterdir()}
    assert names == {"data", "lock", "server.log"}
    assert not list(temporary.iterdir())
    with own.session() as session:
        assert session.scalar("SELECT COUNT(*) FROM T") == 1


def test_stopping_does_not_wait_for_a_long_statement(home: Path, own: Warehouse) -> None:
    lost: list[str] = []

    def work() -> None:
        with own.session() as session:
            try:
                session.scalar(LONG)
            except WarehouseError as error:
                lost.append(type(error).__name__)

    with own.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    before = time.monotonic()
    assert sidecar.stop(NAME, home)
    assert time.monotonic() - before < 9  # before it would be killed
    thread.join(10)
    assert len(lost) == 1
    with own.session() as session:
        assert session.scalar("SELECT COUNT(*) FROM T") == 0


def test_its_folder_is_private_and_its_log_says_nothing_of_data(home: Path, own: Warehouse) -> None:
    with own.session() as session:
        session.execute("CREATE TABLE T (phone VARCHAR)")
        session.execute("INSERT INTO T VALUES ('202-555-0142 Ann')")
        for statement in (
            "SELECT phone::NUMBER(10, 0) FROM T",
            "SELECT '202-555-0142 Ann'::NUMBER(10, 0)",
            "SELEKT '202-555-0142 Ann'",
            "SELECT [1]::INT, '202-555-0142 Ann'",
            "UNDROP TABLE x -- 202-555-0142 Ann",
        ):
            with pytest.raises(StatementError):
                session.rows(statement)
    log = (home / NAME / "server.log").read_text()
    assert "0142" not in log
    assert "Ann" not in log
    assert stat.S_IMODE((home / NAME).stat().st_mode) == 0o700


def test_many_processes_may_set_up_the_same_things_at_once(warehouse: Warehouse) -> None:
    shared = replace(warehouse.config, database="SET_UP_AT_ONCE", schema="SHARED")

    def set_up(_: int) -> None:
        mine = Warehouse(shared)
        mine.ensure_schema()
        with mine.session() as session:
            session.execute("CREATE TABLE IF NOT EXISTS T (a NUMBER(10, 0), b VARCHAR(64))")
            session.execute("CREATE OR REPLACE VIEW V AS SELECT a FROM T")
            session.execute("INSERT INTO T VALUES (1, 'x')")
        mine.close()

    at_once(set_up, range(8))
    with warehouse.session() as session:
        assert session.scalar("SELECT COUNT(*) FROM SET_UP_AT_ONCE.SHARED.V") == 8


def test_sessions_make_temporary_tables_of_one_name_at_once(warehouse: Warehouse) -> None:
    """Each its own; fakesnow notes the columns of both under one key."""
    made = "-- A chunk's.\nCREATE OR REPLACE TEMPORARY TABLE MINE (a NUMBER(10, 0), b VARCHAR)"
    together = threading.Barrier(4)

    def work(number: int) -> int:
        with warehouse.session() as session:
            for _ in range(25):
                together.wait(timeout=60)
                session.execute(made)
                session.execute("INSERT INTO MINE VALUES (%s, 'x')", [number])
            return int(session.scalar("SELECT SUM(a) FROM MINE"))

    assert at_once(work, range(4)) == [0, 1, 2, 3]


def test_limits_are_set(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        query = "SELECT CURRENT_SETTING('threads')::INT, CURRENT_SETTING('memory_limit')"
        threads, memory = session.row(query) or (0, "")
    assert threads == THREADS
    assert memory.startswith("3.7")  # GiB
    assert MEMORY_LIMIT == "4GB"


# SQL that campaigns and the project's own statements rely on


def test_buckets_of_a_hash_are_what_python_says(warehouse: Warehouse) -> None:
    """No engine's own HASH: the text of SHA2, its first digits by their place in the alphabet."""
    digits = "'0123456789abcdef'"
    value = " + ".join(
        f"(POSITION(SUBSTR(h, {i + 1}, 1), {digits}) - 1) * {16 ** (3 - i)}" for i in range(4)
    )
    query = f"""
        SELECT n, h, MOD({value}, 7)
        FROM (SELECT n, SHA2(n::VARCHAR, 256) AS h
              FROM (SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n
                    FROM TABLE(GENERATOR(ROWCOUNT => 500))))
    """
    with warehouse.session() as session:
        for number, found, bucket in session.rows(query):
            wanted = hashlib.sha256(str(number).encode()).hexdigest()
            assert found == wanted
            assert bucket == int(wanted[:4], 16) % 7


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        # Implicitly anchored, as on Snowflake
        ("REGEXP_LIKE('abc', 'b')", False),
        ("REGEXP_LIKE('abc', '.*b.*')", True),
        ("REGEXP_LIKE('ABC', 'abc', 'i')", True),
        ("'abc' RLIKE 'b'", False),
        ("REGEXP_SUBSTR('ab12345-6789', '[[:digit:]]+')", "12345"),
        ("REGEXP_SUBSTR('abc', '[0-9]+')", None),
        ("REGEXP_REPLACE('(555) 555-0142', '[^0-9]', '')", "5555550142"),
        ("REGEXP_REPLACE('a.b$', '[.$]')", "ab"),
        ("TRY_TO_NUMBER('12')", 12),
        ("TRY_TO_NUMBER('x')", None),
        ("INITCAP('ANN MARY-LOU o''neil')", "Ann Mary-Lou O'neil"),
        ("SPLIT_PART('a b c', ' ', -1)", "c"),
        ("SPLIT_PART('a', ' ', 3)", ""),
        ("'Abc' ILIKE 'aB%'", True),
        ("IFF(1 > 2, 'a', 'b')", "b"),
        ("NVL(NULL, 'x')", "x"),
        ("LPAD('501', 5, '0')", "00501"),
        ("LEFT('abc', 2) || RIGHT('abc', 1)", "abc"),
        ("'00501'::NUMBER(10, 0)", 501),
        ("12.7::NUMBER(10, 0)", 13),
        ("DATEDIFF(day, '2026-01-01'::DATE, '2026-01-08'::DATE)", 7),
        ("DATEDIFF(month, '2026-01-31'::DATE, '2026-02-01'::DATE)", 1),
        ("TO_VARCHAR('2026-01-02'::DATE, 'YYYY-MM-DD')", "2026-01-02"),
        ("TO_VARCHAR(1.50::NUMBER(10, 2))", "1.50"),
        ("GREATEST(1, NULL)", None),
        ("LEAST('b', 'a')", "a"),
        ("SYSDATE() > '2020-01-01'::TIMESTAMP_NTZ", True),
        ("CONCAT('a', NULL)", None),
        ("NULLIF(TRIM('  '), '')", None),
        ('PARSE_JSON(\'{"a": {"b": [1, 2]}}\'):a.b[1]::INT', 2),
    ],
)
def test_functions_answer_as_snowflake_does(
    warehouse: Warehouse, expression: str, wanted: object
) -> None:
    with warehouse.session() as session:
        assert session.scalar(f"SELECT {expression}") == wanted


def test_queries_answer_as_snowflake_does(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute('CREATE TABLE T (g NUMBER(3, 0), s VARCHAR, "Mixed Case" VARCHAR)')
        session.execute("INSERT INTO T VALUES (1, 'b', 'x'), (1, 'a', NULL), (2, 'c', 'y')")
        for query, wanted in {
            "SELECT g, LISTAGG(s, ',') WITHIN GROUP (ORDER BY s) FROM T GROUP BY g ORDER BY g": [
                (1, "a,b"),
                (2, "c"),
            ],
            "SELECT s FROM T QUALIFY ROW_NUMBER() OVER (PARTITION BY g ORDER BY s) = 2": [("b",)],
            'SELECT q."Mixed Case" FROM (SELECT "Mixed Case" FROM T) AS q ORDER BY 1': [
                ("x",),
                ("y",),
                (None,),
            ],
            'SELECT * EXCLUDE ("Mixed Case", g) FROM T ORDER BY s': [("a",), ("b",), ("c",)],
            "WITH a AS (SELECT g FROM T) SELECT DISTINCT g FROM a ORDER BY g DESC": [(2,), (1,)],
            "SELECT g FROM T AS t WHERE NOT EXISTS (SELECT 1 FROM T AS u WHERE u.g = t.g + 1)": [
                (2,)
            ],
        }.items():
            assert session.rows(query) == wanted
        assert session.execute("DELETE FROM T USING (SELECT 2 AS g) AS d WHERE T.g = d.g") == 1
        session.execute("INSERT INTO T (g) WITH a AS (SELECT 5 AS g) SELECT g FROM a")
        columns = session.rows(
            "SELECT column_name, data_type FROM INFORMATION_SCHEMA.COLUMNS "
            "WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'T' ORDER BY ordinal_position"
        )
        assert columns == [("G", "NUMBER"), ("S", "TEXT"), ("Mixed Case", "TEXT")]
        tables = session.rows(
            "SELECT table_name FROM INFORMATION_SCHEMA.TABLES WHERE table_schema = CURRENT_SCHEMA()"
        )
        assert tables == [("T",)]
