"""A warehouse that is ready for work: reachable, its tables there, in a local deployment filled.

Belongs here: what happens once before the first statement of a process. Does not: statements.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from etl_dagster.warehouse.clock import need_clock
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig
from etl_dagster.warehouse.tables import TABLES, VIEWS, create_tables, missing_tables, need_tables

if TYPE_CHECKING:
    from pydantic import SecretStr

    from etl_dagster.sandbox.local import LocalWorld
    from etl_dagster.settings import Settings


def connect(settings: "Settings", *, reads: Collection[str] | None = None) -> Warehouse:
    """Open the warehouse that the settings name; see `open_warehouse`."""
    world = None
    if settings.is_local:
        from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415  production has none

        world = LocalWorld(settings.home)
    config = warehouse_config(settings)
    return open_warehouse(config, chunks=settings.chunks, world=world, reads=reads)


def open_warehouse(
    config: WarehouseConfig,
    *,
    chunks: int,
    world: "LocalWorld | None",
    reads: Collection[str] | None = None,
) -> Warehouse:
    """Connect, and make what is missing, or, for who only reads, see to it that nothing is.

    Args:
        config: whom to connect to.
        chunks: the number of chunks a day is cut into.
        world: the stand-ins of a local deployment, which are started; None in production.
        reads: the tables and views that will be read, and nothing written: a role that may SELECT
            from them is enough. Only in a local deployment they are then made if one is missing.
            None: for writing.

    Raises:
        SchemaMissingError: the schema is not there, which nothing but a local deployment makes.
        ClockError: this host's clock is not Snowflake's.
        ChunksChangedError: the tables were written with another number of chunks.
        TablesMissingError: something to be read is not there, or not for this role.
        WarehouseError: Snowflake cannot be reached, or refused.
        SidecarError: the embedded Snowflake cannot be started.
    """
    for module in ("cursor", "connection", "result_batch"):
        logging.getLogger(f"snowflake.connector.{module}").addFilter(_quotes_no_data)
    if world:
        # the embedded server asks nobody who they are, but the connector insists on a password
        config = replace(config, password=config.user)
    warehouse = Warehouse(config, address=world.snowflake_address if world else dict)
    try:
        if world:
            warehouse.ensure_schema()
        else:
            warehouse.need_schema()  # made here, a mistyped one would be an empty ledger
        with warehouse.session() as session:
            need_clock(session)
            if reads is None or (world and missing_tables(session, (*TABLES, *VIEWS))):
                create_tables(session, chunks=chunks)
            else:
                need_tables(session, reads, chunks=chunks)
        if world:
            world.load_sample(warehouse)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def _quotes_no_data(record: logging.LogRecord) -> bool:
    """Whether the connector may log it: at DEBUG it logs statements and errors with values."""
    return record.levelno > logging.DEBUG


def warehouse_config(settings: "Settings") -> WarehouseConfig:
    """The part of the settings that says how to reach Snowflake."""

    def revealed(secret: "SecretStr | None") -> str | None:
        return secret.get_secret_value() if secret else None

    path = settings.snowflake_private_key_path
    return WarehouseConfig(
        account=settings.snowflake_account,
        user=settings.snowflake_user,
        password=revealed(settings.snowflake_password),
        private_key=revealed(settings.snowflake_private_key),
        private_key_path=str(path) if path else None,
        private_key_password=revealed(settings.snowflake_private_key_password),
        role=settings.snowflake_role,
        warehouse=settings.snowflake_warehouse,
        database=settings.snowflake_database,
        schema=settings.snowflake_schema,
        connection_args={"host": settings.snowflake_host} if settings.snowflake_host else {},
    )
