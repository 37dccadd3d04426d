"""Sessions against the embedded Snowflake, through the real connector."""

import contextlib
import decimal
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.warehouse import loading
from etl_dagster.warehouse.errors import (
    LoadMismatchError,
    StatementError,
    WarehouseMisuseError,
    WarehouseUnreachableError,
    translated,
)
from etl_dagster.warehouse.session import Column, Session, Statement, Warehouse, WarehouseConfig
from etl_dagster.warehouse.statements import commits, name_of, sql
from etl_dagster_tests.embedded import LONG, following, kill
from etl_dagster_tests.together import at_once

# Real input on which nothing may depend: any text a column may hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
PER_CONNECTION = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class TerminatedError(BaseException):
    """Raised by a signal, as when a run is terminated."""


@contextlib.contextmanager
def terminated_after(seconds: float) -> Iterator[None]:
    def handler(_number: int, _frame: object) -> None:
        raise TerminatedError

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    with warehouse.session() as lent:
        yield lent


# Reading


def test_rows_row_and_scalar(session: Session) -> None:
    assert session.rows("SELECT column1, column2 FROM VALUES (1, 'a'), (2, NULL) ORDER BY 1") == [
        (1, "a"),
        (2, None),
    ]
    assert session.row("SELECT 1, 2") == (1, 2)
    assert session.row("SELECT 1 WHERE FALSE") is None
    assert session.scalar("SELECT 'x'") == "x"
    assert session.scalar("SELECT 1 WHERE FALSE") is None
    with pytest.raises(WarehouseMisuseError, match="2 rows"):
        session.row("SELECT 1 UNION ALL SELECT 2")
    with pytest.raises(WarehouseMisuseError, match="2 columns"):
        session.scalar("SELECT 1, 2")


def test_execute_counts_the_rows_it_changed(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0), b VARCHAR)")
    assert session.execute("INSERT INTO T VALUES (1, 'x'), (2, 'y'), (3, 'z')") == 3
    assert session.execute("UPDATE T SET b = 'w' WHERE a > 1") == 2
    assert session.execute("DELETE FROM T WHERE a = 1") == 1
    assert session.execute("DELETE FROM T WHERE a = 1") == 0


def test_moments_come_back_as_aware_utc(session: Session) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    local = moment.astimezone(timezone(timedelta(hours=-7)))
    session.execute("CREATE TABLE T (at TIMESTAMP_NTZ, d DATE)")
    session.execute("INSERT INTO T VALUES (%s, %s)", [local, date(2026, 1, 2)])
    session.execute("INSERT INTO T VALUES (NULL, NULL)")
    assert session.rows("SELECT at, d FROM T ORDER BY at NULLS LAST") == [
        (moment, date(2026, 1, 2)),
        (None, None),
    ]
    assert session.scalar("SELECT COUNT(*) FROM T WHERE at <= %(at)s", {"at": moment}) == 1
    with pytest.raises(WarehouseMisuseError, match="time zone"):
        session.execute("INSERT INTO T VALUES (%s, NULL)", [moment.replace(tzinfo=None)])


def test_percent_signs_need_no_care_without_parameters(session: Session) -> None:
    assert session.scalar("SELECT 'a%b' LIKE 'a%' AND '5% (%s)' = '5% (%s)'") is True
    assert session.scalar("SELECT 'a%%b' LIKE %(p)s || '%%'", {"p": "a"}) is True


@PER_CONNECTION
@given(text=TEXT, number=st.integers(-(10**18), 10**18))
def test_parameters_and_variables_arrive_unchanged(
    session: Session, text: str, number: int
) -> None:
    query = "SELECT %(text)s, %(number)s"
    assert session.row(query, {"text": text, "number": number}) == (text, number)
    session.set_variables({"SOME_TEXT": text})
    assert session.row("SELECT $SOME_TEXT, $some_text, '$SOME_TEXT' -- $NONE") == (
        text,
        text,
        "$SOME_TEXT",
    )


