"""Repairs of fakesnow 0.12.1: where its answers differ from Snowflake's.

Belongs here: errors and results, in :data:`REPAIRS`, each with the reason and, like those of
:mod:`~etl_dagster.sandbox.snowflake_patches`, a test that fails without it. Does not: SQL; sessions
and running statements (:mod:`~etl_dagster.sandbox.snowflake_sessions`).
"""

import json
import logging
import sys
import threading
import traceback
import uuid
import warnings
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from fakesnow import rowtype
from fakesnow.arrow import to_ipc, to_sf
from snowflake.connector.errors import Error, ProgrammingError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from etl_dagster.sandbox import snowflake_routes as routes
from etl_dagster.sandbox.snowflake_routes import QUERY, Endpoint

#: Snowflake's "unsupported feature".
UNSUPPORTED = 2
#: Rows sent with the answer itself; the rest is fetched in chunks.
INLINE_ROWS = 10_000
CHUNK_ROWS = 100_000
OPEN_RESULTS = 32
OPEN_BYTES = 2 << 30
KEPT_RESULTS = 8
KEPT_BYTES = 64 << 20


def answered_errors() -> None:
    """Anything unforeseen was answered with HTTP 500, which the connector retries for minutes.

    Snowflake answers a failed statement with a number and a message; so does this, from now on.
    """
    execute = routes.cursor.execute

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
        return routes.refusal(UNSUPPORTED, "0A000", what)

    routes.cursor.execute = translating
    routes.server.app.debug = False
    routes.wrap(QUERY, never_500)
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


@dataclass
class _Result:
    """Rows that a client is still fetching, or has not yet begun to."""

    table: Any
    columns: Any
    unsent: set[int]


def chunked_results() -> None:
    """A result was one JSON text however large, held several times over on both sides."""
    open_results: OrderedDict[str, _Result] = OrderedDict()
    # A list, so that what is noted in a task of the request is seen by the request.
    noted: ContextVar[list[_Result]] = ContextVar("noted")

    def first_rows(table: Any, columns: Any) -> Any:
        if table.num_rows > INLINE_ROWS:
            starts = set(range(INLINE_ROWS, table.num_rows, CHUNK_ROWS))
            noted.get().append(_Result(table, columns, starts))
        return to_sf(table.slice(0, INLINE_ROWS), columns)

    async def announcing(endpoint: Endpoint, request: Request) -> Response:
        large: list[_Result] = []
        noted.set(large)
        response = await endpoint(request)
        if not large:
            return response
        result = large.pop()
        name = uuid.uuid4().hex
        open_results[name] = result
        while len(open_results) > 1 and (
            len(open_results) > OPEN_RESULTS
            or sum(held.table.nbytes for held in open_results.values()) > OPEN_BYTES
        ):
            open_results.popitem(last=False)  # given up by its client, most likely
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
                for start in sorted(result.unsent)
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
        result.unsent.discard(start)
        if not result.unsent:
            open_results.pop(name, None)
        return Response(content.to_pybytes(), media_type="application/octet-stream")

    routes.server.to_sf = first_rows
    routes.wrap(QUERY, announcing)
    routes.server.app.router.routes.append(Route("/results/{name}/{start:int}", chunk))


def forgotten_results() -> None:
    """Every result was kept for ever, for a later look by its query id."""

    class Recent(OrderedDict[str, Any]):
        lock = threading.Lock()

        def __init__(self) -> None:
            super().__init__()
            self.sizes: dict[str, int] = {}

        def __setitem__(self, key: str, value: Any) -> None:
            with self.lock:
                super().__setitem__(key, value)
                self.sizes[key] = 0 if value[0] is None else value[0].nbytes
                if len(self) > KEPT_RESULTS or sum(self.sizes.values()) > KEPT_BYTES:
                    del self.sizes[self.popitem(last=False)[0]]

    create = routes.server.FakeSnow.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        create(self, *args, **options)
        self.results_cache = Recent()

    routes.server.FakeSnow.__init__ = init


def all_number_types() -> None:
    """A result with one of DuckDB's smaller numbers (as of SIGN or of a cast) was refused."""
    for name in ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "UINTEGER", "UHUGEINT"):
        rowtype.duckdb_to_sf_type[name] = "fixed"
    rowtype.duckdb_to_sf_type["FLOAT"] = "real"


#: In the order of their installation: of two that wrap the same thing, the later is outermost.
REPAIRS = (
    answered_errors,
    chunked_results,
    forgotten_results,
    all_number_types,
)
