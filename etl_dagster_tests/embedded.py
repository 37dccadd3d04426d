"""The embedded Snowflake as tests meet it: how to reach it, how it dies, what keeps it busy."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.warehouse.config import listens
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig

# Longer than any test waits: 40 billion multiplications.
LONG = """
SELECT SUM(a.x * b.x)
FROM (SELECT ROW_NUMBER() OVER (ORDER BY 1) AS x FROM TABLE(GENERATOR(ROWCOUNT => 200000))) AS a,
     (SELECT ROW_NUMBER() OVER (ORDER BY 1) AS x FROM TABLE(GENERATOR(ROWCOUNT => 200000))) AS b
WHERE MOD(a.x * b.x, 7) = 3
"""


def address_of(server: sidecar.Sidecar) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "protocol": "http"}


def config_of(server: sidecar.Sidecar, schema: str, **more: Any) -> WarehouseConfig:
    """How to reach a schema of a server; it need not be there."""
    more = {"database": "ETL_TEST", "connection_args": address_of(server), **more}
    return WarehouseConfig(
        account="embedded", user="embedded", password="embedded", schema=schema, **more
    )


def following(home: Path, config: WarehouseConfig) -> Warehouse:
    """A warehouse on the server of a home, started if it is not up, and on its successors."""
    return Warehouse(
        replace(config, connection_args={}), address=lambda: address_of(start_snowflake(home))
    )


def kill(home: Path) -> None:
    """Kill the server of a home, and see it gone."""
    server = sidecar.find(NAME, home)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    while listens(server.host, server.port) or sidecar.find(NAME, home) is not None:
        time.sleep(0.01)
