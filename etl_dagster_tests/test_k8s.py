"""The values for Dagster's Helm chart: what has to hold of them, since no cluster runs here.

The chart is not part of this repository. Its keys that the values use are written down here
(`KEYS`), so that a wrong one is seen without it; `helm install` holds all of them to its schema.
What the chart makes of the values is taken from its templates: a `dagster.yaml`, and the
configuration of the pods of runs, which Dagster and its launcher check here for real.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
from pydantic import SecretStr

from etl_dagster.settings import PROJECT, REQUIRED_IN_PRODUCTION, Deployment, Settings
from etl_dagster_tests.test_image import last_stage, of, pins, project

FOLDER = PROJECT / "deploy" / "k8s"
SECRETS = {
    "CCC_API_KEY": "invented",
    "DNC_SNAPSHOT_URL": "s3://bucket/dnc",
    "ETL_REDIS_URL": "rediss://redis.example.com:6379/0",
}
"""What the Kubernetes secret `etl-dagster` holds."""
IMAGE = {"repository": 0, "tag": 0, "pullPolicy": 0}
POD = {"image": IMAGE, "podSecurityContext": {}, "securityContext": {}, "resources": {},
       "volumes": {}, "volumeMounts": {}, "readinessProbe": {}, "livenessProbe": {},
       "startupProbe": {}}  # fmt: skip
KEYS: Mapping[str, Any] = {
    "global": {"dagsterHome": 0, "postgresqlSecretName": 0},
    "dagster-user-deployments": {
        "enabled": 0,
        "enableSubchart": 0,
        "deployments": {
            "name": 0, "dagsterApiGrpcArgs": 0, "port": 0,
            "includeConfigInLaunchedRuns": {"enabled": 0}, "env": {}, "envSecrets": {"name": 0},
            "initContainers": {}, **POD,
        },
    },
    "runLauncher": {
        "type": 0,
        "config": {
            "k8sRunLauncher": {
                "imagePullPolicy": 0, "loadInclusterConfig": 0, "envConfigMaps": 0,
                "envSecrets": 0, "envVars": 0, "volumeMounts": 0, "volumes": 0,
                "failPodOnRunFailure": 0, "resources": {}, "securityContext": {},
                "runK8sConfig": {"podSpecConfig": {}, "jobSpecConfig": {}},
            },
        },
    },
    "dagsterWebserver": {"replicaCount": 0, "service": {"type": 0, "port": 0, "annotations": 0},
                         **POD},
    "dagsterDaemon": {
        "enabled": 0, "runMonitoring": {"enabled": 0}, "runRetries": {"enabled": 0},
        "runCoordinator": {"enabled": 0, "type": 0, "config": {"queuedRunCoordinator": 0}}, **POD,
    },
    "additionalInstanceConfig": {},
    "scheduler": {"type": 0, "config": {"daemonScheduler": {"maxTickRetries": 0}}},
    "retention": {"enabled": 0, "schedule": {"purgeAfterDays": 0},
                  "sensor": {"purgeAfterDays": {}}},
    "computeLogManager": {"type": 0, "config": 0},
    "postgresql": {"enabled": 0, "postgresqlHost": 0, "postgresqlUsername": 0,
                   "postgresqlScheme": 0,
                   "postgresqlDatabase": 0, "postgresqlParams": {}, "service": {"port": 0}},
    "generatePostgresqlPasswordSecret": 0,
    "rabbitmq": {"enabled": 0}, "redis": {"enabled": 0}, "flower": {"enabled": 0},
    "migrate": {"enabled": 0}, "telemetry": {"enabled": 0},
}  # fmt: skip
"""The chart's keys as far as used; an empty mapping is Kubernetes' or Dagster's own."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = read(FOLDER / "values.yaml")
    return found


@pytest.fixture(scope="module")
def location(values: dict[str, Any]) -> dict[str, Any]:
    """The code location's deployment, whose configuration runs get, too."""
    (found,) = values["dagster-user-deployments"]["deployments"]
    return dict(found)


def unknown(found: Any, known: Any, path: str = "") -> Iterator[str]:
    """The keys that the chart does not know."""
    if isinstance(found, list):
        for one in found:
            yield from unknown(one, known, path)
    elif isinstance(found, dict) and known:
        for key, value in found.items():
            if key not in known:
                yield f"{path}.{key}"
            else:
                yield from unknown(value, known[key], f"{path}.{key}")


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"]}


def test_the_chart_knows_every_key(values: dict[str, Any]) -> None:
    assert list(unknown(values, KEYS)) == []


def test_production_starts_with_these_settings(location: dict[str, Any]) -> None:
    given = environment(location)
    settings = Settings.from_environment({**given, **SECRETS})
    assert settings.deployment is Deployment.PRODUCTION
    assert settings.opt_outs_table, "pods hear no table, which the page says they do"
    assert set(REQUIRED_IN_PRODUCTION) <= given.keys() | SECRETS.keys()
    assert location["envSecrets"] == [{"name": "etl-dagster"}]


