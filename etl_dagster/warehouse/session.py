"""The warehouse: one small pool of connections per process, lent out as sessions.

Belongs here: making connections, keeping them, taking them back in a clean state. Does not: what is
done with one (:mod:`~etl_dagster.warehouse.execution`), settings
(:mod:`~etl_dagster.warehouse.config`). Nothing connects, or imports the connector, before the
first session is borrowed.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from etl_dagster.leads.campaign_columns import Column
from etl_dagster.settings import is_loopback
from etl_dagster.warehouse import loading
from etl_dagster.warehouse.config import WarehouseConfig, listens
from etl_dagster.warehouse.errors import (
    SchemaMissingError,
    StatementError,
    WarehouseMisuseError,
    not_signed_in,
)
from etl_dagster.warehouse.execution import Session
from etl_dagster.warehouse.statements import Statement, sql

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from sqlalchemy.pool import PoolProxiedConnection, QueuePool

__all__ = ["Column", "Session", "Statement", "Warehouse", "WarehouseConfig", "sql"]

# Snowflake's "does not exist or not authorized".
_MISSING = frozenset({2003, 2043})
_CHECK_AFTER_IDLE_SECONDS = 60.0
_BORROW_SECONDS = 300.0
# https://docs.snowflake.com/en/sql-reference/parameters#query-tag
_TAG_LENGTH = 2000


class _Pool:
    """Connections of this process, made when needed; shared by all views of one warehouse."""

    def __init__(self, config: WarehouseConfig, address: Callable[[], Mapping[str, Any]]) -> None:
        self._config = config
        self._address = address
        self._lock = threading.Lock()
        self._queue: QueuePool | None = None

    def borrow(self) -> "PoolProxiedConnection":
        with self._lock:
            if self._queue is None:
                self._queue = self._make()
            queue = self._queue
        lent = queue.connect()
        if not self._usable(lent):
            lent.invalidate()
            lent = queue.connect()
        return lent

    @staticmethod
    def _usable(lent: "PoolProxiedConnection") -> bool:
        used = _info(lent).get("used")
        if used is None:
            return True  # made this moment
        raw = _raw(lent)
        if is_loopback(raw.host) and not listens(raw.host, int(raw.port)):
            return False
        idle = time.monotonic() - used
        return idle < _CHECK_AFTER_IDLE_SECONDS or raw.is_valid()

    def give_back(self, lent: "PoolProxiedConnection", *, broken: bool) -> None:
        if broken:
            lent.invalidate()
        else:
            _info(lent)["used"] = time.monotonic()
            lent.close()

    def close(self) -> None:
        with self._lock:
            queue, self._queue = self._queue, None
        if queue is not None:
            queue.dispose()

    def _make(self) -> "QueuePool":
        from sqlalchemy.pool import QueuePool  # noqa: PLC0415 - a fifth of a second, once needed

        loading.sweep()
        return QueuePool(
            cast("Any", self._connect),  # the connector is a DB-API one without saying so in types
            pool_size=self._config.pool_size,
            max_overflow=0,
            timeout=_BORROW_SECONDS,
            reset_on_return=None,  # Warehouse.session leaves no transaction open
            use_lifo=True,  # surplus connections grow old and are found out, instead of all a bit
        )

    def _connect(self) -> "SnowflakeConnection":
        import snowflake.connector  # noqa: PLC0415 - half a second, once it is needed

        try:
            arguments = self._config.connector_arguments(self._address())
            return snowflake.connector.connect(**arguments)
        except (snowflake.connector.errors.Error, OSError) as error:
            problem = not_signed_in(error)
        raise problem


class Warehouse:
    """Lends sessions; safe to share between threads, free until first used.

    Args:
        config: Whom to connect to.
        address: Asked for host, port and protocol at every new connection; for a server that may
            come back elsewhere, such as the embedded one.
    """

    def __init__(
        self, config: WarehouseConfig, *, address: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        self.config = config
        self._tags: dict[str, str] = {}
        self._pool = _Pool(config, address)

    def with_tag(self, **tags: str) -> "Warehouse":
        """Return a view of this warehouse, on the same connections, that adds ``tags``.

        They are put into Snowflake's QUERY_TAG, as JSON, with every statement.
        """
        view = object.__new__(Warehouse)
        view.config, view._pool = self.config, self._pool
        view._tags = {**self._tags, **tags}
        return view

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend a session; afterwards nothing is left open, whatever the body raised.

        Raises:
            SignInError: Snowflake does not let this user in.
            WarehouseUnreachableError: No connection can be made.
        """
        tag = self._query_tag()
        lent = self._pool.borrow()
        session = Session(_raw(lent), query_tag=tag)
        try:
            yield session
        finally:
            self._pool.give_back(lent, broken=session.broken)

    def ensure_schema(self) -> None:
        """Make the configured database and schema if they are missing."""
        database, schema = self._place()
        with self.session() as session:
            if _is_there(session, f"SCHEMA {database}.{schema}"):
                return
            if not _is_there(session, f"DATABASE {database}"):
                session.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {database}.{schema}")
        self.close()  # connections made before would have no current schema

    def need_schema(self) -> None:
        """See to it that the configured schema is there; nothing is made.

        Raises:
            SchemaMissingError: it is not, or this role may not use it.
        """
        database, schema = self._place()
        with self.session() as session:
            if _is_there(session, f"SCHEMA {database}.{schema}"):
                return
        raise SchemaMissingError(
            f"there is no schema {self.config.schema} (SNOWFLAKE_SCHEMA) in the database"
            f" {self.config.database} (SNOWFLAKE_DATABASE), or the role"
            f" {self.config.role or 'of this user'} (SNOWFLAKE_ROLE) may not use it. Correct the"
            f" setting, or let a role that may run CREATE SCHEMA {database}.{schema}; and the"
            " grants in docs/grants.sql"
        )

    def _place(self) -> tuple[str, str]:
        return _quoted(self.config.database), _quoted(self.config.schema)

    def close(self) -> None:
        """Close the idle connections; using the warehouse again makes new ones."""
        with suppress(Exception):  # they may lead nowhere any more: then there is nothing to close
            self._pool.close()

    def _query_tag(self) -> str:
        tag = json.dumps(self._tags, sort_keys=True) if self._tags else ""
        if len(tag) > _TAG_LENGTH:
            raise WarehouseMisuseError(f"query tag of {len(tag)} characters; Snowflake takes 2,000")
        return tag


def _raw(lent: "PoolProxiedConnection") -> "SnowflakeConnection":
    return cast("SnowflakeConnection", lent.dbapi_connection)


def _info(lent: "PoolProxiedConnection") -> dict[Any, Any]:
    """Return what is noted about the connection, for as long as it lives."""
    return cast("dict[Any, Any]", lent.record_info)


def _quoted(identifier: str) -> str:
    """Return the identifier in quotes, as Snowflake would store it unquoted."""
    return '"' + identifier.upper().replace('"', '""') + '"'


def _is_there(session: Session, place: str) -> bool:
    """Use a database or a schema; tell whether there is one that this role may use."""
    try:
        session.execute(f"USE {place}")
    except StatementError as error:
        if error.number not in _MISSING:
            raise
        return False
    return True
