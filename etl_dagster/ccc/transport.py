"""An httpx transport whose requests have a total deadline and can be cut off at any moment.

Belongs here: sockets and time. Does not: what is sent or received. httpx's read time-out starts
anew with every byte, so a server that drips keeps a request for ever; and nothing but a shutdown
of its socket wakes a thread that waits in a read.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

_KEEPALIVE_SECONDS = 30.0


class GuardedTransport(httpx.BaseTransport):
    """One pool of connections; raises httpcore's exceptions.

    Args:
        connections: At most so many at a time.
        tls: Whether https will be spoken: without it, reading the certificates is saved.
    """

    def __init__(self, *, connections: int, tls: bool) -> None:
        self._network = _Network()
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls_context() if tls else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=self._network,
        )

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let what this thread requests in the body take at most so long altogether."""
        self._network.local.until = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._network.local.until

    def abort(self) -> None:
        """End every request at once, from any thread."""
        self._network.abort()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        url = request.url
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


class _Network(httpcore.NetworkBackend):
    """Makes guarded connections, and knows them all."""

    def __init__(self) -> None:
        self.local = threading.local()
        self._inner = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._open: set[_Stream] = set()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(
            host, port, self.remaining(timeout), local_address, socket_options
        )
        return self.guard(stream)

    def guard(self, stream: httpcore.NetworkStream) -> "_Stream":
        guarded = _Stream(stream, self)
        with self._lock:
            self._open.add(guarded)
        return guarded

    def forget(self, stream: "_Stream") -> None:
        with self._lock:
            self._open.discard(stream)

    def remaining(self, timeout: float | None) -> float | None:
        """Return the time-out, shortened to what this thread has left.

        Raises:
            httpcore.ReadTimeout: Nothing is left.
        """
        until = getattr(self.local, "until", None)
        if until is None:
            return timeout
        left = float(until - time.monotonic())
        if left <= 0:
            raise httpcore.ReadTimeout("the request's time is up")
        return left if timeout is None else min(timeout, left)

    def abort(self) -> None:
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            stream.shut_down()


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, network: _Network) -> None:
        self._inner = inner
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._network.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._network.remaining(timeout))

    def close(self) -> None:
        self._network.forget(self)
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        remaining = self._network.remaining(timeout)
        secured = self._inner.start_tls(ssl_context, server_hostname, remaining)
        self._network.forget(self)
        return self._network.guard(secured)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def shut_down(self) -> None:
        # The plain socket's method: TLS's own would meddle with a read that is under way.
        with contextlib.suppress(OSError):  # already closed
            socket.socket.shutdown(self.get_extra_info("socket"), socket.SHUT_RDWR)


def _tls_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