def test_no_secret_is_written_down(values: dict[str, Any], location: dict[str, Any]) -> None:
    fields = Settings.model_fields.values()
    secret = {str(one.alias) for one in fields if SecretStr in (one.annotation, *_args(one))}
    assert {"CCC_API_KEY", "SNOWFLAKE_PASSWORD", "SNOWFLAKE_PRIVATE_KEY"} <= secret
    for container in (location, *location["initContainers"]):
        assert not (secret | SECRETS.keys()) & environment(container).keys()
    text = (FOLDER / "values.yaml").read_text(encoding="utf-8")
    assert "postgresqlPassword" not in text
    assert "PRIVATE KEY-----" not in text
    assert values["generatePostgresqlPasswordSecret"] is False


def _args(field: Any) -> tuple[Any, ...]:
    return getattr(field.annotation, "__args__", ())


def containers(values: dict[str, Any], location: dict[str, Any]) -> list[dict[str, Any]]:
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    served = [location, values["dagsterWebserver"], values["dagsterDaemon"]]
    return [*served, *location["initContainers"], launcher]


def test_no_container_can_write_its_image_or_become_root(
    values: dict[str, Any], location: dict[str, Any]
) -> None:
    (user,) = of("USER", stage=last_stage())
    for container in containers(values, location):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    pods = [one["podSecurityContext"] for one in containers(values, location)[:3]]
    for pod in [*pods, launcher["runK8sConfig"]["podSpecConfig"]["securityContext"]]:
        assert pod["runAsNonRoot"] is True
        assert f"{pod['runAsUser']}:{pod['runAsGroup']}" == user
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}


def test_all_have_memory_limits_and_a_place_to_write(
    values: dict[str, Any], location: dict[str, Any]
) -> None:
    for container in containers(values, location):
        assert "memory" in container["resources"]["limits"]
    for container in containers(values, location)[:-1]:
        assert "/tmp" in {one["mountPath"] for one in container["volumeMounts"]}  # noqa: S108
    mounts = {one["mountPath"]: one["name"] for one in location["volumeMounts"]}
    volumes = {one["name"]: one for one in location["volumes"]}
    assert set(mounts.values()) == volumes.keys()
    given = environment(location)
    assert volumes[mounts[given["ETL_HOME"]]].keys() == {"name", "emptyDir"}
    assert given["ETL_CAMPAIGNS_DIR"] in mounts
    assert str(Path(given["SNOWFLAKE_PRIVATE_KEY_PATH"]).parent) in mounts


def test_no_pod_starts_without_a_snapshot_of_the_lists(location: dict[str, Any]) -> None:
    (fetch,) = location["initContainers"]
    image = location["image"]
    assert fetch["image"] == f"{image['repository']}:{image['tag']}"
    assert fetch["args"] == ["etl-dagster", "dnc", "fetch"]  # from DNC_SNAPSHOT_URL
    assert environment(fetch).items() <= environment(location).items()
    assert {one["name"] for one in fetch["volumeMounts"]} <= {
        one["name"] for one in location["volumes"]
    }
    assert fetch["envFrom"] == [{"secretRef": location["envSecrets"][0]}]
    state = next(one for one in fetch["volumeMounts"] if one["name"] == "state")
    assert environment(fetch)["DNC_DB_PATH"].startswith(state["mountPath"])


def test_one_image_with_a_tag_that_is_the_version(values: dict[str, Any]) -> None:
    (location,) = values["dagster-user-deployments"]["deployments"]
    assert location["image"]["tag"] == project()["project"]["version"]
    assert location["image"] == values["dagsterWebserver"]["image"]
    assert location["image"] == values["dagsterDaemon"]["image"]
    assert of("EXPOSE", stage=last_stage()) == [str(location["port"])]


def test_the_ports_are_let_through_and_probed(values: dict[str, Any]) -> None:
    web = values["dagsterWebserver"]
    assert web["service"]["port"] >= 1_024
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert web[probe]["httpGet"]["port"] == web["service"]["port"]
    policy = read(FOLDER / "network-policy.yaml")
    assert policy["kind"] == "NetworkPolicy"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    let_out = {port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())}
    assert {53, 443, 6_379, values["postgresql"]["service"]["port"]} <= let_out


def launcher_config(values: dict[str, Any]) -> dict[str, Any]:
    """The launcher's configuration as the chart makes it."""
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    specs = given["runK8sConfig"]
    return {
        "load_incluster_config": given["loadInclusterConfig"],
        "image_pull_policy": given["imagePullPolicy"],
        "job_namespace": "default",
        "service_account_name": "dagster",
        "dagster_home": values["global"]["dagsterHome"],
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
        "resources": given["resources"],
        "security_context": given["securityContext"],
        "fail_pod_on_run_failure": given["failPodOnRunFailure"],
        "run_k8s_config": {
            "pod_spec_config": specs["podSpecConfig"],
            "job_spec_config": specs["jobSpecConfig"],
        },
    }


