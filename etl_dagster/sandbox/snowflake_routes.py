"""How the repairs of fakesnow's HTTP server reach into it.

Belongs here: putting something around what answers a request, and reading requests. Does not: any
repair (:mod:`~etl_dagster.sandbox.snowflake_protocol`,
:mod:`~etl_dagster.sandbox.snowflake_sessions`).
"""

import gzip
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import fakesnow.server  # noqa: F401 - its package hides it behind a function of the same name
from fakesnow.cursor import FakeSnowflakeCursor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]

# Of type Any because their attributes are replaced.
server: Any = sys.modules["fakesnow.server"]
cursor: Any = FakeSnowflakeCursor

LOGIN = "/session/v1/login-request"
SESSION = "/session"
QUERY = "/queries/v1/query-request"
ABORT = "/queries/v1/abort-request"


def wrap(path: str, wrapper: Callable[[Endpoint, Request], Awaitable[Response]]) -> None:
    """Put ``wrapper`` around what answers requests for ``path``."""
    routes = server.app.router.routes
    place = next(i for i, route in enumerate(routes) if route.path == path)
    inner: Endpoint = routes[place].endpoint

    async def outer(request: Request) -> Response:
        return await wrapper(inner, request)

    routes[place] = Route(path, outer, methods=["POST"])


def session_of(request: Request) -> Any:
    """Return the request's session, or None if the server does not know it."""
    header = request.headers.get("Authorization", "")
    return server.sessions.get(header.partition('"')[2].rstrip('"'))


def logged_in(response: Response) -> Any:
    """Return the session that this answer to a login opened."""
    return server.sessions[json.loads(bytes(response.body))["data"]["token"]]


def interrupt(connection: Any) -> None:
    """Stop what a session is running, if anything; None is no session."""
    if connection is not None:
        connection._duck_conn.interrupt()  # noqa: SLF001


async def body_of(request: Request) -> bytes:
    """Return the request's content, unpacked."""
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


async def session_parameters(request: Request) -> dict[str, Any]:
    """Return the session parameters that a login asks for."""
    parameters = json.loads(await body_of(request))["data"]["SESSION_PARAMETERS"]
    return dict(parameters or {})


def refusal(number: int, sqlstate: str, message: str) -> Response:
    """Return a failed statement's answer."""
    return JSONResponse(
        {
            "data": {"errorCode": f"{number:06d}", "sqlState": sqlstate},
            "code": f"{number:06d}",
            "message": message,
            "success": False,
        }
    )
