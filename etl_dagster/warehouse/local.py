"""Talking to a server on this machine, which, once killed, does not come back where it was.

Belongs here: what is different from a service behind a network. Does not: starting such a server.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator

_CONNECT_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 4


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listens(host: str, port: int) -> bool:
    """Whether a server is there; one too busy to answer is."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True


def retrying_while_it_listens(host: str, port: int) -> Callable[[], Iterator[int]]:
    """Return a backoff policy for the connector: try again only as long as a server is there.

    The connector's own policies try for as long as a statement may run, which is right for a
    service that comes back. The policy ends the retrying in the one way that it can, by raising.
    """

    def pauses() -> Iterator[int]:
        pause = 0
        yield pause
        while listens(host, port):
            pause = min(pause + 1, _LONGEST_PAUSE_SECONDS)
            yield pause
        raise ConnectionRefusedError(f"no server listens on {host}:{port} any more")

    return pauses