def instance(values: dict[str, Any]) -> dict[str, Any]:
    """The `dagster.yaml` that the chart makes."""
    given = values["postgresql"]
    postgres = {
        "postgres_db": {
            "scheme": given["postgresqlScheme"],
            "hostname": given["postgresqlHost"],
            "username": given["postgresqlUsername"],
            "password": {"env": "DAGSTER_PG_PASSWORD"},
            "db_name": given["postgresqlDatabase"],
            "port": given["service"]["port"],
            "params": given["postgresqlParams"],
        }
    }
    storages = {"schedule_storage": "schedule_storage.PostgresScheduleStorage",
                "run_storage": "run_storage.PostgresRunStorage",
                "event_log_storage": "event_log.PostgresEventLogStorage"}  # fmt: skip
    made: dict[str, Any] = {
        name: {
            "module": f"dagster_postgres.{which.partition('.')[0]}",
            "class": which.partition(".")[2],
            "config": postgres,
        }
        for name, which in storages.items()
    }
    coordinator = values["dagsterDaemon"]["runCoordinator"]
    made["run_coordinator"] = {"module": "dagster.core.run_coordinator",
                               "class": coordinator["type"]}  # fmt: skip
    made["run_launcher"] = {"module": "dagster_k8s", "class": values["runLauncher"]["type"],
                            "config": launcher_config(values)}  # fmt: skip
    ticks = values["scheduler"]
    made["scheduler"] = {
        "module": "dagster._core.scheduler",
        "class": ticks["type"],
        "config": {"max_tick_retries": ticks["config"]["daemonScheduler"]["maxTickRetries"]},
    }
    made["telemetry"] = values["telemetry"]
    kept = values["retention"]
    made["retention"] = {kind: {"purge_after_days": kept[kind]["purgeAfterDays"]}
                         for kind in ("sensor", "schedule")}  # fmt: skip
    assert not made.keys() & values["additionalInstanceConfig"].keys(), "twice in one file"
    return made | values["additionalInstanceConfig"]


def test_dagster_takes_the_instance_that_the_chart_makes(
    values: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance(values)), encoding="utf-8")
    taken, _ = dagster_instance_config(str(tmp_path))
    assert taken["concurrency"]["runs"]["max_concurrent_runs"] == 5
    # the driver that is in the image; SQLAlchemy's default is another
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"
    assert "psycopg2-binary" in pins("deploy/requirements.txt")
    coordinator = values["dagsterDaemon"]["runCoordinator"]["config"]
    assert coordinator["queuedRunCoordinator"] == {}, "its limits stand in two places"


def test_the_instance_is_that_of_one_host_where_the_cluster_is_no_reason(
    values: dict[str, Any],
) -> None:
    here, there = read(PROJECT / "dagster.yaml"), instance(values)
    for name in ("concurrency", "scheduler", "run_retries", "telemetry", "nux"):
        assert there[name] == here[name], name
    assert there["retention"]["schedule"] == here["retention"]["schedule"]
    ages = there["retention"]["sensor"]["purge_after_days"]
    assert here["retention"]["sensor"]["purge_after_days"].items() <= ages.items()
    differing = {name for name, value in here["run_monitoring"].items()
                 if there["run_monitoring"][name] != value}  # fmt: skip
    assert differing == {"poll_interval_seconds", "start_timeout_seconds"}
    assert there["run_monitoring"].keys() - here["run_monitoring"] == {"max_resume_run_attempts"}


def context_of_runs(location: dict[str, Any]) -> dict[str, Any]:
    """What the chart's code location adds to the pods of its runs."""
    return {
        "k8s": {
            "image_pull_policy": location["image"]["pullPolicy"],
            "env_secrets": [one["name"] for one in location["envSecrets"]],
            "volume_mounts": location["volumeMounts"],
            "volumes": location["volumes"],
            "resources": location["resources"],
            "namespace": "default",
            "service_account_name": "dagster",
            "env": location["env"],
            "run_k8s_config": {
                "pod_spec_config": {
                    "automount_service_account_token": True,
                    "init_containers": location["initContainers"],
                }
            },
        }
    }


def test_the_pod_of_a_run_has_it_all(values: dict[str, Any], location: dict[str, Any]) -> None:
    given = launcher_config(values)
    kind = resolve_to_config_type(K8sRunLauncher.config_type())
    checked = process_config(kind, given)
    assert checked.success, checked.errors
    own = K8sContainerContext.create_from_config(context_of_runs(location))
    merged = K8sContainerContext(
        run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(given["run_k8s_config"]),
        resources=given["resources"],
        security_context=given["security_context"],
    ).merge(own)
    job = construct_dagster_k8s_job(
        merged.get_k8s_job_config("etl-dagster:1.0.0", SimpleNamespace(**given)),
        ["dagster"], "run-1",
        user_defined_k8s_config=merged.run_k8s_config, pod_name="run-1", component="run_worker",
    ).to_dict()  # fmt: skip
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [one["name"] for one in pod["init_containers"]] == ["dnc-fetch"]
    assert pod["security_context"]["run_as_non_root"] is True
    assert container["security_context"]["read_only_root_filesystem"] is True
    assert container["resources"]["limits"] == location["resources"]["limits"]
    assert {one["name"] for one in pod["volumes"]} >= {one["name"] for one in location["volumes"]}
    told = {one["name"] for one in container["env"]}
    assert environment(location).keys() <= told
