"""A small HTTP server with its hands on the socket, so that connections can fail in every way.

Belongs here: bytes in, bytes out, and the effects that need the transport: resets, drips, a
closed port. Does not: what is answered, which is the service's. An ASGI server would hide the
transport and cost twice the time per request.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from etl_dagster.sandbox.ccc_faults import Reply
from etl_dagster.sandbox.ccc_service import CccSandbox
from etl_dagster.sandbox.sidecar_server import HOST, from_here

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REOPEN_SECONDS = 0.02
_WRITTEN_SECONDS = 0.01  # a reset at once may make the kernel drop what was written


class Server:
    """The listening socket and its connections; :meth:`refuse` closes both for a while."""

    def __init__(self, service: CccSandbox, *, tls: ssl.SSLContext | None = None) -> None:
        self.service = service
        self._tls = tls
        self.connections: set[_Connection] = set()
        self.port = 0
        self._server: asyncio.Server

    async def open(self) -> None:
        """Listen on any free port, later on the same again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), HOST, self.port, backlog=1024, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _reopen(self) -> None:
        while True:
            try:
                return await self.open()
            except OSError:  # the old socket is still on its way out
                await asyncio.sleep(_REOPEN_SECONDS)

    def close(self) -> None:
        """Stop listening and reset every connection."""
        self._server.close()
        for connection in list(self.connections):
            connection.reset()

    def refuse(self, seconds: float) -> None:
        """Close the port, so that connecting fails, and open it again after ``seconds``."""
        self.close()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: loop.create_task(self._reopen()))


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._reply: Reply | None = None
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # what TCP servers get
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.connections.discard(self)
        self._finish()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    # What the parser calls:

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        body = b"".join(self._body)
        if not from_here(self._headers):
            self._transport.abort()
            return
        reply = self._server.service.handle(method, self._target, self._headers, body)
        self._reply = reply
        if reply.delay > 0:
            asyncio.get_running_loop().call_later(reply.delay, self._send, reply)
        else:
            self._send(reply)

    # What a reply does:

    def _send(self, reply: Reply) -> None:
        head = _head(reply)
        data = head + reply.body
        if self._transport.is_closing():
            return
        if reply.effect == "send":
            self._transport.write(data)
            self._finish()
        elif reply.effect == "reset":
            self.reset()
        elif reply.effect == "reset_in_body":
            self._transport.write(data[: len(head) + len(reply.body) // 2])
            self._later(_WRITTEN_SECONDS, self.reset)
        elif reply.effect == "hang":
            self._later(reply.seconds, self.reset)
        elif reply.effect == "refuse":
            self._server.refuse(reply.seconds)
        else:
            self._drip(data, len(head) if reply.effect == "drip" else 1, reply.seconds)

    def _drip(self, data: bytes, size: int, seconds: float) -> None:
        """Write the first ``size`` bytes, and later the rest, one at a time."""
        if self._transport.is_closing():
            return
        self._transport.write(data[:size])
        if data[size:]:
            self._later(seconds, lambda: self._drip(data[size:], 1, seconds))
        else:
            self._finish()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)

    def reset(self) -> None:
        """End the connection with a TCP reset, as a crashed peer or a firewall does."""
        if not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def _finish(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            self._server.service.finished(reply)


def _head(reply: Reply) -> bytes:
    headers = {
        "Content-Type": reply.content_type,
        "Content-Length": str(len(reply.body)),
        **dict(reply.headers),
    }
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
