"""Repairs of fakesnow 0.12.1: where its HTTP server differs from Snowflake's.

Belongs here: requests, answers, sessions; in :data:`REPAIRS`, each with the reason and, like those
of :mod:`~etl_dagster.sandbox.snowflake_patches`, a test that fails without it. Does not: SQL.
"""

import asyncio
import gzip
import json
import logging
import os
import sys
import time
import traceback
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.server  # noqa: F401 - its package hides it behind a function of the same name
from fakesnow import rowtype
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import Error, ProgrammingError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]
# Of type Any because their attributes are replaced.
_server: Any = sys.modules["fakesnow.server"]
_cursor: Any = FakeSnowflakeCursor

LOGIN = "/session/v1/login-request"
SESSION = "/session"
QUERY = "/queries/v1/query-request"
ABORT = "/queries/v1/abort-request"
#: Session parameter in which a client may name its process, so that its death is noticed.
CLIENT_PROCESS = "ETL_CLIENT_PROCESS_ID"

#: Snowflake's "unsupported feature".
UNSUPPORTED = 2
#: Rows sent with the answer itself; the rest is fetched in chunks.
INLINE_ROWS = 10_000
CHUNK_ROWS = 100_000
OPEN_RESULTS = 32
KEPT_RESULTS = 8
KEPT_BYTES = 64 << 20

_CONFLICT_SECONDS = 10.0
_POLL_SECONDS = 0.1


