"""Where things are: folders of this machine, addresses of others.

Belongs here: what a path or an address may be. Does not: which there are
(:mod:`~etl_dagster.settings.fields`).
"""

import ipaddress
import re
import socket
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

_PACKAGE: Final = Path(__file__).resolve().parents[1]
PROJECT: Final = next(filter(Path.is_dir, [_PACKAGE / "checkout", _PACKAGE.parent]))
"""The checkout, or what a wheel has of it: sample campaigns, Dagster's configuration."""
HOME: Final = PROJECT / ".etl" if _PACKAGE.parent == PROJECT else Path(".etl")
"""The folder of all local state, if it is not set."""
LOCAL_ACCOUNT: Final = "embedded"
"""The account identifier of the embedded Snowflake."""
_KEY: Final = re.compile(r"[\r\n]|-----BEGIN|^\W*M[A-Za-z0-9+/=]{40}")
"""PEM, or its base64 alone, which begins with the same letter for any key."""


def is_loopback(address: str) -> bool:
    """Tell whether a URL or host name stays on this machine.

    Raises:
        ValueError: it is no address.
    """
    host = _parts(address).hostname or address
    try:
        # IPv4 as the system reads it: 127.1 and 2130706433 are loopback, too
        number = ipaddress.ip_address(host if ":" in host else socket.inet_aton(host))
    except (OSError, ValueError):
        return f".{host.rstrip('.')}".endswith(".localhost")
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_loopback or number.is_unspecified


def _parts(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"//{address}")


def _absolute(path: Path) -> Path:
    if _KEY.search(str(path)):  # which is never shown
        raise ValueError("holds a key or a line break, not a path")
    try:
        return path.expanduser().resolve()
    except RuntimeError:
        raise ValueError("expected a path; ~ names a user whom this machine has not") from None


def _address(address: str) -> str:
    expected = "expected an address, such as https://host.example"
    if any(map(str.isspace, address)):
        raise ValueError(expected)
    try:
        is_loopback(address)
        parts = _parts(address)
    except ValueError:
        raise ValueError(expected) from None
    if parts.username is not None:  # an address is shown, and may be in a log
        raise ValueError("holds a user or a password before @, which no address here may")
    return address


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Address = Annotated[str, AfterValidator(_address)]
