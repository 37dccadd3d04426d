"""Repairs of fakesnow 0.12.1: what becomes of statements and sessions.

Belongs here: waiting, cancelling, ending, in :data:`REPAIRS`, each with the reason and, like those
of :mod:`~etl_dagster.sandbox.snowflake_patches`, a test that fails without it. Does not: SQL;
answers (:mod:`~etl_dagster.sandbox.snowflake_protocol`).
"""

import asyncio
import json
import os
import re
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from etl_dagster.sandbox import snowflake_routes as routes
from etl_dagster.sandbox.snowflake_routes import ABORT, LOGIN, QUERY, SESSION, Endpoint

#: Session parameter in which a client may name its process, so that its death is noticed.
CLIENT_PROCESS = "ETL_CLIENT_PROCESS_ID"

# How DuckDB words that another session was quicker.
_PASSING = ("conflict", "Conflict", "Failed to commit")
_CONFLICT_SECONDS = 10.0
_POLL_SECONDS = 0.1
_KEPT_ANSWERS = 256
_KEPT_BYTES = 64 << 10


# What may be run again, whoever else has run it meanwhile.
_MADE_ONCE = re.compile(
    r"(\s|--[^\n]*\n)*CREATE\s+(OR\s+REPLACE\s+\S+|\S+(\s+\S+)?\s+IF\s+NOT\s+EXISTS)\s",
    re.IGNORECASE,
)


def conflicts_wait() -> None:
    """A statement that met another session's open change failed at once; Snowflake waits for it.

    In a transaction DuckDB gives up all of it, so only its first statement can be tried again: the
    usual case, a partition deleted to be written anew.
    """
    execute = routes.cursor.execute

    def patient(self: Any, command: str, *args: Any, **options: Any) -> Any:
        connection, deadline = self._conn, time.monotonic() + _CONFLICT_SECONDS
        words = command.split(None, 1)
        word = words[0].rstrip(";").upper() if words else ""
        while True:
            # Statements that succeeded in the open transaction; None: there is no transaction.
            so_far = getattr(connection, "etl_statements", None)
            try:
                done = execute(self, command, *args, **options)
            except (duckdb.TransactionException, duckdb.ConstraintException) as error:
                if not _passes(error, command, so_far) or time.monotonic() > deadline:
                    raise
            else:
                if word in ("BEGIN", "START"):
                    connection.etl_statements = 0
                elif word in ("COMMIT", "ROLLBACK"):
                    connection.etl_statements = None
                elif so_far is not None:
                    connection.etl_statements = so_far + 1
                return done
            if so_far is not None:
                connection._duck_conn.rollback()  # noqa: SLF001
                connection._duck_conn.begin()  # noqa: SLF001
            _end_sessions_of_dead_clients()
            time.sleep(_POLL_SECONDS)

    routes.cursor.execute = patient


def _passes(error: duckdb.Error, command: str, so_far: int | None) -> bool:
    """Whether a statement that failed may be tried again, after so many in its transaction."""
    if isinstance(error, duckdb.ConstraintException):
        # two made the same table at once, and fakesnow's own notes on it have a key
        return so_far is None and _MADE_ONCE.match(command) is not None
    return not so_far and any(words in str(error) for words in _PASSING)


