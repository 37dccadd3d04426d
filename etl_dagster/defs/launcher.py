"""The run launcher of an instance on one host: Dagster's own, that also sees when a run has died.

Belongs here: telling run monitoring whether the process of a run lives. Does not: running
anything. Dagster's default launcher cannot tell, so that a run whose process was killed would
count as running until its time is up; with this one it is failed within a poll of run monitoring,
and run retries take it up again.
"""

import socket
from typing import Final

import dagster as dg
import psutil
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

PROCESS: Final = "etl_dagster/process"
"""Tag of a run that runs in the process of its launcher: host and process id."""
CELERY_TASK: Final = "dagster-celery/task_id"
"""Tag of a run that was sent to Celery's workers, and may run on any host: the launcher of many
hosts asks them. The name is Dagster's own, whose module an instance on one host does without."""
HOST: Final = socket.gethostname()
GONE: Final = "the process that ran it is gone"


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Dagster's default run launcher, with a health check."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run's process lives; what is not known counts as living."""
        if process_is_gone(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, GONE)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def process_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process that ran a run on this host is gone; False where that is not known.

    A process id that was given to another process since is told by that one's younger age. What
    Celery's workers and pods run is not known here: the process id that it tells is another host's.
    """
    if CELERY_TASK in run.tags:
        return False
    launcher = instance.run_launcher
    elsewhere = not isinstance(launcher, dg.DefaultRunLauncher)
    if PROCESS not in run.tags and elsewhere and launcher.supports_check_run_worker_health:
        return False  # that launcher sees to it, as Kubernetes' does to a pod's
    host, _, pid = run.tags.get(PROCESS, "").rpartition(" ")
    if host and host != HOST:
        return False
    records = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, limit=_FIRST_EVENTS
    ).records
    for record in records:
        event = record.event_log_entry.get_dagster_event()
        told = event.engine_event_data.metadata.get("pid")
        if told is not None:
            return _is_gone(int(pid or str(told.value)), record.timestamp)
    return False


_FIRST_EVENTS: Final = 20
"""A run names its process among its first engine events."""


def _is_gone(pid: int, since: float) -> bool:
    """Whether there is no process of this id, or one that was made after a moment."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE or process.create_time() > since)
    except psutil.NoSuchProcess:
        return True
