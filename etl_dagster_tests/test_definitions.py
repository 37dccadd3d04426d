"""The asset graph as a reviewed text: what is served under which name does not change by accident.

To renew it after a change that is meant: `python -m etl_dagster_tests.test_definitions`, then read
the difference of `asset_graph.txt` before it is committed.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from etl_dagster.definitions import build_defs
from etl_dagster.defs.runner import Runner
from etl_dagster.leads.policy import Policy
from etl_dagster.settings import Settings

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
SETTINGS = Settings.from_environment({"ETL_START_DATE": "2026-11-01"})
PRODUCTION = {
    "ETL_DEPLOYMENT": "production",
    "ETL_HOME": "/srv/etl",
    "ETL_CHUNKS": "8",
    "ETL_CAMPAIGNS_DIR": str(SETTINGS.campaigns_dir),
    "ETL_START_DATE": "2026-01-01",
    "ETL_CONTACTS_TABLE": "CRM.CONTACTS",
    "SNOWFLAKE_ACCOUNT": "acme-sales",
    "SNOWFLAKE_USER": "ETL",
    "SNOWFLAKE_PASSWORD": "hush-hush",
    "SNOWFLAKE_ROLE": "ETL",
    "SNOWFLAKE_WAREHOUSE": "ETL_XS",
    "SNOWFLAKE_DATABASE": "SALES",
    "SNOWFLAKE_SCHEMA": "LEAD_SCRUB",
    "CCC_API_URL": "https://dataapi.dncscrub.com",
    "CCC_API_KEY": "k3y-k3y",
    "DNC_DB_PATH": "/srv/dnc.sqlite",
    "DNC_INBOX": "/srv/inbox",
}

STAGES = (
    ("extract", "leads"),
    ("enrich", "ccc_enriched"),
    ("scrub", "dnc_filtered"),
    ("publish", "callable_leads"),
)
"""The stages in flow order: group name and the asset that it makes."""


def graph_text() -> str:
    """Everything that is served, a line a fact."""
    repository = build_defs(SETTINGS).get_repository_def()
    lines = [*_assets(repository), *_jobs(repository), *_triggers(repository)]
    return "\n".join([*lines, ""])


def _assets(repository: dg.RepositoryDefinition) -> Iterator[str]:
    graph = repository.asset_graph
    for node in sorted(graph.asset_nodes, key=lambda node: node.key.to_user_string()):
        partitions = node.partitions_def
        facts = {
            "group": node.group_name,
            "depends on": ", ".join(sorted(key.to_user_string() for key in node.parent_keys)),
            "kinds": ", ".join(sorted(node.kinds)),
            "owners": ", ".join(node.owners),
            "tags": ", ".join(f"{k}={v}" for k, v in sorted(node.tags.items()) if "/" not in k),
            "code version": node.code_version,
            "partitions": _partitions(partitions),
            "backfill": node.backfill_policy and node.backfill_policy.policy_type.value,
            "pools": ", ".join(sorted(node.pools or ())),
            "table": node.metadata.get("dagster/table_name"),
            "checks": ", ".join(_checks(graph, node.check_keys)),
        }
        yield f"asset {node.key.to_user_string()}"
        yield from (f"    {name}: {fact}" for name, fact in facts.items() if fact)


def _checks(graph: AssetGraph, keys: Iterable[dg.AssetCheckKey]) -> Iterator[str]:
    for key in sorted(keys, key=lambda key: key.name):
        yield f"{key.name} ({'blocking' if graph.get_check_spec(key).blocking else 'not blocking'})"


def _partitions(partitions: dg.PartitionsDefinition[str] | None) -> str:
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return " x ".join(
            f"{one.name} ({_partitions(one.partitions_def)})" for one in partitions.partitions_defs
        )
    if isinstance(partitions, dg.StaticPartitionsDefinition):
        return ", ".join(partitions.get_partition_keys())
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return f"dynamic {partitions.name}"
    if isinstance(partitions, dg.DailyPartitionsDefinition):
        return f"daily from {partitions.start:%Y-%m-%d}"
    return "" if partitions is None else type(partitions).__name__


def _jobs(repository: dg.RepositoryDefinition) -> Iterator[str]:
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            steps = ", ".join(sorted(job.graph.node_dict))
            yield f"job {job.name}: {steps}, executor {job.executor_def.name}"


def _triggers(repository: dg.RepositoryDefinition) -> Iterator[str]:
    for schedule in sorted(repository.schedule_defs, key=lambda one: one.name):
        yield (
            f"schedule {schedule.name}: {schedule.cron_schedule} {schedule.execution_timezone},"
            f" job {schedule.job_name}, {schedule.default_status.value}"
        )
    for sensor in sorted(repository.sensor_defs, key=lambda one: one.name):
        jobs = ", ".join(sorted(job.name for job in sensor.jobs)) if sensor.has_jobs else ""
        status = sensor.default_status.value
        yield f"sensor {sensor.name}: {sensor.sensor_type.value}, {jobs}, {status}"


def test_the_graph_is_the_one_that_was_reviewed() -> None:
    assert graph_text() == SNAPSHOT.read_text(encoding="utf-8"), (
        "what Dagster serves has changed; if that is meant, run"
        " `python -m etl_dagster_tests.test_definitions` and review the difference of"
        f" {SNAPSHOT.name}"
    )


def test_every_asset_of_ours_says_what_it_is_and_whose() -> None:
    for node in build_defs(SETTINGS).get_repository_def().asset_graph.asset_nodes:
        assert node.description, node.key
        assert node.kinds, node.key
        assert {"stage", "personal_data"} <= node.tags.keys(), node.key
        if node.key.path[0] != "sources":  # those are not ours
            assert node.code_version, node.key
        if node.is_materializable:
            assert node.owners, node.key
            assert node.metadata["dagster/code_references"].code_references, node.key


def test_the_stages_flow_from_one_to_the_next() -> None:
    graph = build_defs(SETTINGS).get_repository_def().asset_graph
    before = None
    for group, name in STAGES:
        node = graph.get(dg.AssetKey(name))
        assert node.group_name == group
        assert before is None or before in node.parent_keys
        before = node.key


def test_campaigns_show_their_sql_and_version() -> None:
    graph = build_defs(SETTINGS).get_repository_def().asset_graph
    campaigns = [node for node in graph.asset_nodes if node.key.path[0] == "campaigns"]
    assert len(campaigns) == 3
    for node in campaigns:
        assert node.description
        assert "```sql" in node.description
        assert "SELECT" in node.description


def test_a_changed_policy_is_a_new_code_version_of_what_it_decides(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    versions = []
    for days in (7, 6):
        file.write_text(
            'required_sources = ["ccc", "dnc"]\n'
            f"[ccc]\nttl_days = {days}\n[dnc]\nmax_age_days = 31\n"
        )
        settings = Settings.from_environment({"ETL_POLICY_FILE": str(file)})
        graph = build_defs(settings).get_repository_def().asset_graph
        versions.append({name: graph.get(dg.AssetKey(name)).code_version for _, name in STAGES})
        shown = f"1-{Policy.load(file).hash[:8]}"
        assert all(versions[-1][name] == shown for _, name in STAGES[1:])
    changed = [name for _, name in STAGES if versions[0][name] != versions[1][name]]
    assert changed == [name for _, name in STAGES[1:]]


def test_limits_of_settings_are_part_of_the_code_version() -> None:
    settings = Settings.from_environment({"CCC_VERDICT_TTL_DAYS": "3"})
    graph = build_defs(settings).get_repository_def().asset_graph
    assert graph.get(dg.AssetKey("dnc_filtered")).code_version == (
        f"1-{Policy.load().with_limits(ccc_ttl_days=3).hash[:8]}"
    )


def test_the_full_scrub_shows_in_the_graph_where_a_policy_requires_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'required_sources = ["ccc", "ccc_full", "dnc"]\n[ccc]\nttl_days = 7\n'
        "[dnc]\nmax_age_days = 31\n"
    )
    scrub = dg.AssetKey(["sources", "ccc_full_scrub"])
    parents = [
        build_defs(settings).get_repository_def().asset_graph.get(dg.AssetKey("ccc_enriched"))
        for settings in (SETTINGS, Settings.from_environment({"ETL_POLICY_FILE": str(file)}))
    ]
    assert [scrub in one.parent_keys for one in parents] == [False, True]
    with caplog.at_level("WARNING"):
        served = build_defs(Settings.from_environment({**PRODUCTION, "ETL_POLICY_FILE": str(file)}))
    assert "CCC_FULL_API_URL is not set" in caplog.text
    assert served.resolve_job_def("load_opt_outs")
    environment = {**PRODUCTION, "ETL_POLICY_FILE": str(file), "ETL_HOME": str(tmp_path)}
    (fault,) = Runner(Settings.from_environment(environment)).faults.values()  # no day is run
    assert "CCC_FULL_API_URL is not set" in fault


def test_what_cannot_be_read_is_told_in_its_own_words_and_the_definitions_are_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[ccc]\nttl_days = 99\n")
    broken = {"ETL_POLICY_FILE": str(file), "ETL_CAMPAIGNS_DIR": str(tmp_path)}
    settings = Settings.from_environment({**broken, "ETL_SCHEDULE_CAMPAIGNS": "walk_in"})
    with caplog.at_level("WARNING"):
        graph = build_defs(settings).get_repository_def().asset_graph
    assert "policy.toml, line 2: ccc.ttl_days" in caplog.text
    assert "put at least one .sql file here" in caplog.text
    assert {dg.AssetKey(name) for name in ("retractions", "internal_opt_outs")} <= set(
        graph.get_all_asset_keys()
    )


def test_what_is_hardly_meant_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def warnings(**environment: str) -> str:
        caplog.clear()
        with caplog.at_level("WARNING"):
            build_defs(Settings.from_environment(environment))
        return caplog.text

    assert "nobody is told of failed runs" in warnings(**PRODUCTION)
    assert not warnings(**PRODUCTION, ETL_ALERT_NTFY_URL="https://ntfy.example.com/etl")
    assert not warnings()
    today = str(datetime.now(UTC).date())
    assert f"ETL_START_DATE is {today}: until" in warnings(ETL_START_DATE=today)


def test_secrets_are_references_and_never_values() -> None:
    resources = build_defs(Settings.from_environment(PRODUCTION)).resources or {}
    shown = repr({name: repr(resource) for name, resource in resources.items()})
    assert "hush-hush" not in shown
    assert "k3y-k3y" not in shown
    assert "SNOWFLAKE_PASSWORD" in shown
    assert "CCC_API_KEY" in shown
    assert resources["local"].enabled is False


if __name__ == "__main__":
    SNAPSHOT.write_text(graph_text(), encoding="utf-8")
    print(f"wrote {SNAPSHOT}")  # noqa: T201