def test_variables_are_short_and_have_plain_names(session: Session) -> None:
    session.set_variables({"LONGEST": "x" * 256})
    assert session.scalar("SELECT LENGTH($LONGEST)") == 256
    for name in ("a b", "1a", "a;b", ""):
        with pytest.raises(WarehouseMisuseError, match="name"):
            session.set_variables({name: "1"})
    with pytest.raises(WarehouseMisuseError, match="256"):
        session.set_variables({"LONG": "x" * 257})


def test_describe_names_types_without_running(session: Session) -> None:
    session.execute(
        'CREATE TABLE T (n NUMBER(10, 0), "First Name" VARCHAR, d DATE, at TIMESTAMP_NTZ, '
        "money NUMBER(12, 2), x FLOAT, v VARIANT, b BOOLEAN)"
    )
    assert session.describe("SELECT * FROM T -- none") == [
        Column("N", "NUMBER", 10, 0),
        Column("First Name", "TEXT", None, None),
        Column("D", "DATE", None, None),
        Column("AT", "TIMESTAMP_NTZ", None, None),
        Column("MONEY", "NUMBER", 12, 2),
        Column("X", "REAL", None, None),
        Column("V", "VARIANT", None, None),
        Column("B", "BOOLEAN", None, None),
    ]
    before = time.monotonic()
    assert [c.type for c in session.describe(LONG)] == ["NUMBER"]
    assert time.monotonic() - before < 2


# Arrow, loading

SCHEMA = pa.schema(
    {
        "PHONE": pa.int64(),
        "NOTE": pa.string(),
        "AT": pa.timestamp("us"),
        "DAY": pa.date32(),
        "MONEY": pa.decimal128(12, 2),
        "YES": pa.bool_(),
    }
)
TABLE = """CREATE OR REPLACE TABLE LOADED (
    phone NUMBER(10, 0), note VARCHAR, at TIMESTAMP_NTZ, day DATE, money NUMBER(12, 2), yes BOOLEAN
)"""
ROW = st.fixed_dictionaries(
    {
        "PHONE": st.none() | st.integers(0, 10**10 - 1),
        "NOTE": st.none() | TEXT,
        "AT": st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
        "DAY": st.none() | st.dates(date(1, 1, 2)),
        "MONEY": st.none() | st.decimals(-(10**9), 10**9, places=2),
        "YES": st.none() | st.booleans(),
    }
)


@PER_CONNECTION
@given(rows=st.lists(ROW, max_size=5))
def test_what_is_loaded_is_what_is_read(session: Session, rows: list[dict[str, Any]]) -> None:
    data = pa.Table.from_pylist(rows, SCHEMA)
    session.execute(TABLE)
    assert session.load("LOADED", data) == len(rows)
    stored = session.arrow_table("SELECT * FROM LOADED")
    assert stored.schema == SCHEMA
    order = [(name, "ascending") for name in SCHEMA.names]
    assert stored.sort_by(order).to_pylist() == data.sort_by(order).to_pylist()


def test_results_arrive_in_batches_of_one_type(session: Session) -> None:
    """The first chunk's numbers would fit into a byte, the last one's into nothing small."""
    query = """
        SELECT (n * n * n)::NUMBER(38, 0) AS cube, NULLIF(n, 7)::VARCHAR AS text
        FROM (SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n FROM TABLE(GENERATOR(ROWCOUNT => 250000)))
        ORDER BY n
    """
    batches = list(session.arrow(query))
    assert len(batches) > 2
    assert max(b.num_rows for b in batches) < 250_000
    wanted = pa.schema({"CUBE": pa.int64(), "TEXT": pa.string()})
    assert all(batch.schema == wanted for batch in batches)
    table = pa.Table.from_batches(batches)
    assert table.num_rows == 250_000
    assert table["CUBE"][-1].as_py() == 250_000**3
    assert table["TEXT"].null_count == 1


def test_an_empty_result_has_its_schema(session: Session) -> None:
    table = session.arrow_table("SELECT 1::NUMBER(10, 0) AS a, 'x' AS b WHERE FALSE")
    assert table.schema == pa.schema({"A": pa.int64(), "B": pa.string()})
    assert table.num_rows == 0


