"""What a check is, and how Dagster is told what it found.

Belongs here: one check and its results. Does not: which there are (`stage_checks.py`,
`freshness.py`), judging (`oversight/findings.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from etl_dagster.defs.jobs import FRESHNESS_JOB
from etl_dagster.defs.partitions import partition_key
from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight.findings import Finding, Level, worst


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of a stage.

    Attributes:
        name: its name.
        blocks: whether what follows stops when it finds something WRONG.
        says: what holds when it passes.
        advice: what to do when it fails.
    """

    name: str
    blocks: bool
    says: str
    advice: str

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """It as a check of an asset, for Dagster."""
        return dg.AssetCheckSpec(
            self.name,
            asset=asset,
            blocking=self.blocks,
            description=self.description,
        )

    @property
    def description(self) -> str:
        """What people read of it in the UI."""
        return f"{self.says} If it fails: {self.advice}"

    def failure(self, finding: Finding) -> dg.Failure:
        """What to raise for a finding that ends the step."""
        return _failure(self.name, finding.says, self.advice)

    def stop(
        self, context: dg.AssetExecutionContext, finding: Finding, *, chunk: Chunk | None = None
    ) -> dg.Failure:
        """Tell Dagster a finding that ends the step; return what to raise."""
        context.log_event(evaluation(context.asset_key, self.name, finding, chunk))
        return self.failure(finding)


def evaluation(
    asset: dg.AssetKey, check: str, finding: Finding, chunk: Chunk | None = None
) -> dg.AssetCheckEvaluation:
    """What a check found, of a chunk or of all, as an event to be told at once."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=check,
        passed=finding.level is Level.RIGHT,
        severity=_severity(finding),
        description=finding.says,
        partition=None if chunk is None else partition_key(chunk),
        metadata=dict(finding.numbers),
    )


def watched(
    context: dg.AssetCheckExecutionContext,
    key: dg.AssetCheckKey,
    result: dg.AssetCheckResult,
    *,
    advice: str,
) -> dg.AssetCheckResult:
    """Give a result back; an error fails the hourly watch: people are told of runs, not of checks.

    Raises:
        dagster.Failure: the run is the watch's, and the check found an error.
    """
    ours = context.op_execution_context
    if (
        result.passed
        or result.severity is not dg.AssetCheckSeverity.ERROR
        or ours.job_name != FRESHNESS_JOB
    ):
        return result
    ours.log_event(
        dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # takes them
            asset_key=key.asset_key,
            check_name=key.name,
            passed=False,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
        )
    )
    raise _failure(key.name, str(result.description), advice)


def _failure(check: str, says: str, advice: str) -> dg.Failure:
    return dg.Failure(f"check {check}: {says}. What to do: {advice}", allow_retries=False)


def check_result(name: str, found: Sequence[tuple[Finding, Chunk | None]]) -> dg.AssetCheckResult:
    """The worst of what a check found, as a result of the step."""
    finding = worst([one for one, _ in found])
    return dg.AssetCheckResult(
        check_name=name,
        passed=finding.level is Level.RIGHT,
        severity=_severity(finding),
        description=finding.says,
        metadata={
            "looked_at": len(found),
            "not_passed": sum(one.level is not Level.RIGHT for one, _ in found),
            **finding.numbers,
        },
    )


def _severity(finding: Finding) -> dg.AssetCheckSeverity:
    wrong = finding.level is not Level.WORTH_A_LOOK
    return dg.AssetCheckSeverity.ERROR if wrong else dg.AssetCheckSeverity.WARN
