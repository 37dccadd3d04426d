"""What is read from Dagster's event log and runs, on ephemeral instances."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from etl_dagster.defs import history
from etl_dagster.defs.jobs import DAY_JOB, STAGE_ASSETS
from etl_dagster.defs.partitions import partition_key, range_tags
from etl_dagster.leads.chunks import Chunk

DAY, NEXT = date(2026, 2, 28), date(2026, 3, 1)
CHUNKS = 2
Extra = Mapping[str, Mapping[str, Any]]
DONE: Extra = {
    "leads": {history.CAMPAIGNS: history.ALL_CAMPAIGNS},
    "callable_leads": {history.POLICY: "p1"},
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tell(
    instance: dg.DagsterInstance,
    chunk: Chunk,
    *,
    stages: Sequence[str] = STAGE_ASSETS,
    metadata: Extra = DONE,
) -> None:
    """A chunk went through these stages."""
    for stage in stages:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                stage, partition=partition_key(chunk), metadata=metadata.get(stage, {})
            )
        )


def finished(instance: dg.DagsterInstance, **options: Any) -> set[date]:
    return history.finished_days(instance, chunks=CHUNKS, policy_hash="p1", **options)


def test_a_day_is_finished_when_each_of_its_chunks_is(instance: dg.DagsterInstance) -> None:
    assert finished(instance) == set()
    tell(instance, Chunk(DAY, 0))
    assert finished(instance) == set()
    tell(instance, Chunk(DAY, 1))
    tell(instance, Chunk(NEXT, 0))
    assert finished(instance) == {DAY}
    tell(instance, Chunk(NEXT, 1))
    assert finished(instance) == {DAY, NEXT}
    assert finished(instance, since=NEXT) == {NEXT}


@pytest.mark.parametrize("stage", range(3))
def test_a_stage_that_ran_again_makes_its_day_unfinished(
    instance: dg.DagsterInstance, stage: int
) -> None:
    for number in range(CHUNKS):
        tell(instance, Chunk(DAY, number))
    tell(instance, Chunk(DAY, 1), stages=STAGE_ASSETS[stage : stage + 1])
    assert finished(instance) == set()
    tell(instance, Chunk(DAY, 1), stages=STAGE_ASSETS[stage:])
    assert finished(instance) == {DAY}


@pytest.mark.parametrize(
    ("extracted", "policy", "wanted", "expected"),
    [
        ("all", "p1", (), True),
        ("all", "p1", ("a",), True),
        ("all", "p2", (), False),
        ("a, b", "p1", (), False),
        ("a, b", "p1", ("b", "a"), True),
        ("a, b", "p1", ("a",), True),
        ("a", "p1", ("a", "b"), False),
    ],
)
def test_a_day_is_finished_for_its_campaigns_and_policy(
    instance: dg.DagsterInstance,
    extracted: str,
    policy: str,
    wanted: Sequence[str],
    *,
    expected: bool,
) -> None:
    metadata = {
        "leads": {history.CAMPAIGNS: extracted},
        "callable_leads": {history.POLICY: policy},
    }
    for number in range(CHUNKS):
        tell(instance, Chunk(DAY, number), metadata=metadata)
    assert (finished(instance, campaigns=wanted) == {DAY}) is expected


def test_events_that_say_nothing_of_campaigns_and_policy_finish_nothing(
    instance: dg.DagsterInstance,
) -> None:
    for number in range(CHUNKS):
        tell(instance, Chunk(DAY, number), metadata={})
    assert finished(instance) == set()


def test_the_newest_enrichment_of_each_chunk_is_known(instance: dg.DagsterInstance) -> None:
    began = datetime.now(UTC)
    for unanswered in (7, 3):
        tell(
            instance,
            Chunk(NEXT, 0),
            stages=["leads", "ccc_enriched"],
            metadata={"ccc_enriched": {history.UNANSWERED: unanswered}},
        )
    tell(instance, Chunk(NEXT, 1), metadata={"ccc_enriched": {history.UNANSWERED: 0}})
    tell(instance, Chunk(DAY, 0))
    found = {one.chunk.number: one for one in history.enriched_chunks(instance, since=NEXT)}
    assert {number: one.unanswered for number, one in found.items()} == {0: 3, 1: 0}
    assert {number: one.published for number, one in found.items()} == {0: False, 1: True}
    assert all(began <= one.at <= datetime.now(UTC) for one in found.values())


ORIGIN = RemoteRepositoryOrigin(
    ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="m")), "r"
)
"""Where a queued run must say that it comes from."""


def run_of(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    tags: Mapping[str, str],
    *,
    job: str = DAY_JOB,
    selected: Sequence[str] | None = None,
) -> dg.DagsterRun:
    run = dg.DagsterRun(
        job_name=job,
        status=status,
        remote_job_origin=ORIGIN.get_job_origin(job),
        tags=dict(tags),
        asset_selection=None if selected is None else frozenset(map(dg.AssetKey, selected)),
    )
    return instance.add_run(run)


WHOLE_DAY = range_tags(Chunk(DAY, 0), Chunk(DAY, 1))


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        (dg.DagsterRunStatus.QUEUED, True),
        (dg.DagsterRunStatus.STARTING, True),
        (dg.DagsterRunStatus.STARTED, True),
        (dg.DagsterRunStatus.CANCELING, True),
        (dg.DagsterRunStatus.SUCCESS, False),
        (dg.DagsterRunStatus.FAILURE, False),
        (dg.DagsterRunStatus.CANCELED, False),
    ],
)
def test_chunks_of_unfinished_runs_are_busy(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, *, busy: bool
) -> None:
    run_of(instance, status, WHOLE_DAY)
    expected = {Chunk(DAY, 0), Chunk(DAY, 1)} if busy else set()
    assert history.busy_chunks(instance) == expected


def test_runs_that_are_not_about_stages_make_nothing_busy(instance: dg.DagsterInstance) -> None:
    started = dg.DagsterRunStatus.STARTED
    run_of(instance, started, {"dagster/partition": "2026-02-28"}, job="report_day")
    run_of(instance, started, {"dagster/partition": "national"}, job="load_dnc_lists")
    run_of(
        instance, started, {"dagster/partition": "2026-02-28"}, job="__ASSET_JOB",
        selected=["scrub_report"],
    )  # fmt: skip
    assert history.busy_chunks(instance) == set()
    run_of(
        instance, started, {"dagster/partition": "2026-02-28|01"}, job="__ASSET_JOB",
        selected=["ccc_enriched"],
    )  # fmt: skip
    assert history.busy_chunks(instance) == {Chunk(DAY, 1)}


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({}, []),
        ({"dagster/partition": "2026-02-28|03"}, [DAY]),
        (range_tags(Chunk(DAY, 0), Chunk(DAY, 3)), [DAY]),
        (
            range_tags(Chunk(DAY, 0), Chunk(date(2026, 3, 2), 3)),
            [DAY, NEXT, date(2026, 3, 2)],
        ),
    ],
)
def test_the_days_of_a_run_are_those_of_its_partitions(
    tags: dict[str, str], days: list[date]
) -> None:
    run = dg.DagsterRun(job_name=DAY_JOB, tags=tags)
    assert history.days_of(run) == days


def test_a_range_over_days_has_the_same_chunks_of_each() -> None:
    run = dg.DagsterRun(job_name=DAY_JOB, tags=range_tags(Chunk(DAY, 1), Chunk(NEXT, 2)))
    assert history.chunks_of(run) == [
        Chunk(DAY, 1), Chunk(DAY, 2), Chunk(NEXT, 1), Chunk(NEXT, 2),
    ]  # fmt: skip


def published(instance: dg.DagsterInstance, versions: str, policy: str = "p") -> None:
    tell(
        instance,
        Chunk(DAY, 0),
        stages=STAGE_ASSETS[-1:],
        metadata={STAGE_ASSETS[-1]: {history.VERSIONS: versions, history.POLICY: policy}},
    )


def by_others(instance: dg.DagsterInstance, *, after: int) -> bool:
    return history.published_otherwise(instance, "new", "p", after=after)


def test_what_others_publish_by_other_lists_counts_from_a_place_in_the_event_log(
    instance: dg.DagsterInstance,
) -> None:
    assert history.newest_publication(instance) == 0
    assert not by_others(instance, after=0)
    published(instance, "old")
    first = history.newest_publication(instance)
    assert by_others(instance, after=0)
    assert not by_others(instance, after=first)
    published(instance, "new")
    says_nothing_of_lists = {STAGE_ASSETS[-1]: {history.POLICY: "p"}}
    tell(instance, Chunk(DAY, 1), stages=STAGE_ASSETS[-1:], metadata=says_nothing_of_lists)
    assert not by_others(instance, after=first)
    published(instance, "new", "another policy")
    assert by_others(instance, after=first)
    second = history.newest_publication(instance)
    published(instance, "old")
    published(instance, "new")
    assert by_others(instance, after=second)
    assert not by_others(instance, after=history.newest_publication(instance))


def test_more_publications_than_are_looked_at_may_be_by_other_lists(
    instance: dg.DagsterInstance,
) -> None:
    published(instance, "new")
    first = history.newest_publication(instance)
    for _ in range(history.NEWEST - 1):
        published(instance, "new")
    assert not by_others(instance, after=first)
    published(instance, "new")
    assert by_others(instance, after=first)
