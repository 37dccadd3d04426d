from pathlib import Path

import pytest

from etl_dagster.settings import (
    PROJECT,
    REQUIRED_IN_PRODUCTION,
    Deployment,
    Settings,
    SettingsError,
    is_loopback,
)

PRODUCTION = {
    "ETL_DEPLOYMENT": "production",
    "ETL_HOME": "/srv/etl",
    "ETL_CHUNKS": "8",
    "ETL_CAMPAIGNS_DIR": "/srv/campaigns",
    "ETL_START_DATE": "2026-01-01",
    "ETL_CONTACTS_TABLE": "CRM.CONTACTS",
    "SNOWFLAKE_ACCOUNT": "acme-sales",
    "SNOWFLAKE_USER": "ETL",
    "SNOWFLAKE_PRIVATE_KEY_PATH": "/srv/key.p8",
    "SNOWFLAKE_ROLE": "ETL",
    "SNOWFLAKE_WAREHOUSE": "ETL_XS",
    "SNOWFLAKE_DATABASE": "SALES",
    "SNOWFLAKE_SCHEMA": "LEAD_SCRUB",
    "CCC_API_URL": "https://dataapi.dncscrub.com",
    "CCC_API_KEY": "k3y",
    "DNC_DB_PATH": "/srv/dnc.sqlite",
    "DNC_INBOX": "/srv/inbox",
}


def test_nothing_set_is_a_local_deployment() -> None:
    settings = Settings.from_environment({})
    assert settings.deployment is Deployment.LOCAL
    assert settings.home.is_absolute()
    assert settings.dnc_store == settings.home / "dnc.sqlite"


def test_a_complete_production_environment_starts() -> None:
    settings = Settings.from_environment(PRODUCTION)
    assert not settings.is_local
    assert settings.chunks == 8


@pytest.mark.parametrize("name", [*REQUIRED_IN_PRODUCTION, "SNOWFLAKE_PRIVATE_KEY_PATH"])
@pytest.mark.parametrize("blank", [False, True])
def test_production_without_a_setting_refuses_to_start_and_names_it(
    name: str, *, blank: bool
) -> None:
    given = {key: value for key, value in PRODUCTION.items() if key != name}
    if blank:
        given[name] = " "
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCC_API_URL", "http://127.0.0.1:8080"),
        ("CCC_API_URL", "https://localhost:8080"),
        ("CCC_API_URL", "https://[::1]:8080"),
        ("CCC_API_URL", "http://dataapi.dncscrub.com"),
        ("CCC_API_KEY", "sandbox-key"),
        ("SNOWFLAKE_ACCOUNT", "embedded"),
        ("SNOWFLAKE_HOST", "127.0.0.1"),
    ],
)
def test_production_that_points_at_a_sandbox_refuses_to_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({**PRODUCTION, name: value})


@pytest.mark.parametrize(
    "given",
    [
        {"SNOWFLAKE_ACCOUNT": "acme-sales"},
        {"SNOWFLAKE_PASSWORD": "secret"},
        {"CCC_API_URL": "https://dataapi.dncscrub.com"},
    ],
)
def test_a_local_deployment_that_points_at_a_real_service_refuses_to_start(
    given: dict[str, str],
) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        Settings.from_environment(given)


def test_a_local_deployment_may_use_another_loopback_server() -> None:
    settings = Settings.from_environment({"CCC_API_URL": "http://127.0.0.1:9"})
    assert settings.ccc_api_url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCC_BATCH_SIZE", "10001"),
        ("CCC_BATCH_SIZE", "many"),
        ("ETL_CHUNKS", "0"),
        ("ETL_DEPLOYMENT", "prod"),
        ("ETL_START_DATE", "yesterday"),
        ("ETL_CONTACTS_TABLE", "contacts; DROP TABLE LEADS"),
        ("DNC_MAX_AGE_DAYS", "32"),
        ("ETL_HOME", "~nobody-of-that-name/etl"),
        ("SNOWFLAKE_HOST", "["),
        ("CCC_API_URL", "https://[::1"),
    ],
)
def test_a_value_out_of_bounds_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    assert name in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_every_fault_is_listed_at_once_and_no_secret_is_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"ETL_DEPLOYMENT": "production", "CCC_API_KEY": "hush-hush"})
    message = str(caught.value)
    assert all(name in message for name in REQUIRED_IN_PRODUCTION if name != "CCC_API_KEY")
    assert "hush-hush" not in message


PEM = "-----BEGIN PRIVATE KEY-----\nMIIhush\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("name", ["SNOWFLAKE_PRIVATE_KEY_PATH", "ETL_LEDGER_KEY_PATH"])
@pytest.mark.parametrize("key", [PEM, PEM.replace("\n", "\\n"), "'MC" + "hush" * 20, "hush\rhush"])
def test_a_key_in_place_of_its_path_is_refused_and_not_shown(name: str, key: str) -> None:
    given = {**PRODUCTION, name: key}
    with pytest.raises(SettingsError, match="KEY_PATH: holds a key or a line break") as caught:
        Settings.from_environment(given)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(ValueError, match="not a path") as bare:
        Settings.model_validate(given)
    assert "hush" not in str(bare.value) + repr(bare.value)


