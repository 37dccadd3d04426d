"""Every repair of fakesnow holds, and without it the same check fails.

Each check runs twice: on the complete server, where it must pass, and on one that lacks just that
repair, where it must not. A repair that a new release of fakesnow makes needless is found that way.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import snowflake.connector.errors

from etl_dagster.sandbox import (
    sidecar,
    snowflake_expressions,
    snowflake_patches,
    snowflake_protocol,
    snowflake_sessions,
    snowflake_short_cuts,
)
from etl_dagster.sandbox.snowflake import NAME
from etl_dagster.warehouse.errors import StatementError, WarehouseError
from etl_dagster.warehouse.session import Warehouse
from etl_dagster_tests.embedded import LONG, config_of

Check = Callable[[Warehouse], None]

# Deletes a row in a transaction that it never ends.
CLIENT = """
import sys
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig

database, schema, host, port = sys.argv[1:]
address = {"host": host, "port": int(port), "protocol": "http"}
warehouse = Warehouse(WarehouseConfig(
    account="e", user="e", password="e", database=database, schema=schema, connection_args=address))
with warehouse.session() as session, session.transaction():
    session.execute("DELETE FROM T")
    print("deleted", flush=True)
    sys.stdin.read()
"""


def null_timestamps(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        query = "SELECT NULL::TIMESTAMP_NTZ UNION ALL SELECT $AT ORDER BY 1"
        moment = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
        session.execute("SET AT = '2026-01-02 03:04:05.500'::TIMESTAMP_NTZ")
        assert session.rows(query) == [(moment,), (None,)]


def session_variables(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.set_variables({"PARTITION": "a\\b'c"})
        session.execute("SET PARTITION_DATE = '2026-01-05'::DATE")
        session.execute("SET N = -5")
        query = """SELECT $PARTITION, $partition_date, 3-$N, '$N costs $5', "a$N" -- $NOPE
            FROM (SELECT 1 AS "a$N") /* $NOPE */"""
        assert session.row(query) == ("a\\b'c", date(2026, 1, 5), 8, "$N costs $5", 1)
        with pytest.raises(StatementError, match=r"\$NOPE"):
            session.scalar("SELECT $NOPE")


def reserved_words(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TABLE T (at DATE, position NUMBER(3, 0), rank NUMBER(3, 0))")
        session.execute("INSERT INTO T (at, position) VALUES ('2026-01-05', 1)")
        assert session.row("SELECT t.at, MAX(position) FROM T AS t GROUP BY at") == (
            date(2026, 1, 5),
            1,
        )


def number_aggregates(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TABLE T (money NUMBER(20, 2))")
        session.execute("INSERT INTO T VALUES (900719925474099.93), (0.02), (0.03)")
        assert session.scalar("SELECT SUM(money) FROM T") == Decimal("900719925474099.98")


def objects(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute('CREATE TABLE T ("First Name" VARCHAR, a NUMBER(5, 0), n VARCHAR, d DATE)')
        session.execute("INSERT INTO T VALUES ('Ann', 5, NULL, '2026-01-05')")
        columns = """
            OBJECT_CONSTRUCT(*), OBJECT_CONSTRUCT(* EXCLUDE (a, d)),
            OBJECT_CONSTRUCT_KEEP_NULL(* EXCLUDE ("First Name")),
            OBJECT_CONSTRUCT('x', a, 'n', n), OBJECT_CONSTRUCT_KEEP_NULL('n', n),
            OBJECT_DELETE(OBJECT_CONSTRUCT('x', a, 'y', d), 'x')
        """
        assert [json.loads(value) for value in session.row(f"SELECT {columns} FROM T") or ()] == [
            {"First Name": "Ann", "A": 5, "D": "2026-01-05"},
            {"First Name": "Ann"},
            {"A": 5, "N": None, "D": "2026-01-05"},
            {"x": 5},
            {"n": None},
            {"y": "2026-01-05"},
        ]
        flattened = """SELECT f.key, f.value::VARCHAR
            FROM T, LATERAL FLATTEN(INPUT => OBJECT_CONSTRUCT('x', 'b', 'y', 'c')) AS f
            ORDER BY 1"""
        assert session.rows(flattened) == [("x", "b"), ("y", "c")]


def dates_in_text(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        texts = ["2026-02-03", "02/03/2026", "2/3/2026", "03-Feb-2026", "02/30/2026", "soon", ""]
        values = ", ".join(f"({i}, '{text}')" for i, text in enumerate(texts))
        query = f"SELECT TRY_TO_DATE(column2) FROM VALUES {values} ORDER BY column1"
        third = date(2026, 2, 3)
        assert session.rows(query) == [(third,)] * 4 + [(None,)] * 3
        assert session.row("SELECT TRY_TO_DATE(''), TRY_TO_DATE('02/03/2026')") == (None, third)


def described_unions(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TABLE T (text VARCHAR)")
        session.execute("INSERT INTO T VALUES ('not a number')")
        query = "SELECT 1::NUMBER(10, 0) AS a UNION ALL SELECT text::NUMBER(10, 0) FROM T"
        assert [(c.name, c.type) for c in session.describe(query)] == [("A", "NUMBER")]


def removed_stage_files(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(5, 0))")
        session.load("t", pa.table({"a": [1]}))
        assert session.rows("LIST @%T") == []


def temporary_copy_targets(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TEMPORARY TABLE T (a NUMBER(5, 0))")
        assert session.load("T", pa.table({"a": [1]})) == 1


def conflicts_wait(warehouse: Warehouse) -> None:
    """One partition written anew by several at once, alone and in transactions."""

    def rewrite(writer: int) -> None:
        with warehouse.session() as other, other.transaction():
            other.execute("DELETE FROM T WHERE part = 1")
            time.sleep(0.2)
            other.execute("INSERT INTO T VALUES (1, %s), (1, %s)", [writer, writer])

    with warehouse.session() as session:
        session.execute("CREATE TABLE T (part NUMBER(5, 0), writer NUMBER(5, 0))")
        session.execute("INSERT INTO T VALUES (1, 0), (1, 0), (2, 0)")
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(rewrite, (1, 2, 3)))
        written = session.rows("SELECT part, writer FROM T ORDER BY part")
        assert len(written) == 3
        assert written[0] == written[1]
        with ThreadPoolExecutor(1) as pool:
            last = pool.submit(rewrite, 4)
            time.sleep(0.1)
            session.execute("DELETE FROM T")
            last.result()
        assert session.scalar("SELECT COUNT(*) FROM T") == 0


def answered_errors(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        before = time.monotonic()
        with pytest.raises(StatementError):
            session.scalar("SELECT [1, 2]::INT")
        with pytest.raises(StatementError):
            session.scalar("SELECT HASH('a'), UUID_STRING(), RANDSTR(3, 4)")
        assert time.monotonic() - before < 2


def chunked_results(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        query = "SELECT SEQ4() AS n FROM TABLE(GENERATOR(ROWCOUNT => 250000))"
        cursor = session._connection.cursor()
        cursor.execute(query)
        assert [batch.rowcount for batch in cursor.get_result_batches() or []] == [
            10_000,
            100_000,
            100_000,
            40_000,
        ]
        assert session.arrow_table(query).num_rows == 250_000


def cancelled_statements(warehouse: Warehouse) -> None:
    """Told to stop, and left alone by its client."""
    with warehouse.session() as session:
        raw = session._connection
        identity = "0e0b2d5e-6a3c-4c1b-8c3c-0a8f4b2f7d11"
        outcome: list[BaseException] = []

        def work() -> None:
            try:
                raw.cursor().execute(LONG, _statement_params={"requestId": identity})
            except (snowflake.connector.errors.Error, OSError) as error:
                outcome.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        time.sleep(0.5)
        raw._cancel_query(LONG, identity)
        thread.join(2)
        assert [getattr(error, "errno", None) for error in outcome] == [604]


def statement_timeouts(warehouse: Warehouse) -> None:
    limited = Warehouse(replace(warehouse.config, statement_timeout_seconds=1, network_timeout=3))
    with limited.session() as session, pytest.raises(StatementError) as caught:
        session.scalar(LONG)
    limited.close()
    assert caught.value.number == 630


def ended_sessions(warehouse: Warehouse) -> None:
    """A client that closed its connection, and one that was killed, hold no row any more."""
    address = warehouse.config.connection_args
    place = [warehouse.config.database, warehouse.config.schema]
    arguments = [sys.executable, "-c", CLIENT, *place, address["host"], str(address["port"])]
    with warehouse.session() as session:
        session.execute("CREATE TABLE T (a NUMBER(5, 0))")
        session.execute("INSERT INTO T VALUES (1)")
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"deleted\n"
        client.kill()
    warehouse.close()  # the next session is a new one: that is when the dead are looked for
    with warehouse.session() as session, session.transaction():
        assert session.execute("DELETE FROM T") == 1


def repeated_requests(warehouse: Warehouse) -> None:
    """Of a statement that failed nothing is kept; one that is under way is waited for."""
    with warehouse.session() as session:
        raw = session._connection

        def send(statement: str, identity: uuid.UUID) -> bool:
            return bool(raw.cmd_query(statement, 1, identity)["success"])

        session.execute("CREATE TABLE T (a NUMBER(5, 0))")
        first, second, slow = (uuid.UUID(int=n) for n in range(3))
        assert [send("INSERT INTO T VALUES (1)", first) for _ in range(3)] == [True] * 3
        assert session.scalar("SELECT COUNT(*) FROM T") == 1
        assert not send("INSERT INTO LATER VALUES (1)", second)
        session.execute("CREATE TABLE LATER (a NUMBER(5, 0))")
        assert send("INSERT INTO LATER VALUES (1)", second)
        many = "INSERT INTO LATER SELECT 2 FROM TABLE(GENERATOR(ROWCOUNT => 300000))"
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(send, [many] * 2, [slow] * 2)) == [True] * 2
        assert session.scalar("SELECT COUNT(*) FROM LATER") == 300_001


def forgotten_results(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        cursor = session._connection.cursor()
        first = cursor.execute("SELECT 1")
        assert first is not None
        identity = first.sfqid
        for _ in range(20):
            session.scalar("SELECT 1")
        address = session._connection
        request = urllib.request.Request(
            f"http://{address.host}:{address.port}/monitoring/queries/{identity}",
            headers={"Authorization": f'Snowflake Token="{address.rest.token}"'},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert json.loads(answer.read())["data"]["queries"] == []


def all_number_types(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        assert session.row("SELECT SIGN(-3), 1::TINYINT, 2::SMALLINT") == (-1, 1, 2)


def empty_lists(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        assert session.row("SELECT 1 IN (1), 1 IN (NULL), 1 IN (SELECT 2)") == (True, None, False)
        with pytest.raises(StatementError, match="IN"):
            session.row("SELECT 1 IN ()")


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        null_timestamps,
        session_variables,
        reserved_words,
        number_aggregates,
        objects,
        dates_in_text,
        empty_lists,
        described_unions,
        removed_stage_files,
        temporary_copy_targets,
        conflicts_wait,
        answered_errors,
        chunked_results,
        cancelled_statements,
        statement_timeouts,
        ended_sessions,
        repeated_requests,
        forgotten_results,
        all_number_types,
    )
}


def test_every_repair_has_a_check() -> None:
    parts = (snowflake_patches, snowflake_expressions, snowflake_protocol, snowflake_sessions)
    assert set(CHECKS) == {repair.__name__ for part in parts for repair in part.REPAIRS}


def test_an_unknown_repair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sidecar.SidecarError, match="no_such_repair"):
        sidecar.ensure(NAME, tmp_path, command(tmp_path, "no_such_repair"))


@pytest.mark.parametrize("name", CHECKS)
def test_it_holds(name: str, warehouse: Warehouse) -> None:
    CHECKS[name](warehouse)


def command(home: Path, without: str) -> list[str]:
    module = "etl_dagster.sandbox.snowflake"
    return [sys.executable, "-m", module, "--home", str(home), "--without", without]


@pytest.fixture
def lacking(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """A warehouse on a server that lacks one repair."""
    server = sidecar.ensure(NAME, tmp_path, command(tmp_path, request.param))
    warehouse = Warehouse(config_of(server, "LACKING", network_timeout=4))
    warehouse.ensure_schema()
    yield warehouse
    sidecar.stop(NAME, tmp_path, wait_seconds=0.5)
    warehouse.close()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "lacking"), [(n, n) for n in CHECKS], indirect=["lacking"])
def test_without_it_the_check_fails(name: str, lacking: Warehouse) -> None:
    failures = (AssertionError, WarehouseError, pytest.fail.Exception)
    with pytest.raises(failures):
        CHECKS[name](lacking)


ANSWERS = (
    "SELECT 1 AS a, 2::NUMBER(10, 2) AS b, 'x' AS c, TO_DATE('2026-11-20') AS d, 1.5::FLOAT, NULL",
    "SELECT NULL::TIMESTAMP_NTZ AS at, PARSE_JSON('{}') AS v, TRUE AS yes, TO_TIME('01:02:03')",
    "CREATE TABLE T (n NUMBER(10, 0), t VARCHAR)",
    "INSERT INTO T VALUES (1, 'one'), (2, 'two')",
    "UPDATE T SET t = 'two' WHERE n = 1",
    "DELETE FROM T WHERE n = 2",
    "SELECT * FROM T",
    "ALTER TABLE T ADD COLUMN d DATE",
    "SELECT * FROM T",
    "SELECT t, COUNT(*) FROM T GROUP BY t",
    "SHOW TABLES LIKE 'NONE'",
    "DESCRIBE TABLE T",
    "DROP TABLE T",
    "SELECT 1 AS a, 'x' AS b",
    "SELECT 3 AS c, 4 AS d, 5 AS e",
)


CAPITALS = (
    "o'brien",
    "mary-jane  de LA cruz",
    "12n main ST #4b",
    "ÉLAN vital",
    " a",
    "",
    "x\ty\\z",
)


def answers(warehouse: Warehouse) -> list[object]:
    with warehouse.session() as session:
        cursors = [session._execute(statement, None) for statement in ANSWERS]
        again = f"SELECT * FROM TABLE(RESULT_SCAN('{cursors[-2].sfqid}'))"
        cursors.append(session._execute(again, None))
        columns = [(cursor.description, cursor.rowcount) for cursor in cursors]
        capitals = session.rows(
            f"SELECT {', '.join('INITCAP(%s)' for _ in CAPITALS)}, INITCAP(NULL)", CAPITALS
        )
        for table in ("STAGED", "STAGED_TOO"):
            session.execute(f"CREATE OR REPLACE TABLE {table} (n NUMBER(10, 0))")
            session.execute(f"CREATE OR REPLACE TEMPORARY TABLE {table} (n NUMBER(10, 0))")
            for n in range(3):
                session.load(table, pa.table({"n": [n]}))
        session.execute("DROP TABLE STAGED")
        session.load("STAGED", pa.table({"n": [9]}))
        with pytest.raises(StatementError):
            session.rows("PUT 'file:///nowhere' @%NOT_THERE/x")
        loaded = session.rows("SELECT n FROM STAGED UNION ALL SELECT n FROM STAGED_TOO ORDER BY n")
    return [columns, capitals, loaded]


SHORT_CUTS = [short_cut.__name__ for short_cut in snowflake_short_cuts.SHORT_CUTS]


@pytest.mark.parametrize("lacking", SHORT_CUTS, indirect=True)
def test_a_short_cut_makes_no_difference(warehouse: Warehouse, lacking: Warehouse) -> None:
    assert answers(warehouse) == answers(lacking)
