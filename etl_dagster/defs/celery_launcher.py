"""The run launcher of many hosts: Dagster's Celery launcher, that also sees when a worker has died.

Belongs here: telling run monitoring whether a worker has a run, ending a run. Does not: the broker,
queues and workers, which `deploy/celery/` sets up. Imported where an instance names it, since
Celery is an optional dependency.

Dagster's own launcher believes what Celery's result backend says. That still says STARTED of a
task whose worker was killed, so that its run would count as running until its time is up; and it
says SUCCESS of a task that was delivered a second time, which the second worker ignores. So the
workers are asked, too.
"""

import time
from typing import Final

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from etl_dagster.defs.launcher import GONE, process_is_gone

SILENT_SECONDS: Final = 30.0
"""A run that no worker has for so long is lost: a pause of network or Redis is shorter. Should its
worker come back nevertheless, the locks of chunks keep it and the retry apart."""

_missed: Final[dict[str, float]] = {}
"""Run id to when, on this process's clock, no worker had it for the first time."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's Celery run launcher, with a health check that asks the workers.

    Attributes:
        answer_seconds: How long workers are waited for; they answer within milliseconds, whatever
            their runs do.
    """

    answer_seconds: float = 2.0

    def terminate(self, run_id: str) -> bool:
        """End a run; False if no worker was given it.

        Dagster's own does not say that somebody wants it, so that the run would count as failed
        and be tried again.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)
        return bool(super().terminate(run_id))

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell whether a worker has the run.

        Raises:
            kombu.exceptions.OperationalError: the broker cannot be asked; run monitoring then
                leaves the run as it is, and asks again.
        """
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:  # a run of the command line; or one that was sent a moment ago
            if process_is_gone(self._instance, run):
                return CheckRunHealthResult(WorkerStatus.FAILED, GONE)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        result = self.celery.AsyncResult(task)
        state, info = result.state, result.info
        if state == "FAILURE":  # the worker saw the run's process die
            return CheckRunHealthResult(WorkerStatus.FAILED, GONE)
        worker = info.get("hostname") if isinstance(info, dict) else None
        if (worker and self._has(task, worker)) or self._has(task):
            _missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        now = time.monotonic()
        if now - _missed.setdefault(run.run_id, now) < SILENT_SECONDS:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        del _missed[run.run_id]
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"no worker has it any more (it was {worker or 'not known whose'}; Celery: {state})",
        )

    def _has(self, task: str, worker: str | None = None) -> bool:
        """Whether this worker, or any, is running a task."""
        asked = [worker] if worker else None
        inspect = self.celery.control.inspect(
            destination=asked, timeout=self.answer_seconds, limit=1 if worker else None
        )
        answers = inspect.query_task(task) or {}
        return any(state == "active" for tasks in answers.values() for state, _ in tasks.values())