def test_a_key_and_the_path_of_one_are_one_fault() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**PRODUCTION, "SNOWFLAKE_PRIVATE_KEY": PEM})
    _, fault = str(caught.value).splitlines()
    assert "SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_PRIVATE_KEY_PATH are both set" in fault
    assert "hush" not in fault


@pytest.mark.parametrize(
    "name", ["CCC_API_URL", "CCC_FULL_API_URL", "SNOWFLAKE_HOST", "ETL_UI_URL"]
)
def test_an_address_that_holds_a_password_is_refused_and_not_shown(name: str) -> None:
    for address in ("https://ann:hush@host.example/x", "https://hush@host.example"):
        with pytest.raises(SettingsError, match=f"{name}: ") as caught:
            Settings.from_environment({**PRODUCTION, name: address})
        assert "hush" not in str(caught.value)


def test_secrets_are_not_in_the_representation() -> None:
    settings = Settings.from_environment({**PRODUCTION, "SNOWFLAKE_PASSWORD": "hush-hush"})
    assert "hush-hush" not in repr(settings)
    assert "k3y" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"CCC_MIN_WORKERS": "20"}, "CCC_MIN_WORKERS is above"),
        ({"ETL_UNKNOWN_WARN": "0.9"}, "ETL_UNKNOWN_WARN is above"),
        ({"ETL_CATCH_UP_DAYS": "60", "ETL_LEADS_RETENTION_DAYS": "60"}, "would be run again"),
        ({"SNOWFLAKE_HOST": "acme host"}, "SNOWFLAKE_HOST: expected an address"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        Settings.from_environment(given)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ETL_OPT_OUT_TABLE", "ETL_OPT_OUTS_TABLE"),
        ("ETL_POLICY", "ETL_POLICY_FILE"),
        ("DNC_MAX_AGE", "DNC_MAX_AGE_DAYS"),
        ("CCC_VERDICT_TTL", "CCC_VERDICT_TTL_DAYS"),
        ("SNOWFLAKE_ACOUNT", "SNOWFLAKE_ACCOUNT"),
        ("SNOWFLAKE_PASSWD", "SNOWFLAKE_PASSWORD"),
        ("SNOWFLAKE_PRIVATE_KEYPATH", "SNOWFLAKE_PRIVATE_KEY_PATH"),
    ],
)
def test_a_misspelt_setting_is_refused_by_the_name_that_was_meant(name: str, meant: str) -> None:
    for given in ({}, PRODUCTION):
        with pytest.raises(SettingsError, match=f"{name} is no setting: {meant} is"):
            Settings.from_environment({**given, name: "1"})


def test_other_variables_of_the_machine_are_left_alone() -> None:
    others = [
        "ETL_CELERY_URL", "ETL_DAGSTER_POSTGRES_URL", "ETL_WORKER_RUNS", "ETL_FUZZ_MINUTES",
        "ETL_DAGSTER_SERVICE_HOST", "ETL_DAGSTER_PORT", "ETL_DAGSTER_PORT_80_TCP", "CCC_PORT",
        "DNC_STORE_SERVICE_PORT", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
        "SNOWFLAKE_HOME", "SNOWFLAKE_PORT", "SNOWFLAKE_USERNAME", "SNOWFLAKE_PRIVATE_KEY_FILE",
        "SNOWFLAKE_PRIVATE_KEY_RAW", "SNOWFLAKE_AUTHENTICATOR", "SNOWFLAKE_TOKEN_FILE_PATH",
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME", "SNOWFLAKE_CONNECTIONS", "SNOWFLAKE_ACCOUNT_ID",
    ]  # fmt: skip
    Settings.from_environment({**PRODUCTION, **dict.fromkeys(others, "1")})


@pytest.mark.parametrize("folder", ["celery", "k8s"])
def test_several_hosts_without_a_redis_run_no_day(folder: str, tmp_path: Path) -> None:
    file = PROJECT / "deploy" / "celery" / "dagster.yaml"
    if folder == "k8s":  # as its chart makes it
        file = tmp_path / "dagster.yaml"
        file.write_text("run_launcher:\n  class: K8sRunLauncher\n  module: dagster_k8s\n")
    given = {**PRODUCTION, "ETL_DAGSTER_YAML": str(file)}
    with pytest.raises(SettingsError, match=r"ETL_REDIS_URL is not set, and .*dagster\.yaml hands"):
        Settings.from_environment(given).check_days(["ccc"])
    Settings.from_environment({**given, "ETL_REDIS_URL": "redis://r/0"}).check_days(["ccc"])
    Settings.from_environment(PRODUCTION).check_days(["ccc"])


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:80/x", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("http://[::1]/", True),
        ("http://127.1:80", True),
        ("https://2130706433", True),
        ("::1", True),
        ("2001:db8::1", False),
        ("https://[::ffff:127.0.0.1]", True),
        ("https://LOCALHOST.", True),
        ("https://0.0.0.0", True),
        ("https://dataapi.dncscrub.com", False),
        ("https://localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback(address: str, *, local: bool) -> None:
    assert is_loopback(address) is local
