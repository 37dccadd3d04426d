"""Production is reached as its settings say, and has no stand-ins."""

from pathlib import Path

import pytest

from etl_dagster.connect import connect
from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import SignInError
from etl_dagster_tests.test_settings import PRODUCTION


def test_a_key_that_is_not_there_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    home, key = tmp_path / "home", tmp_path / "missing.p8"
    of_ours = {"ETL_HOME": str(home), "SNOWFLAKE_PRIVATE_KEY_PATH": str(key)}
    with pytest.raises(SignInError, match=str(key)):
        connect(Settings.from_environment({**PRODUCTION, **of_ours}))
    assert not home.exists()
