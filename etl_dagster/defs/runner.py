"""Run the jobs in this process, through Dagster: what `etl-dagster run` does.

Belongs here: the Dagster instance of a home folder, one run a day, what became of it. Does not:
showing it.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Self

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import MAX_RETRIES_TAG

from etl_dagster.connect import connect
from etl_dagster.definitions import build_defs
from etl_dagster.defs import history, readiness
from etl_dagster.defs.dnc import LISTS
from etl_dagster.defs.failures import interrupted, said
from etl_dagster.defs.home import dagster_home, kept_open
from etl_dagster.defs.jobs import (
    DAY_JOB,
    LISTS_JOB,
    OPT_OUTS_JOB,
    REPORT_JOB,
    REPORTS_ITSELF,
    RETRACT_JOB,
)
from etl_dagster.defs.launcher import GONE, HOST, PROCESS, process_is_gone
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import build_resources
from etl_dagster.dnc import inbox
from etl_dagster.leads.campaigns import find_campaigns
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import PolicyError
from etl_dagster.oversight import agenda
from etl_dagster.progress import Sink
from etl_dagster.settings import Settings, SettingsError
from etl_dagster.warehouse import retention

# The console shows our own progress; Dagster's events are in its event log.
QUIET: Final[Mapping[str, Any]] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# Nor does it capture what is printed: four processes a step, which print their own end at Ctrl-C,
# and a full disk would swallow the message that says so.
NO_CAPTURE: Final = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}


@dataclass(frozen=True)
class DayResult:
    """What became of one day's run.

    Attributes:
        lead_date: the day.
        success: every partition and blocking check passed.
        run_id: Dagster's id of the run; '' if the day was finished before, and nothing ran.
        seconds: step name to its duration, for the steps that ran.
        failures: step name to the message of what failed it.
    """

    lead_date: date
    success: bool
    run_id: str
    seconds: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict)


class Runner:
    """Runs jobs in this process, on the Dagster instance of the configuration.

    What it runs is seen in the UI of the same home folder like any other run.
    """

    def __init__(self, settings: Settings, *, listeners: tuple[Sink, ...] = ()) -> None:
        """Build the definitions; nothing runs yet.

        Args:
            settings: the configuration.
            listeners: told the progress of every step.
        """
        self._settings = settings
        self._defs = build_defs(settings, listeners=listeners)
        found, faults = find_campaigns(settings.campaigns_dir)
        self.campaigns = [campaign.name for campaign in found]
        self.faults = {fault.path.name: str(fault) for fault in faults}
        with suppress(PolicyError):  # which the first run tells
            try:
                settings.check_days(build_resources(settings)["policy"].load().apis)
            except SettingsError as error:
                self.faults["policy"] = str(error)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the Dagster instance."""
        home = str(dagster_home(self._settings))
        os.environ.setdefault("DAGSTER_HOME", home)
        opened = dg.DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides=NO_CAPTURE))
        self._instance = self._stack.enter_context(opened)
        self._stack.enter_context(kept_open(self._instance))
        self._bury_the_dead()
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the Dagster instance."""
        self._stack.close()

    def load_lists(self) -> dict[str, str]:
        """Load what waits in the inboxes and the table of opt-outs; return failures by step.

        In a local deployment the sample lists are put there first if the store has none.
        """
        settings, failures = self._settings, dict[str, str]()
        if settings.has_sample_lists:
            from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415  production has none

            LocalWorld(settings.home).deliver_lists(
                settings.dnc_store, settings.dnc_inbox_dir, settings.opt_out_inbox_dir
            )
        waiting = inbox.pending(settings.dnc_inbox_dir)
        for path in inbox.nameless(settings.dnc_inbox_dir):
            failures[inbox.shown(path)] = (
                f"it waits in {path.parent}, but is not called <list>@<date>, such as"
                " state_fl@2026-11-20.zip, so nobody knows which list it is; rename or remove it"
            )
        for name in sorted({file.list for file in waiting}):
            self._instance.add_dynamic_partitions(str(LISTS.name), [name])
            failures |= self._execute(LISTS_JOB, partition_key=name)[2]
        if inbox.waiting(settings.opt_out_inbox_dir) or settings.opt_outs_table:
            failures |= self._execute(OPT_OUTS_JOB)[2]
        return failures

    def retract(self) -> dict[str, str]:
        """Take back published leads whose phones are no longer clear; return failures by step."""
        return self._execute(RETRACT_JOB)[2]

    def finished_days(self, campaigns: Sequence[str]) -> set[date]:
        """The days that went through all stages under the policy in force.

        Args:
            campaigns: those that must have been extracted; all if empty.
        """
        policy = build_resources(self._settings)["policy"].load()
        return history.finished_days(
            self._instance,
            chunks=self._settings.chunks,
            policy_hash=policy.hash,
            campaigns=campaigns,
        )

    def without_removed(self, days: list[date], *, refuse: bool) -> list[date]:
        """Days without those whose leads retention removed; with `refuse` there must be none.

        Raises:
            RemovedDayError: there are some, and `refuse` is set.
        """
        if not days:
            return []
        with connect(self._settings, reads=["retentions"]).session() as session:
            if refuse:
                retention.refuse_removed(session, days)
            return agenda.not_removed(days, retention.removed_days(session))

    def refusals(
        self, days: Mapping[date, Collection[str]], *, policy_hash: str, accepted: Sequence[str]
    ) -> list[str]:
        """Why these days may not be handed to a dialler; see `readiness.refusals`."""
        return readiness.refusals(
            self._instance,
            days,
            chunks=self._settings.chunks,
            policy_hash=policy_hash,
            accepted=accepted,
        )

    @staticmethod
    def skip_day(lead_date: date) -> DayResult:
        """What became of a day that was finished before."""
        return DayResult(lead_date, success=True, run_id="", seconds={})

    def run_day(self, lead_date: date, *, campaigns: Sequence[str], force: bool) -> DayResult:
        """Run the four stages of a day over all chunks, then its report."""
        last = self._settings.chunks - 1
        config = {
            "leads": {"config": {"campaigns": list(campaigns), "force": force}},
            "ccc_enriched": {"config": {"force": force}},
        }
        tags = {
            **range_tags(Chunk(lead_date, 0), Chunk(lead_date, last)),
            REPORTS_ITSELF: "true",
        }
        run, seconds, failures = self._execute(DAY_JOB, ops=config, tags=tags)
        success = run.success
        if success:
            day = lead_date.isoformat()
            report, more_seconds, more_failures = self._execute(REPORT_JOB, partition_key=day)
            seconds, failures = seconds | more_seconds, failures | more_failures
            success = report.success
        return DayResult(lead_date, success, run.run_id, seconds, failures)

    def _bury_the_dead(self) -> None:
        """Report runs of ours failed whose process was killed: they would count as running."""
        going = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        for run in self._instance.get_runs(filters=going):
            if process_is_gone(self._instance, run):
                self._instance.report_run_failed(run, GONE)

    def _execute(
        self,
        job: str,
        *,
        ops: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> tuple[dg.ExecuteInProcessResult, dict[str, float], dict[str, str]]:
        """Run a job; return its result, seconds by step, and messages of the steps that failed."""
        run = self._defs.resolve_job_def(job).execute_in_process(
            instance=self._instance,
            run_config={**QUIET, "ops": ops or {}},
            raise_on_error=False,
            # no daemon can launch it again, and of a run that it takes for retried nobody is told
            tags={**(tags or {}), PROCESS: f"{HOST} {os.getpid()}", MAX_RETRIES_TAG: "0"},
            **options,
        )
        seconds = {
            stats.step_key: round(stats.end_time - stats.start_time, 2)
            for stats in self._instance.get_run_step_stats(run.run_id)
            if stats.end_time and stats.start_time
        }
        failures = {
            str(event.step_key): said(event) for event in run.all_events if event.is_step_failure
        }
        if any(interrupted(event) for event in run.all_events):
            raise KeyboardInterrupt
        if not run.success and not failures:
            failures[job] = "the run failed before any step; see it in the UI"
        return run, seconds, failures