def answered_errors() -> None:
    """Anything unforeseen was answered with HTTP 500, which the connector retries for minutes.

    Snowflake answers a failed statement with a number and a message; so does this, from now on.
    """
    execute = _cursor.execute

    def translating(self: Any, command: str, *args: Any, **options: Any) -> Any:
        try:
            return execute(self, command, *args, **options)
        except Error as error:
            raise _as_snowflake_says(error) from error
        except Exception as error:
            raise _translated(error) from error

    async def never_500(endpoint: Endpoint, request: Request) -> Response:
        try:
            response = await endpoint(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            _log_failure(error)
        else:
            if response.status_code < 500:  # noqa: PLR2004 - HTTP's own meaning
                return response
        what = "SQL compilation error:\nthe embedded server cannot run this statement; see its log"
        return _refusal(UNSUPPORTED, "0A000", what)

    _cursor.execute = translating
    _server.app.debug = False
    _wrap(QUERY, never_500)
    logging.getLogger("fakesnow.server").addFilter(_failures_only)
    logging.getLogger("sqlglot").addFilter(lambda _record: False)  # what it warns of, it quotes
    warnings.simplefilter("ignore")


def _log_failure(error: BaseException) -> None:
    """Log where it happened and nothing it says: messages hold values."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename}:{frame.lineno}"
    sys.stderr.write(f"{datetime.now(UTC):%F %T} {type(error).__name__} at {where}\n")


def _failures_only(record: logging.LogRecord) -> bool:
    """Let nothing that fakesnow logs through, since it logs statements, but note its failures."""
    if record.exc_info is not None and record.exc_info[1] is not None:
        _log_failure(record.exc_info[1])
    return False


def _as_snowflake_says(error: Error) -> ProgrammingError:
    """Return the error with a first line only (the rest quotes the statement) and a number."""
    text = str(error.raw_msg)
    if error.errno in (1003, 2003, 2043) and not text.startswith("SQL compilation error"):
        text = "SQL compilation error:\n" + text.split("\n", 1)[0]
    return _refused(text, max(error.errno or 0, 0) or UNSUPPORTED, error.sqlstate or "0A000")


def _refused(text: str, number: int, sqlstate: str) -> ProgrammingError:
    refused = ProgrammingError(msg=text, errno=number, sqlstate=sqlstate)
    refused.msg = text  # the constructor puts number and state in front, as the client will again
    return refused


def _translated(error: Exception) -> ProgrammingError:
    first_line = str(error).split("\n", 1)[0]
    for kind, number, state, text in (
        (duckdb.InterruptException, 604, "57014", "SQL execution canceled"),
        (duckdb.ConstraintException, 100_072, "22000", first_line),
        (duckdb.TransactionException, 625, "57014", first_line),
        (duckdb.ParserException, 1003, "42000", f"SQL compilation error:\n{first_line}"),
        (duckdb.ConversionException, 100_038, "22018", first_line),
        (duckdb.OutOfMemoryException, 300_005, "53200", "out of memory in the embedded server"),
    ):
        if isinstance(error, kind):
            return _refused(text, number, state)
    return _refused(f"{type(error).__name__}: {first_line}", UNSUPPORTED, "0A000")


def conflicts_wait() -> None:
    """A statement that met another session's open change failed at once; Snowflake waits for it."""
    execute = _cursor.execute

    def patient(self: Any, command: str, *args: Any, **options: Any) -> Any:
        deadline = time.monotonic() + _CONFLICT_SECONDS
        while True:
            try:
                return execute(self, command, *args, **options)
            except duckdb.TransactionException as error:
                # In a transaction DuckDB has already given up all of it: nothing is left to repeat.
                inside = self._conn._in_transaction  # noqa: SLF001
                if inside or "onflict" not in str(error) or time.monotonic() > deadline:
                    raise
            _end_sessions_of_dead_clients()
            time.sleep(_POLL_SECONDS)

    _cursor.execute = patient


def cancelled_statements() -> None:
    """Cancelling a statement did nothing, and one whose client had gone ran on to its end."""
    running: dict[str, Any] = {}

    async def cancellable(endpoint: Endpoint, request: Request) -> Response:
        await request.body()  # kept by the request; what comes after it is the client's leaving
        connection = _connection(request)
        name = request.query_params.get("requestId", "")
        running[name] = connection
        work = asyncio.ensure_future(endpoint(request))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            while not work.done():
                _interrupt(connection)
                await asyncio.wait({work}, timeout=_POLL_SECONDS)
            return await work
        finally:
            leaving.cancel()
            running.pop(name, None)

    async def abort(request: Request) -> Response:
        wanted = json.loads(await _body(request)).get("requestId", "")
        if wanted in running:
            _interrupt(running[wanted])
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    _wrap(QUERY, cancellable)
    _wrap(ABORT, lambda _endpoint, request: abort(request))


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def statement_timeouts() -> None:
    """STATEMENT_TIMEOUT_IN_SECONDS was ignored."""

    async def noting(endpoint: Endpoint, request: Request) -> Response:
        response = await endpoint(request)
        parameters = await _session_parameters(request)
        _logged_in(response).etl_timeout = parameters.get("STATEMENT_TIMEOUT_IN_SECONDS")
        return response

    async def limited(endpoint: Endpoint, request: Request) -> Response:
        connection = _connection(request)
        seconds = getattr(connection, "etl_timeout", None)
        if not seconds:
            return await endpoint(request)
        work = asyncio.ensure_future(endpoint(request))
        done, _ = await asyncio.wait({work}, timeout=float(seconds))
        while not work.done():
            _interrupt(connection)
            await asyncio.wait({work}, timeout=_POLL_SECONDS)
        if done:
            return await work
        what = f"Statement reached its statement or warehouse timeout of {seconds} second(s)"
        return _refusal(630, "57014", f"{what} and was canceled.")

    _wrap(LOGIN, noting)
    _wrap(QUERY, limited)


def ended_sessions() -> None:
    """A session that was closed, or whose client died, kept its transaction and its locks."""

    async def noting(endpoint: Endpoint, request: Request) -> Response:
        await run_in_threadpool(_end_sessions_of_dead_clients)
        response = await endpoint(request)
        pid = (await _session_parameters(request)).get(CLIENT_PROCESS)
        _logged_in(response).etl_client = (pid, _birth(pid)) if pid else None
        return response

    async def closing(endpoint: Endpoint, request: Request) -> Response:
        connection = _connection(request) if request.query_params.get("delete") else None
        response = await endpoint(request)
        if connection is not None:
            await run_in_threadpool(_end, connection)
        return response

    _wrap(LOGIN, noting)
    _wrap(SESSION, closing)


def _end_sessions_of_dead_clients() -> None:
    for token, connection in list(_server.sessions.items()):
        client = getattr(connection, "etl_client", None)
        if client is not None and _birth(client[0]) != client[1]:
            _server.sessions.pop(token, None)
            _end(connection)


def _end(connection: Any) -> None:
    """Closing is what rolls back."""
    _interrupt(connection)
    connection.close()


def _birth(pid: int) -> str | None:
    """Return what tells this process from a later one of the same id; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return "unknown"  # no /proc on this system
    return None if fields[0] == "Z" else fields[19]


@dataclass
class _Result:
    """Rows that a client is still fetching, or has not yet begun to."""

    table: Any
    columns: Any


def chunked_results() -> None:
    """A result was one JSON text however large, held several times over on both sides."""
    open_results: OrderedDict[str, _Result] = OrderedDict()
    rest: ContextVar[_Result | None] = ContextVar("rest", default=None)

    def first_rows(table: Any, columns: Any) -> Any:
        rest.set(_Result(table, columns) if table.num_rows > INLINE_ROWS else None)
        return to_sf(table.slice(0, INLINE_ROWS), columns)

    async def announcing(endpoint: Endpoint, request: Request) -> Response:
        rest.set(None)
        response = await endpoint(request)
        result = rest.get()
        if result is None:
            return response
        name = uuid.uuid4().hex
        open_results[name] = result
        while len(open_results) > OPEN_RESULTS:
            open_results.popitem(last=False)
        answer = json.loads(bytes(response.body))
        answer["data"] |= {
            "returned": result.table.num_rows,
            "chunkHeaders": {},
            "chunks": [
                {
                    "url": f"{request.base_url}results/{name}/{start}",
                    "rowCount": min(CHUNK_ROWS, result.table.num_rows - start),
                    "uncompressedSize": 0,
                    "compressedSize": 0,
                }
                for start in range(INLINE_ROWS, result.table.num_rows, CHUNK_ROWS)
            ],
        }
        return JSONResponse(answer)

    async def chunk(request: Request) -> Response:
        name, start = request.path_params["name"], request.path_params["start"]
        result = open_results.get(name)
        if result is None:
            return Response(status_code=404)
        rows = result.table.slice(start, CHUNK_ROWS)
        content = await run_in_threadpool(lambda: to_ipc(to_sf(rows, result.columns)))
        if start + CHUNK_ROWS >= result.table.num_rows:
            open_results.move_to_end(name, last=False)  # the first to go
        return Response(content.to_pybytes(), media_type="application/octet-stream")

    _server.to_sf = first_rows
    _wrap(QUERY, announcing)
    _server.app.router.routes.append(Route("/results/{name}/{start:int}", chunk))


def forgotten_results() -> None:
    """Every result was kept for ever, for a later look by its query id."""

    class Recent(OrderedDict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key, value)
            while len(self) > KEPT_RESULTS or (len(self) and self.nbytes > KEPT_BYTES):
                self.popitem(last=False)

        @property
        def nbytes(self) -> int:
            return sum(entry[0].nbytes for entry in self.values() if entry[0] is not None)

    create = _server.FakeSnow.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        self.results_cache = Recent()

    _server.FakeSnow.__init__ = init


def all_number_types() -> None:
    """A result with one of DuckDB's smaller numbers (as of SIGN or of a cast) was refused."""
    for name in ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "UINTEGER", "UHUGEINT"):
        rowtype.duckdb_to_sf_type[name] = "fixed"
    rowtype.duckdb_to_sf_type["FLOAT"] = "real"