def test_loading_leaves_nothing_behind(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    session.execute("CREATE TABLE T (a NUMBER(10, 0), b VARCHAR)")
    data = pa.table({"b": ["x", "y"], "A": [1, None]})
    assert session.load("t", data) == 2
    assert session.load("T", data.select(["A"])) == 2
    database, schema = session.row("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") or ("", "")
    assert session.load(f"{database}.{schema}.T", data) == 2
    assert session.rows("SELECT a, b FROM T WHERE b IS NULL ORDER BY a") == [
        (1, None),
        (None, None),
    ]
    assert session.scalar("SELECT COUNT(*) FROM T") == 6
    assert session.rows("LIST @%T") == []
    assert not list(tmp_path.iterdir())


def test_temporary_tables_can_be_loaded(session: Session) -> None:
    session.execute("CREATE TEMPORARY TABLE T (a NUMBER(10, 0))")
    assert session.load("T", pa.table({"a": [1, 2]})) == 2


def test_a_load_is_all_or_nothing(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(3, 0) NOT NULL)")
    session.execute("INSERT INTO T VALUES (1)")
    with pytest.raises(StatementError):
        session.load("T", pa.table({"a": [2, None]}))
    with pytest.raises(StatementError):
        session.load("T", pa.table({"a": ["3", "many"]}))
    with session.transaction():
        session.load("T", pa.table({"a": [4]}))
    with pytest.raises(ZeroDivisionError), session.transaction():  # noqa: PT012
        session.load("T", pa.table({"a": [5]}))
        raise ZeroDivisionError
    assert session.rows("SELECT a FROM T ORDER BY a") == [(1,), (4,)]
    assert session.rows("LIST @%T") == []


def test_a_load_that_would_drop_a_column_is_refused(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(3, 0))")
    with pytest.raises(WarehouseMisuseError, match="no column verdcit"):
        session.load("T", pa.table({"a": [1], "verdcit": ["CLEAR"]}))
    for name in ("T; DROP TABLE T", "T/x", "@T", "", '"T"'):
        with pytest.raises(WarehouseMisuseError, match="plain name of a table"):
            session.load(name, pa.table({"a": [1]}))
    assert session.scalar("SELECT COUNT(*) FROM T") == 0


def test_a_load_knows_the_columns_that_a_table_has_now(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    session.load("T", pa.table({"a": [1]}))
    with pytest.raises(WarehouseMisuseError, match="no column b"):
        session.load("T", pa.table({"a": [2], "b": ["two"]}))
    session.execute("ALTER TABLE T ADD COLUMN b VARCHAR")
    session.load("T", pa.table({"a": [2], "b": ["two"]}))
    session.execute("CREATE OR REPLACE TABLE T (b VARCHAR)")
    with pytest.raises(WarehouseMisuseError, match="no column a"):
        session.load("T", pa.table({"a": [3], "b": ["three"]}))


class ForgetfulSession:
    """Answers as Snowflake would that stored one row less than it was sent."""

    broken = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def columns_of(self, _table: str) -> frozenset[str]:
        return frozenset({"A"})

    def remove_afterwards(self, _path: str) -> None:
        self.seen.append("REMOVE")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        self.seen.append(sql.split(maxsplit=1)[0])
        return [("part.parquet", "LOADED", 2, 1)] if sql.startswith("COPY") else []


def test_a_load_that_stores_other_than_was_sent_is_an_error() -> None:
    forgetful = ForgetfulSession()
    with pytest.raises(LoadMismatchError, match="2 rows sent, 1 stored"):
        loading.load(cast("Session", forgetful), "T", pa.table({"a": [1, 2]}))
    assert forgetful.seen == ["REMOVE", "PUT", "COPY"]


# Transactions


def test_a_transaction_is_kept_or_undone(session: Session, warehouse: Warehouse) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    with session.transaction():
        session.execute("INSERT INTO T VALUES (1)")
        with warehouse.session() as other:
            assert other.scalar("SELECT COUNT(*) FROM T") == 0
    assert session.scalar("SELECT COUNT(*) FROM T") == 1
    with pytest.raises(KeyboardInterrupt), session.transaction():  # noqa: PT012
        session.execute("DELETE FROM T")
        raise KeyboardInterrupt
    assert session.scalar("SELECT COUNT(*) FROM T") == 1


def test_a_failed_statement_undoes_its_transaction(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0) NOT NULL)")
    with pytest.raises(StatementError), session.transaction():  # noqa: PT012
        session.execute("INSERT INTO T VALUES (1)")
        session.execute("INSERT INTO T VALUES (NULL)")
    assert session.scalar("SELECT COUNT(*) FROM T") == 0


def test_transactions_do_not_nest(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    with pytest.raises(WarehouseMisuseError, match="nest"), session.transaction():  # noqa: PT012
        session.execute("INSERT INTO T VALUES (1)")
        with session.transaction():
            pytest.fail("not reached")
    assert session.scalar("SELECT COUNT(*) FROM T") == 0
    with session.transaction():
        session.execute("INSERT INTO T VALUES (1)")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE U (a NUMBER(10, 0))",
        "  -- why\n/* and how */ create or replace temporary table U (a NUMBER(10, 0))",
        "TRUNCATE TABLE T",
        "ALTER TABLE T ADD COLUMN b VARCHAR",
        "DROP TABLE T",
    ],
)
def test_what_would_commit_is_refused_in_a_transaction(session: Session, statement: str) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    with pytest.raises(WarehouseMisuseError, match="commit"), session.transaction():  # noqa: PT012
        session.execute("INSERT INTO T VALUES (1)")
        session.execute(statement)
    assert session.scalar("SELECT COUNT(*) FROM T") == 0


