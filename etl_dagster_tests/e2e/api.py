"""Dagster's GraphQL, as its UI speaks it: what the tests ask and do besides clicking.

Belongs here: queries and mutations as functions of the tests' own words. Does not: waiting.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

LOCATION = "etl_dagster"
REPOSITORY = "__repository__"


@dataclass(frozen=True)
class Run:
    """A run as the tests see it."""

    id: str
    status: str
    job: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Check:
    """One execution of an asset check."""

    run_id: str
    status: str
    partition: str | None


class DagsterApi:
    """The GraphQL endpoint of one server."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data that answer a query; errors fail the test."""
        body = {"query": query, "variables": variables}
        answer = httpx.post(self._url, json=body, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def groups(self) -> dict[str, list[str]]:
        """Group names to the keys of their assets, parts joined by a slash."""
        found: dict[str, list[str]] = {}
        for node in self.ask("{assetNodes {assetKey {path} groupName}}")["assetNodes"]:
            found.setdefault(node["groupName"], []).append("/".join(node["assetKey"]["path"]))
        return found

    def partitions(self, asset: str) -> list[str]:
        """The keys of an asset's partitions."""
        keys: list[str] = self._node(asset, "partitionKeys")["partitionKeys"]
        return keys

    def materialized(self, asset: str, partitions: Sequence[str]) -> dict[str, str]:
        """Those of the partitions that are materialized, with the run that did it last."""
        part = "latestMaterializationByPartition(partitions: $partitions) {partition runId}"
        found = self._node(asset, part, partitions=list(partitions))
        events = found["latestMaterializationByPartition"]
        return {event["partition"]: event["runId"] for event in events if event}

    def checks(self, asset: str, name: str, *, most: int = 20) -> list[Check]:
        """The newest executions of an asset check, newest first."""
        found = self.ask(
            "query ($asset: AssetKeyInput!, $name: String!, $most: Int!) {assetCheckExecutions("
            "assetKey: $asset, checkName: $name, limit: $most) {runId status partition}}",
            asset=_key(asset), name=name, most=most,
        )  # fmt: skip
        return [
            Check(one["runId"], one["status"], one["partition"])
            for one in found["assetCheckExecutions"]
        ]

    def runs(self, **filters: Any) -> list[Run]:
        """Runs, newest first; filters as in GraphQL's RunsFilter."""
        found = self.ask(
            "query ($filter: RunsFilter) {runsOrError(filter: $filter, limit: 100) {... on Runs"
            " {results {runId status jobName tags {key value}}}}}",
            filter=filters,
        )
        return [
            Run(
                id=run["runId"],
                status=run["status"],
                job=run["jobName"],
                tags={tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in found["runsOrError"]["results"]
        ]

    def run(self, run_id: str) -> Run:
        return self.runs(runIds=[run_id])[0]

    def backfill_runs(self, backfill: str) -> list[Run]:
        return self.runs(tags=[{"key": "dagster/backfill", "value": backfill}])

    def steps(self, run_id: str) -> dict[str, str]:
        """Step to how it ended, for those that began."""
        found = self.ask(
            "query ($id: ID!) {runOrError(runId: $id) {... on Run {stepStats {stepKey status}}}}",
            id=run_id,
        )
        return {one["stepKey"]: one["status"] for one in found["runOrError"]["stepStats"]}

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Launch a run of a job as the UI does, with these tags; return its id."""
        found = self.ask(
            "mutation ($params: ExecutionParams!) {launchRun(executionParams: $params)"
            " {__typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
            params={
                "selector": {
                    "repositoryLocationName": LOCATION, "repositoryName": REPOSITORY,
                    "jobName": job,
                },
                "executionMetadata": {
                    "tags": [{"key": key, "value": value} for key, value in tags.items()]
                },
            },
        )["launchRun"]  # fmt: skip
        assert "run" in found, found
        return str(found["run"]["runId"])

    def launch_backfill(self, assets: Iterable[str], partitions: Iterable[str]) -> str:
        """Launch a backfill of assets as the UI does; return its id."""
        return self._launch(
            assetSelection=[_key(asset) for asset in assets], partitionNames=list(partitions)
        )

    def launch_job_backfill(self, job: str, partitions: Iterable[str]) -> str:
        """Launch a backfill of a job as the UI does; return its id."""
        repository = {
            "repositoryLocationName": LOCATION, "repositoryName": REPOSITORY,
        }  # fmt: skip
        return self._launch(
            selector={
                "partitionSetName": f"{job}_partition_set",
                "repositorySelector": repository,
            },
            partitionNames=list(partitions),
        )

    def _launch(self, **params: Any) -> str:
        found = self.ask(
            "mutation ($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams:"
            " $params) {__typename ... on LaunchBackfillSuccess {backfillId}"
            " ... on PythonError {message}}}",
            params=params,
        )["launchPartitionBackfill"]
        assert "backfillId" in found, found
        return str(found["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        found = self.ask(
            "query ($id: String!) {partitionBackfillOrError(backfillId: $id)"
            " {... on PartitionBackfill {status}}}",
            id=backfill,
        )
        return str(found["partitionBackfillOrError"]["status"])

    def sensor(self, name: str) -> tuple[str, float]:
        """Whether a sensor is on (RUNNING, STOPPED), and when it last ticked."""
        selector = {
            "repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "sensorName": name,
        }  # fmt: skip
        state = self.ask(
            "query ($sensor: SensorSelector!) {sensorOrError(sensorSelector: $sensor)"
            " {... on Sensor {sensorState {status ticks(limit: 1) {timestamp}}}}}",
            sensor=selector,
        )["sensorOrError"]["sensorState"]
        ticks = [float(tick["timestamp"]) for tick in state["ticks"]]
        return str(state["status"]), max(ticks, default=0.0)

    def _node(self, asset: str, fields: str, **variables: Any) -> dict[str, Any]:
        declared = ", $partitions: [String!]" if "partitions" in variables else ""
        found = self.ask(
            f"query ($asset: AssetKeyInput!{declared}) {{assetNodeOrError(assetKey: $asset)"
            f" {{... on AssetNode {{{fields}}}}}}}",
            asset=_key(asset), **variables,
        )  # fmt: skip
        node: dict[str, Any] = found["assetNodeOrError"]
        return node


def _key(asset: str) -> dict[str, list[str]]:
    return {"path": asset.split("/")}
