"""Snowflake as a resource, opened on first use.

Belongs here: its configuration turned into a `Warehouse`. Does not: what a warehouse does
(`etl_dagster.warehouse`).
"""

from typing import Any

import dagster as dg
from dagster import ResourceDependency
from pydantic import Field, PrivateAttr

from etl_dagster.connect import open_warehouse
from etl_dagster.defs.resources.local import UNSET, LocalResource
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig


class WarehouseResource(dg.ConfigurableResource[Any]):
    """Snowflake. Field names are those of dagster-snowflake's resource."""

    local: ResourceDependency[LocalResource]
    account: str = Field(description="Account identifier")
    user: str = Field(description="User name")
    password: str = Field(UNSET, description="Password, where no key pair is used")
    private_key: str = Field(UNSET, description="Private key, PEM text")
    private_key_path: str = Field(UNSET, description="Private key file, PEM")
    private_key_password: str = Field(UNSET, description="Pass phrase of the private key")
    role: str = Field(UNSET, description="Role")
    warehouse: str = Field(UNSET, description="Virtual warehouse")
    database: str = Field(description="Database of the campaigns' sources and of our tables")
    schema_: str = Field(alias="schema", description="Schema of our tables")
    host: str = Field(UNSET, description="Host, where it does not follow from the account")
    chunks: int = Field(description="Chunks a day is cut into")
    _warehouse: Warehouse | None = PrivateAttr(None)

    def open(self, **tags: str) -> Warehouse:
        """The warehouse, its tables made if they are missing; statements carry `tags`."""
        if self._warehouse is None:
            self._warehouse = self._connect()
        return self._warehouse.with_tag(**tags)

    def for_step(self, context: dg.AssetExecutionContext) -> Warehouse:
        """The warehouse, with the run and the asset in every statement's QUERY_TAG."""
        return self.open(run_id=context.run.run_id, asset=context.asset_key.to_user_string())

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections."""
        del context
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None

    def _connect(self) -> Warehouse:
        config = WarehouseConfig(
            account=self.account,
            user=self.user,
            password=self.password or None,
            private_key=self.private_key or None,
            private_key_path=self.private_key_path or None,
            private_key_password=self.private_key_password or None,
            role=self.role or None,
            warehouse=self.warehouse or None,
            database=self.database,
            schema=self.schema_,
            connection_args={"host": self.host} if self.host else {},
        )
        return open_warehouse(config, chunks=self.chunks, world=self.local.world())
