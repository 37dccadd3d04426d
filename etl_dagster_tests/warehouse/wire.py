"""A stop between the connector and the server, where every statement is written down."""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from etl_dagster.sandbox import sidecar

QUERY = "/queries/v1/query-request"


@contextmanager
def listening(
    server: sidecar.Sidecar, *, instead: Mapping[str, str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Pass on to a server what comes to a port of this host.

    Args:
        server: the server.
        instead: statements to another that is passed on for them, whose answer the sender takes
            for its own's.

    Yields:
        The port, and the statements, in the order in which they come.
    """
    heard: list[str] = []

    class Stop(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            packed = self.headers.get("Content-Encoding") == "gzip"
            if self.path.startswith(QUERY):
                query = json.loads(gzip.decompress(body) if packed else body)
                heard.append(query["sqlText"])
                query["sqlText"] = (instead or {}).get(query["sqlText"], query["sqlText"])
                body = json.dumps(query).encode()
                body = gzip.compress(body) if packed else body
            self._pass_on(body)

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_PUT(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _pass_on(self, body: bytes) -> None:
            onward = HTTPConnection(server.host, server.port)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "content-length"}
            onward.request(self.command, self.path, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            onward.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stop) as http:
        http.daemon_threads = True
        Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield http.server_port, heard
        finally:
            http.shutdown()