@pytest.mark.parametrize("statement", ["BEGIN", "begin transaction", "COMMIT", "-- x\nROLLBACK"])
def test_transactions_have_one_door(session: Session, statement: str) -> None:
    with pytest.raises(WarehouseMisuseError, match="transaction"):
        session.execute(statement)


# Interruption, loss


def test_an_interrupted_statement_is_cancelled_at_once(session: Session) -> None:
    session.execute("CREATE TABLE T (a NUMBER(10, 0))")
    before = time.monotonic()
    with pytest.raises(TerminatedError), terminated_after(1.0), session.transaction():  # noqa: PT012
        session.execute("INSERT INTO T VALUES (1)")
        session.scalar(LONG)
    assert time.monotonic() - before < 3
    assert not session.broken
    assert session.scalar("SELECT COUNT(*) FROM T") == 0  # the same connection still works


def test_only_the_interrupted_statement_is_cancelled(warehouse: Warehouse) -> None:
    results: list[int] = []
    moderate = "SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 3000000)) WHERE RANDOM() <> 0"

    def work() -> None:
        with warehouse.session() as other:
            results.extend(other.scalar(moderate) for _ in range(3))

    thread = threading.Thread(target=work)
    thread.start()
    with warehouse.session() as lent, pytest.raises(TerminatedError), terminated_after(0.3):
        lent.scalar(LONG)
    thread.join()
    assert len(results) == 3


def test_statements_have_a_time_limit(warehouse_config: WarehouseConfig) -> None:
    limited = Warehouse(replace(warehouse_config, statement_timeout_seconds=1))
    before = time.monotonic()
    with limited.session() as lent:
        with pytest.raises(StatementError) as caught:
            lent.scalar(LONG)
        assert caught.value.number == 630
        assert lent.scalar("SELECT 1") == 1
    assert time.monotonic() - before < 5
    limited.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Path]:
    """The home of a server that may be killed."""
    start_snowflake(tmp_path)
    yield tmp_path
    sidecar.stop(NAME, tmp_path)


