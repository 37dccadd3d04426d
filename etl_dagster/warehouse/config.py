"""How to reach Snowflake, and as whom.

Belongs here: the settings, named as dagster-snowflake names them, how they become the connector's
arguments, and what is different of a server on this machine, which, once killed, does not come back
where it was. Does not: reading them from anywhere; starting such a server.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl_dagster.settings import is_loopback
from etl_dagster.warehouse.errors import SignInError

HTTPS_PORT = 443
_CONNECT_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class WarehouseConfig:
    """Settings of one Snowflake account and user; secrets stay out of ``repr``.

    Attributes:
        account: Account identifier.
        user: User name.
        password: Password, or
        private_key: text of a PEM private key, or
        private_key_path: path of one;
        private_key_password: what it is encrypted with.
        role: Role; default: the user's.
        warehouse: Virtual warehouse; default: the user's.
        database: Database that holds the project's tables.
        schema: Schema that holds them.
        connection_args: Anything else that the connector takes, such as host, port, protocol.
        pool_size: Most connections a process holds.
        login_timeout: Seconds.
        network_timeout: Seconds without an answer after which a request is given up; None: never.
        statement_timeout_seconds: Longest that one statement may run.
    """

    account: str
    user: str
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    private_key_path: str | None = field(default=None, repr=False)
    private_key_password: str | None = field(default=None, repr=False)
    role: str | None = None
    warehouse: str | None = None
    database: str
    schema: str
    connection_args: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pool_size: int = 8
    login_timeout: int = 30
    network_timeout: int | None = None
    statement_timeout_seconds: int = 3600

    def connector_arguments(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``snowflake.connector.connect``.

        Args:
            overrides: Take precedence over ``connection_args``, such as the address of a server
                that may have moved.

        Raises:
            SignInError: the private key cannot be read, or is none.
        """
        extra = {**self.connection_args, **overrides}
        host = str(extra.get("host", ""))
        session: dict[str, Any] = {
            "STATEMENT_TIMEOUT_IN_SECONDS": self.statement_timeout_seconds,
            "TIMEZONE": "UTC",
            # An account may have others: results cut off in silence, days and months exchanged.
            "ROWS_PER_RESULTSET": 0,
            "DATE_INPUT_FORMAT": "AUTO",
            "TIMESTAMP_INPUT_FORMAT": "AUTO",
            **extra.pop("session_parameters", {}),
        }
        if is_loopback(host):
            # it has nobody to report to, and looking for a cloud to be in takes time
            session |= {
                "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
                "CLIENT_TELEMETRY_ENABLED": False,
                "ETL_CLIENT_PROCESS_ID": os.getpid(),
            }
            extra.setdefault("platform_detection_timeout_seconds", 0.0)
            port = int(extra.get("port", HTTPS_PORT))
            extra.setdefault("backoff_policy", retrying_while_it_listens(host, port))
        named = {
            "account": self.account,
            "user": self.user,
            "password": self.password,
            "private_key": self._key(),
            "role": self.role,
            "warehouse": self.warehouse,
            "database": self.database,
            "schema": self.schema,
            "login_timeout": self.login_timeout,
            "network_timeout": self.network_timeout,
        }
        present = {name: value for name, value in named.items() if value is not None}
        return {"application": "etl_dagster", **present, **extra, "session_parameters": session}

    def _key(self) -> bytes | None:
        """Return the private key as the connector takes it from memory."""
        if self.private_key is not None:
            name, pem = "SNOWFLAKE_PRIVATE_KEY", self.private_key.encode()
        elif self.private_key_path is not None:
            name = f"SNOWFLAKE_PRIVATE_KEY_PATH: {self.private_key_path}"
            try:
                pem = Path(self.private_key_path).read_bytes()
            except OSError as error:
                raise SignInError(f"{name}: {error.strerror}") from None
        else:
            return None
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - rarely needed
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

        phrase = self.private_key_password.encode() if self.private_key_password else None
        try:
            key = form.load_pem_private_key(pem, password=phrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, RSAPrivateKey):
            # not chained: a parser's error could quote what it read
            raise SignInError(
                f"{name} is not an RSA private key in PEM, or SNOWFLAKE_PRIVATE_KEY_PASSWORD is not"
                " its pass phrase (set if and only if it has one)"
            )
        return key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())


def listens(host: str, port: int) -> bool:
    """Whether a server is there; one too busy to answer is."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        return not isinstance(error, ConnectionRefusedError)
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
