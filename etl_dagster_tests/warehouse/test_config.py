"""What the connector is told, near and far."""

import os

from etl_dagster.warehouse.config import WarehouseConfig

FAR = WarehouseConfig(
    account="acme-one", user="loader", password="invented", database="LEADS", schema="SCRUB"
)
OF_BOTH = {
    "STATEMENT_TIMEOUT_IN_SECONDS": FAR.statement_timeout_seconds,
    "TIMEZONE": "UTC",
    "ROWS_PER_RESULTSET": 0,
    "DATE_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
}


def test_an_account_is_reached_as_the_connector_would_and_in_utc() -> None:
    said = FAR.connector_arguments({})
    assert said["session_parameters"] == OF_BOTH
    assert (said["account"], said["user"], said["application"]) == (
        "acme-one",
        "loader",
        "etl_dagster",
    )
    # what is not known is not said, and nothing is left out that finds a service again
    assert not {"role", "private_key", "backoff_policy", "host"} & set(said)
    assert "platform_detection_timeout_seconds" not in said


def test_a_server_of_this_host_hears_nothing_of_telemetry_and_is_not_waited_for() -> None:
    said = FAR.connector_arguments({"host": "127.0.0.1", "port": 1, "session_parameters": {"X": 1}})
    assert said["session_parameters"] == {
        **OF_BOTH,
        "X": 1,
        "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
        "CLIENT_TELEMETRY_ENABLED": False,
        "ETL_CLIENT_PROCESS_ID": os.getpid(),
    }
    assert said["platform_detection_timeout_seconds"] == 0.0
    assert callable(said["backoff_policy"])
