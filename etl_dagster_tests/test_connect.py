"""Production is reached as its settings say, and has no stand-ins."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from etl_dagster.connect import connect, open_warehouse
from etl_dagster.sandbox import sidecar
from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import ClockError, SignInError
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.tables import TABLES, VIEWS, missing_tables
from etl_dagster_tests.embedded import address_of
from etl_dagster_tests.test_settings import PRODUCTION
from etl_dagster_tests.warehouse.wire import listening

HOUR_AHEAD = {"SELECT SYSDATE()": "SELECT DATEADD(hour, 1, SYSDATE())"}


def test_a_key_that_is_not_there_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    home, key = tmp_path / "home", tmp_path / "missing.p8"
    of_ours = {"ETL_HOME": str(home), "SNOWFLAKE_PRIVATE_KEY_PATH": str(key)}
    with pytest.raises(SignInError, match=str(key)):
        connect(Settings.from_environment({**PRODUCTION, **of_ours}))
    assert not home.exists()


@pytest.mark.parametrize("reads", [None, ["LEADS"]], ids=["to write", "to read"])
def test_a_host_of_another_time_gets_no_warehouse(
    snowflake_server: sidecar.Sidecar, warehouse: Warehouse, reads: Collection[str] | None
) -> None:
    with listening(snowflake_server, instead=HOUR_AHEAD) as (port, heard):
        reached = {**address_of(snowflake_server), "port": port}
        config = replace(warehouse.config, connection_args=reached)
        with pytest.raises(ClockError, match="3,600 seconds behind Snowflake's"):
            open_warehouse(config, chunks=1, world=None, reads=reads)
    assert set(HOUR_AHEAD) <= set(heard)
    with warehouse.session() as session:
        assert len(missing_tables(session, (*TABLES, *VIEWS))) == len(TABLES) + len(VIEWS)
