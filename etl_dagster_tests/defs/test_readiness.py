"""Which days may be handed to a dialler, on ephemeral instances."""

import uuid
from collections.abc import Collection, Iterator

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent

from etl_dagster.defs import readiness
from etl_dagster.defs.partitions import partition_key, range_tags
from etl_dagster.defs.stage_checks import COLUMNS, CONSERVED, COVERAGE, PROVEN, SIZE
from etl_dagster.leads.chunks import Chunk
from etl_dagster_tests.defs.test_history import CHUNKS, DAY, NEXT, tell

FIRST, SECOND = Chunk(DAY, 0), Chunk(DAY, 1)
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """One on which a day is finished."""
    with dg.DagsterInstance.ephemeral() as made:
        for chunk in (FIRST, SECOND):
            tell(made, chunk)
        yield made


def judge(
    instance: dg.DagsterInstance,
    asset: str,
    check: str,
    *,
    passed: bool,
    chunk: Chunk,
    severity: dg.AssetCheckSeverity = ERROR,
) -> None:
    """A run of its own judges a chunk."""
    found = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=check,
        passed=passed,
        severity=severity,
        partition=partition_key(chunk),
    )
    event = DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
        job_name="scrub_day",
        event_specific_data=found,
    )
    instance.report_dagster_event(event, run_id=str(uuid.uuid4()))


def refusals(
    instance: dg.DagsterInstance, campaigns: Collection[str] = (), accepted: Collection[str] = ()
) -> list[str]:
    return readiness.refusals(
        instance, {DAY: campaigns}, chunks=CHUNKS, policy_hash="p1", accepted=accepted
    )


def test_a_finished_day_without_anything_red_is_ready(instance: dg.DagsterInstance) -> None:
    judge(instance, "dnc_filtered", CONSERVED, passed=True, chunk=FIRST)
    judge(instance, "dnc_filtered", CONSERVED, passed=False, chunk=FIRST, severity=WARN)
    judge(instance, "dnc_filtered", COVERAGE, passed=False, chunk=FIRST)  # does not block
    assert refusals(instance) == []
    assert refusals(instance, ["walk_in"]) == []


def test_a_day_that_is_not_finished_is_refused(instance: dg.DagsterInstance) -> None:
    tell(instance, FIRST, stages=["leads"])
    (said,) = refusals(instance, ["walk_in"])
    assert f"{DAY} is not finished for walk_in" in said
    found = readiness.refusals(instance, {NEXT: ()}, chunks=CHUNKS, policy_hash="p1")
    assert [f"{NEXT} is not finished for all campaigns" in one for one in found] == [True]


def test_a_day_of_another_policy_is_refused(instance: dg.DagsterInstance) -> None:
    assert readiness.refusals(instance, {DAY: ()}, chunks=CHUNKS, policy_hash="p2")


def test_the_newest_judgement_of_a_chunk_counts(instance: dg.DagsterInstance) -> None:
    judge(instance, "callable_leads", PROVEN, passed=False, chunk=SECOND)
    judge(instance, "callable_leads", PROVEN, passed=True, chunk=FIRST)
    (said,) = refusals(instance)
    assert said == f"check {PROVEN} of callable_leads is red for {SECOND}"
    judge(instance, "callable_leads", PROVEN, passed=True, chunk=SECOND)
    assert refusals(instance) == []


def test_other_days_do_not_count(instance: dg.DagsterInstance) -> None:
    judge(instance, "callable_leads", PROVEN, passed=False, chunk=Chunk(NEXT, 0))
    assert refusals(instance) == []


def test_a_red_check_that_a_person_accepts_refuses_nothing(instance: dg.DagsterInstance) -> None:
    judge(instance, "leads", SIZE, passed=False, chunk=FIRST)
    assert len(refusals(instance)) == 1
    assert refusals(instance, accepted=[SIZE]) == []


def test_what_a_run_says_of_all_its_chunks_counts_for_each(instance: dg.DagsterInstance) -> None:
    @dg.asset(name="leads", check_specs=[dg.AssetCheckSpec(COLUMNS, asset="leads")])
    def made() -> dg.MaterializeResult:
        found = dg.AssetCheckResult(check_name=COLUMNS, passed=False)
        return dg.MaterializeResult(check_results=[found])

    assert dg.materialize([made], instance=instance, tags=range_tags(FIRST, SECOND)).success
    assert any(str(SECOND) in one for one in refusals(instance))
    judge(instance, "leads", COLUMNS, passed=True, chunk=FIRST)
    (said,) = refusals(instance)
    assert said == f"check {COLUMNS} of leads is red for {SECOND}"


def test_many_judgements_are_read_in_pages(
    instance: dg.DagsterInstance,
) -> None:
    judge(instance, "callable_leads", PROVEN, passed=False, chunk=SECOND)
    for _ in range(readiness.PAGE):
        judge(instance, "callable_leads", PROVEN, passed=True, chunk=FIRST)
    assert readiness.red_checks(instance, {FIRST, SECOND}) == {
        dg.AssetCheckKey(dg.AssetKey("callable_leads"), PROVEN): {SECOND}
    }