def cancelled_statements() -> None:
    """Cancelling a statement did nothing, and one whose client had gone ran on to its end."""
    running: dict[str, Any] = {}

    async def cancellable(endpoint: Endpoint, request: Request) -> Response:
        await request.body()  # kept by the request; what comes after it is the client's leaving
        connection = routes.session_of(request)
        name = request.query_params.get("requestId", "")
        running[name] = connection
        work = asyncio.ensure_future(endpoint(request))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            while not work.done():
                routes.interrupt(connection)
                await asyncio.wait({work}, timeout=_POLL_SECONDS)
            return await work
        finally:
            leaving.cancel()
            running.pop(name, None)

    async def abort(request: Request) -> Response:
        wanted = json.loads(await routes.body_of(request)).get("requestId", "")
        if wanted in running:
            routes.interrupt(running[wanted])
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    routes.wrap(QUERY, cancellable)
    routes.wrap(ABORT, lambda _endpoint, request: abort(request))


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def repeated_requests() -> None:
    """A client that hears nothing sends its request again, and the statement then ran twice.

    As at Snowflake, a request that has succeeded is answered once more and not run again.
    """
    answers: OrderedDict[tuple[str, str], asyncio.Future[Response]] = OrderedDict()

    async def once(endpoint: Endpoint, request: Request) -> Response:
        key = (request.headers.get("Authorization", ""), request.query_params.get("requestId", ""))
        if not key[1]:
            return await endpoint(request)
        before = answers.get(key)
        if before is not None:
            await asyncio.wait({before})
            if not before.cancelled() and not before.exception() and _succeeded(before.result()):
                return before.result()
        work = answers[key] = asyncio.ensure_future(endpoint(request))
        while len(answers) > _KEPT_ANSWERS:
            answers.popitem(last=False)
        answer = await work
        if len(answer.body) > _KEPT_BYTES:  # rows, which may well be read twice
            answers.pop(key, None)
        return answer

    routes.wrap(QUERY, once)


def _succeeded(answer: Response) -> bool:
    return json.loads(bytes(answer.body)).get("success") is True


def statement_timeouts() -> None:
    """STATEMENT_TIMEOUT_IN_SECONDS was ignored."""

    async def noting(endpoint: Endpoint, request: Request) -> Response:
        response = await endpoint(request)
        parameters = await routes.session_parameters(request)
        routes.logged_in(response).etl_timeout = parameters.get("STATEMENT_TIMEOUT_IN_SECONDS")
        return response

    async def limited(endpoint: Endpoint, request: Request) -> Response:
        connection = routes.session_of(request)
        seconds = getattr(connection, "etl_timeout", None)
        if not seconds:
            return await endpoint(request)
        work = asyncio.ensure_future(endpoint(request))
        done, _ = await asyncio.wait({work}, timeout=float(seconds))
        while not work.done():
            routes.interrupt(connection)
            await asyncio.wait({work}, timeout=_POLL_SECONDS)
        if done:
            return await work
        what = f"Statement reached its statement or warehouse timeout of {seconds} second(s)"
        return routes.refusal(630, "57014", f"{what} and was canceled.")

    routes.wrap(LOGIN, noting)
    routes.wrap(QUERY, limited)


def ended_sessions() -> None:
    """A session that was closed, or whose client died, kept its transaction and its locks."""

    async def noting(endpoint: Endpoint, request: Request) -> Response:
        await run_in_threadpool(_end_sessions_of_dead_clients)
        response = await endpoint(request)
        pid = (await routes.session_parameters(request)).get(CLIENT_PROCESS)
        routes.logged_in(response).etl_client = (pid, _birth(pid)) if pid else None
        return response

    async def closing(endpoint: Endpoint, request: Request) -> Response:
        connection = routes.session_of(request) if request.query_params.get("delete") else None
        response = await endpoint(request)
        if connection is not None:
            await run_in_threadpool(_end, connection)
        return response

    routes.wrap(LOGIN, noting)
    routes.wrap(SESSION, closing)


def _end_sessions_of_dead_clients() -> None:
    for token, connection in list(routes.server.sessions.items()):
        client = getattr(connection, "etl_client", None)
        if client is not None and _birth(client[0]) != client[1]:
            routes.server.sessions.pop(token, None)
            _end(connection)


def _end(connection: Any) -> None:
    """Closing is what rolls back."""
    routes.interrupt(connection)
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


#: In the order of their installation: of two that wrap the same thing, the later is outermost.
#: :func:`conflicts_wait` must see DuckDB's own errors: it comes before they are translated.
REPAIRS = (
    conflicts_wait,
    cancelled_statements,
    statement_timeouts,
    ended_sessions,
    repeated_requests,
)