def test_a_lost_server_is_noticed_and_its_successor_found(
    own_server: Path, warehouse_config: WarehouseConfig
) -> None:
    warehouse = following(own_server, warehouse_config)
    warehouse.ensure_schema()
    with warehouse.session() as lent:
        lent.execute("CREATE TABLE T (a NUMBER(10, 0))")
        lent.execute("INSERT INTO T VALUES (1)")
        threading.Timer(0.5, kill, [own_server]).start()
        before = time.monotonic()
        with pytest.raises(WarehouseUnreachableError), lent.transaction():  # noqa: PT012
            lent.execute("INSERT INTO T VALUES (2)")
            lent.scalar(LONG)
        assert time.monotonic() - before < 10
        with pytest.raises(WarehouseUnreachableError, match="borrow a new"):
            lent.scalar("SELECT 1")
    with warehouse.session() as lent:
        assert lent.rows("SELECT a FROM T") == [(1,)]
    kill(own_server)  # between two sessions: a pooled connection that leads nowhere
    with warehouse.session() as lent:
        assert lent.rows("SELECT a FROM T") == [(1,)]
    warehouse.close()


def test_an_unreachable_server_is_an_error_soon(warehouse_config: WarehouseConfig) -> None:
    nowhere = replace(
        warehouse_config,
        connection_args={"host": "127.0.0.1", "port": 9, "protocol": "http"},
        login_timeout=2,
    )
    before = time.monotonic()
    with pytest.raises(WarehouseUnreachableError), Warehouse(nowhere).session():
        pytest.fail("not reached")
    assert time.monotonic() - before < 15


# Errors


def test_errors_name_the_statement_and_no_value(session: Session) -> None:
    session.execute("CREATE TABLE T (phone VARCHAR)")
    session.execute("INSERT INTO T VALUES ('555-555-0142 Ann')")
    statement = Statement("SELECT phone::NUMBER(10, 0) FROM T", "select_phones")
    with pytest.raises(StatementError) as caught:
        session.rows(statement)
    text = "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith("select_phones: ")
    assert "0142" not in text
    assert "Ann" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", ["NUMBER", "DATE", "TIMESTAMP_NTZ"])
def test_errors_name_no_value_that_has_an_apostrophe(session: Session, kind: str) -> None:
    session.execute("CREATE TABLE T (owner VARCHAR)")
    session.execute("INSERT INTO T VALUES ('12 O''Connell St, Apt B, of \"Pat\" O''Brien')")
    with pytest.raises(StatementError, match=re.escape("'***'")) as caught:
        session.rows(f"SELECT owner::{kind} FROM T")
    said = str(caught.value)
    assert not [part for part in ("Connell", "Apt B", "Pat", "Brien") if part in said]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Numeric value 'Ann' is not recognized", "Numeric value '***' is not recognized"),
        ("Numeric value 'Pat O'Brien' is not", "Numeric value '***' is not"),
        ("value 'O'Brien', 'O'Neil', of \nAnn's' is", "value '***' is"),
        ('variant value "Pat O\'Hara" to FIXED', "variant value '***' to FIXED"),
        ("String 'Pat Ha", "String '***'"),
        ("no quote", "no quote"),
    ],
)
def test_what_is_quoted_is_masked_whatever_quotes_are_in_it(said: str, told: str) -> None:
    found = translated(ProgrammingError(msg=said, errno=100038), "load")
    assert str(found) == f"load: {told} (number 100038, SQLSTATE n/a)"


def test_errors_of_compilation_keep_the_names_they_are_about(session: Session) -> None:
    with pytest.raises(StatementError, match="NO_SUCH_TABLE") as caught:
        session.rows("SELECT * FROM NO_SUCH_TABLE")
    assert caught.value.number == 2003
    assert "SQLSTATE 42S02" in str(caught.value)
    with pytest.raises(StatementError, match="SELECT NO_SUCH_COLUMN"):
        session.rows("SELECT NO_SUCH_COLUMN FROM (SELECT 1 AS a)")


@given(
    phone=st.from_regex(r"\(?[2-9]\d\d[) .-]{0,2}555[ .-]?01\d\d", fullmatch=True),
    frame=st.sampled_from(
        [
            "Numeric value '{}' is not recognized",
            'Duplicate key "PHONE: {}" violates',
            "Duplicate row detected during DML action\nRow Values: [{}, 1]",
            "bad value {} in row",
            "SQL compilation error:\nNumeric value '{}' is not recognized",
        ]
    ),
)
def test_no_phone_survives_in_a_message(phone: str, frame: str) -> None:
    said = str(translated(ProgrammingError(msg=frame.format(phone), errno=100038), "load"))
    assert phone not in said
    assert phone[-4:] not in said
    assert "100038" in said


