"""Be a sidecar: own its folder, serve on loopback, say when ready, clean up at the end.

Belongs here: the server half, run in the sidecar's own process. Does not: what is served.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl_dagster.sandbox import sidecar_folder
from etl_dagster.sandbox.sidecar_folder import Sidecar

HOST = "127.0.0.1"
#: Answered by every sidecar itself, whatever it serves.
IDENTITY_PATH = "/_sidecar"

_DRAIN_SECONDS = 5
# Longer than clients keep idle connections: closing them first makes a client's next request fail.
_KEEP_ALIVE_SECONDS = 3600

_HERE = (HOST, "localhost")

ASGIApp = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def serve(
    build: Callable[[Path], AbstractContextManager[ASGIApp]],
    *,
    name: str,
    home: Path,
    idle_seconds: float = 0.0,
) -> None:
    """Be the sidecar ``name``: serve an application on loopback until stopped or idle.

    Args:
        build: Makes the application: given the sidecar's folder once that is owned, since only its
            owner may build; left after the last request.
        name: The sidecar's and its folder's.
        home: Folder that holds the sidecars' folders; made if missing.
        idle_seconds: Stop after so long without a request; 0 means never.

    Raises:
        SystemExit: With :data:`~etl_dagster.sandbox.sidecar_folder.ALREADY_RUNNING` if another
            process is this sidecar; with 0 when stopped by SIGTERM.
        SidecarError: The folder is unusable.
    """
    folder = sidecar_folder.make(home, name)
    # uvicorn raises a signal again after its graceful stop: as SystemExit, the contexts are left.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    with sidecar_folder.hold(folder), build(folder) as app, socket.create_server((HOST, 0)) as it:
        port = it.getsockname()[1]
        identity = Sidecar(name, HOST, port, os.getpid(), f"http://{HOST}:{port}")
        _run(app, it, identity, folder, idle_seconds)


def from_here(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a program of this machine asks, and not a page in its browser.

    A page can send requests to loopback, and read the answers if its own name leads there (DNS
    rebinding); the browser then names the page in `Origin`, or its name in `Host`.

    Args:
        headers: of a request, names in lower case.
    """
    host = headers.get(b"host", b"").decode("latin-1").rpartition(":")
    return b"origin" not in headers and (host[0] or host[2]) in _HERE


def _run(
    app: ASGIApp, listener: socket.socket, identity: Sidecar, folder: Path, idle_seconds: float
) -> None:
    import uvicorn  # noqa: PLC0415 - clients import this module too, and need none of it

    content = json.dumps(asdict(identity)).encode()
    running, last = 0, time.monotonic()

    async def counting(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        nonlocal running, last
        running += 1
        try:
            if scope["type"] == "http" and not from_here(dict(scope["headers"])):
                await send({"type": "http.response.start", "status": 403, "headers": []})
                await send({"type": "http.response.body"})
            elif scope["type"] == "http" and scope["path"] == IDENTITY_PATH:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": content})
            else:
                await app(scope, receive, send)
        finally:
            running, last = running - 1, time.monotonic()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sidecar_folder.announce(folder, identity)

        async def on_tick(self, counter: int) -> bool:
            idle = not running and time.monotonic() - last > idle_seconds > 0
            return await super().on_tick(counter) or idle

    config = uvicorn.Config(
        counting,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    Server(config).run(sockets=[listener])


def _exit(number: int, _frame: object) -> None:
    raise SystemExit(0 if number == signal.SIGTERM else 128 + number)
