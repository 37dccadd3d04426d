"""The page "from the sample to your Snowflake", step by step: its own lines, its own settings.

Only the address differs: the embedded server answers in place of the account. It knows no grants,
so of the page's statements those about roles and users are not run.
"""

import re
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from etl_dagster.connect import open_warehouse, warehouse_config
from etl_dagster.leads.campaigns import load_campaigns
from etl_dagster.leads.policy import Policy
from etl_dagster.report import preview
from etl_dagster.sandbox import sidecar
from etl_dagster.settings import PROJECT, Settings
from etl_dagster.warehouse.errors import SchemaMissingError
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.tables import TablesMissingError

PAGE = (PROJECT / "docs" / "your_snowflake.md").read_text("utf-8")
DAY = date(2026, 11, 20)


def test_the_steps_of_the_page_lead_to_a_day_that_could_run(
    snowflake_server: sidecar.Sidecar, tmp_path: Path
) -> None:
    scripts = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    grants, campaign = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    public = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", scripts[0]], cwd=tmp_path, check=True, text=True,
        capture_output=True,
    ).stdout  # fmt: skip
    assert re.fullmatch(r"[A-Za-z0-9+/]{300,}={0,2}", public)
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "recent_buyers.sql").write_text(campaign, encoding="utf-8")

    told = [word for word in shlex.split(scripts[1]) if "=" in word]
    environment = dict(word.replace("=...", "=k3y").split("=", 1) for word in told)
    places = {"ETL_CAMPAIGNS_DIR": "campaigns", "SNOWFLAKE_PRIVATE_KEY_PATH": "etl.p8"}
    here = {name: str(tmp_path / place) for name, place in places.items()}
    settings = Settings.from_environment({**environment, **here})
    assert not settings.is_local

    address = {"host": snowflake_server.host, "port": snowflake_server.port, "protocol": "http"}
    config = replace(warehouse_config(settings), connection_args=address)
    with Warehouse(config).session() as session:
        session.execute("CREATE DATABASE IF NOT EXISTS SALES")
        with pytest.raises(SchemaMissingError, match=r"docs/grants\.sql"):
            open_warehouse(config, chunks=settings.chunks, world=None)
        (schema,) = re.findall(r"^CREATE SCHEMA [^;]+", grants, re.MULTILINE)
        session.execute(schema)
    commands = re.findall(r"^etl-dagster (\w+)", scripts[3], re.MULTILINE)
    assert commands == ["init", "sql", "preview", "run", "ui"]
    with pytest.raises(TablesMissingError, match="etl-dagster init"):
        open_warehouse(config, chunks=settings.chunks, world=None, reads=preview.TABLES)
    maker = open_warehouse(config, chunks=settings.chunks, world=None)  # as init does
    with maker.session() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS CRM")
        session.execute(
            "CREATE TABLE CRM.BUYERS AS SELECT 'Ada' first_name, 'Quackenbush' last_name,"
            f" '1 Elm St' address, 'Orlando' city, 'FL' state, '00501' zip, '{DAY}'::DATE bought_on"
        )
        session.execute(
            "CREATE TABLE CRM.CONTACTS AS SELECT first_name, last_name, address, zip,"
            " '(407) 555-0123' phone, NULL::VARCHAR email, 1 rank FROM CRM.BUYERS"
        )
    maker.close()
    warehouse = open_warehouse(config, chunks=settings.chunks, world=None, reads=preview.TABLES)
    with warehouse.session() as session:
        found = preview.preview_day(
            session, DAY, load_campaigns(settings.campaigns_dir), names=(), force=False,
            settings=settings, policy=Policy.load(None), moment=datetime.now(UTC),
        )  # fmt: skip
    warehouse.close()
    assert [one.campaign for one in found.campaigns] == ["recent_buyers"]
    assert (found.total.numbers["leads"], found.total.numbers["no_phone"]) == (1, 0)
    assert found.asking["phones_to_ask"] == 1
    assert found.problems == ()