def test_names_of_statements() -> None:
    assert name_of(Statement("SELECT 1", "tables/leads")) == "tables/leads"
    assert name_of("-- why\n  create or replace table x (a int)") == "CREATE OR"
    assert name_of("/* a */ // b\nSELECT '555'") == "SELECT"
    assert name_of("  ") == "empty statement"
    assert not commits("SELECT 1 -- CREATE")
    assert not commits("with a as (select 1) insert into t select * from a")


@pytest.mark.parametrize("name", ["../errors", "Leads", "", "a//b", "/etc/passwd"])
def test_statements_come_from_their_folder_only(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        sql(name)
    with pytest.raises(FileNotFoundError):
        sql("no_such_statement")


# The warehouse


def test_a_schema_is_made_once(warehouse_config: WarehouseConfig) -> None:
    warehouse = Warehouse(replace(warehouse_config, database="ETL_OTHER_TEST"))
    for _ in range(2):
        warehouse.ensure_schema()
    with warehouse.session() as lent:
        lent.execute("CREATE TABLE T (a NUMBER(10, 0))")
        place = lent.row("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()")
        assert place == ("ETL_OTHER_TEST", warehouse_config.schema)
    warehouse.ensure_schema()
    with warehouse.session() as lent:
        assert lent.scalar("SELECT COUNT(*) FROM T") == 0
    warehouse.close()


def test_connections_are_kept_and_few(warehouse_config: WarehouseConfig) -> None:
    warehouse = Warehouse(replace(warehouse_config, pool_size=2))
    seen: set[int] = set()
    lock = threading.Lock()

    def work(_: int) -> None:
        for _ in range(5):
            with warehouse.session() as lent:
                with lock:
                    seen.add(id(lent._connection))
                assert lent.scalar("SELECT 1") == 1

    at_once(work, range(6))
    assert len(seen) == 2
    warehouse.close()
    with warehouse.session() as lent:
        assert lent.scalar("SELECT 1") == 1
    warehouse.close()


def test_tags_are_json_and_add_up(warehouse_config: WarehouseConfig) -> None:
    warehouse = Warehouse(warehouse_config).with_tag(run="r1")
    view = warehouse.with_tag(asset="leads")
    assert view._query_tag() == '{"asset": "leads", "run": "r1"}'
    assert warehouse._query_tag() == '{"run": "r1"}'
    with warehouse.session() as one:
        raw = one._connection
    with view.session() as two:
        assert two._connection is raw
    with pytest.raises(WarehouseMisuseError, match="2,000"), view.with_tag(x="y" * 3000).session():
        pytest.fail("not reached")
    warehouse.close()


def test_secrets_stay_out_of_sight(warehouse_config: WarehouseConfig) -> None:
    config = replace(
        warehouse_config,
        password="hunter2",
        private_key="PEM-TEXT",
        private_key_password="opensesame",
    )
    for secret in ("hunter2", "PEM-TEXT", "opensesame"):
        assert secret not in repr(config)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, etl_dagster.warehouse.session as s, etl_dagster.sandbox.snowflake\n"
        "s.Warehouse(s.WarehouseConfig(account='a', user='u', database='d', schema='s'))\n"
        "heavy = {'snowflake.connector', 'pyarrow', 'sqlalchemy', 'duckdb', 'fakesnow', 'uvicorn',"
        " 'starlette', 'sqlglot', 'numpy', 'dagster', 'cryptography'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_money_is_exact(session: Session) -> None:
    total = session.scalar(
        "SELECT SUM(x) FROM (SELECT 0.10::NUMBER(12, 2) AS x UNION ALL SELECT 0.20)"
    )
    assert total == decimal.Decimal("0.30")