def _wrap(path: str, wrapper: Callable[[Endpoint, Request], Awaitable[Response]]) -> None:
    """Put ``wrapper`` around what answers requests for ``path``."""
    routes = _server.app.router.routes
    place = next(i for i, route in enumerate(routes) if route.path == path)
    inner: Endpoint = routes[place].endpoint

    async def outer(request: Request) -> Response:
        return await wrapper(inner, request)

    routes[place] = Route(path, outer, methods=["POST"])


def _connection(request: Request) -> Any:
    """Return the request's session, or None if the server does not know it."""
    header = request.headers.get("Authorization", "")
    return _server.sessions.get(header.partition('"')[2].rstrip('"'))


def _logged_in(response: Response) -> Any:
    return _server.sessions[json.loads(bytes(response.body))["data"]["token"]]


def _interrupt(connection: Any) -> None:
    if connection is not None:
        connection._duck_conn.interrupt()  # noqa: SLF001


async def _body(request: Request) -> bytes:
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


async def _session_parameters(request: Request) -> dict[str, Any]:
    parameters = json.loads(await _body(request))["data"]["SESSION_PARAMETERS"]
    return dict(parameters or {})


def _refusal(number: int, sqlstate: str, message: str) -> Response:
    return JSONResponse(
        {
            "data": {"errorCode": f"{number:06d}", "sqlState": sqlstate},
            "code": f"{number:06d}",
            "message": message,
            "success": False,
        }
    )


#: By name, in the order of their installation: of two that wrap the same thing, the later is
#: outermost.
REPAIRS: dict[str, Callable[[], None]] = {
    repair.__name__: repair
    for repair in (
        conflicts_wait,
        answered_errors,
        chunked_results,
        cancelled_statements,
        statement_timeouts,
        ended_sessions,
        forgotten_results,
        all_number_types,
    )
}
