"""Fixtures that more than one area needs: one embedded Snowflake a session, a schema a test."""

import uuid
from collections.abc import Iterator

import pytest
from fakeredis import FakeRedis, FakeServer
from hypothesis import settings

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig
from etl_dagster.warehouse.tables import TABLES, create_tables
from etl_dagster_tests.embedded import config_of
from etl_dagster_tests.receiver import Receiver, receiving
from etl_dagster_tests.warehouse.conftest import Tables

# A busy machine is no failure of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
    return config_of(snowflake_server, f"T_{uuid.uuid4().hex[:12]}".upper())


@pytest.fixture
def warehouse(warehouse_config: WarehouseConfig) -> Iterator[Warehouse]:
    """A warehouse on an empty schema of its own."""
    made = Warehouse(warehouse_config)
    made.ensure_schema()
    yield made
    made.close()


@pytest.fixture(scope="session")
def tables_warehouse(snowflake_server: sidecar.Sidecar) -> Iterator[Warehouse]:
    """A warehouse whose schema has the project's tables."""
    made = Warehouse(config_of(snowflake_server, "TABLES"))
    made.ensure_schema()
    with made.session() as session:
        create_tables(session, chunks=1)
    yield made
    made.close()


@pytest.fixture
def tables(tables_warehouse: Warehouse) -> Iterator[Tables]:
    """The project's tables, empty."""
    with tables_warehouse.session() as session:
        for name in TABLES:
            session.execute(f"DELETE FROM {name}")
        yield Tables(session)


@pytest.fixture
def redis_server() -> FakeServer:
    """A Redis that several clients share, and that can be taken away."""
    return FakeServer()


@pytest.fixture
def redis(redis_server: FakeServer) -> FakeRedis:
    """A client of it."""
    return FakeRedis(server=redis_server)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who is alerted by HTTP."""
    with receiving() as one:
        yield one
