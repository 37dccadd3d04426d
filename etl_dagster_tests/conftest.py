"""Fixtures that more than one area needs: one embedded Snowflake a session, a schema a test."""

import uuid
from collections.abc import Iterator

import pytest

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig


@pytest.fixture(scope="session")
def snowflake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sidecar.Sidecar]:
    """The embedded Snowflake, on data of its own; with xdist one per worker."""
    home = tmp_path_factory.mktemp("snowflake_home")
    try:
        yield start_snowflake(home)
    finally:
        sidecar.stop(NAME, home)


@pytest.fixture
def warehouse_config(snowflake_server: sidecar.Sidecar) -> WarehouseConfig:
    """How to reach a schema that no other test uses, not yet made."""
    return WarehouseConfig(
        account="embedded",
        user="embedded",
        password="embedded",
        database="ETL_TEST",
        schema=f"T_{uuid.uuid4().hex[:12]}".upper(),
        connection_args={
            "host": snowflake_server.host,
            "port": snowflake_server.port,
            "protocol": "http",
        },
    )


@pytest.fixture
def warehouse(warehouse_config: WarehouseConfig) -> Iterator[Warehouse]:
    """A warehouse on an empty schema of its own."""
    made = Warehouse(warehouse_config)
    made.ensure_schema()
    yield made
    made.close()
