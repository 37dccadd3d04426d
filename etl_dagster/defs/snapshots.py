"""The Do-Not-Call store for other hosts: an export after the lists have changed, and now and then.

Belongs here: when and as what it is exported, where this host keeps the lists (DNC_EXPORT_URL).
Does not: exporting (`dnc/snapshot_export.py`), fetching, which each step does that opens the store
(`resources/dnc_store.py`).
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from etl_dagster.defs import catalog, history
from etl_dagster.defs.jobs import EXPORT_JOB, Job, job_of
from etl_dagster.defs.resources import DncStoreResource, PolicyResource
from etl_dagster.dnc import DncStore
from etl_dagster.settings import Settings

NAME: Final = "dnc_snapshot"
REVISION: Final = "revision"
EXPORTED_AT: Final = "exported_at"
SAY_SO_AFTER: Final = timedelta(hours=1)
"""After so long it is exported again though nothing has changed: which is what the others learn."""


def build_snapshots(settings: Settings) -> dg.Definitions:
    """The asset, its job and its sensor; nothing where the store is not exported."""
    if settings.dnc_export_url is None:
        return dg.Definitions()
    job = job_of(
        EXPORT_JOB, dg.AssetSelection.assets(NAME), "Export the Do-Not-Call store for other hosts"
    )
    return dg.Definitions(
        assets=[dnc_snapshot],
        jobs=[job],
        sensors=[_sensor(job, every=timedelta(minutes=settings.dnc_export_minutes))],
    )


@dg.asset(
    name=NAME,
    deps=[
        dg.AssetDep("dnc_registry", partition_mapping=dg.AllPartitionMapping()),
        "internal_opt_outs",
    ],
    group_name="dnc",
    kinds={"sqlite"},
    owners=["team:compliance"],
    tags=catalog.tags("dnc"),
    metadata=catalog.links(docs=["dnc_hosts.md"]),
    code_version="1",
    description=(
        "The Do-Not-Call store as other hosts fetch it: a file under its SHA-256 at DNC_EXPORT_URL,"
        " and the pointer that says which is in force, and since when it is known to be."
    ),
)
def dnc_snapshot(dnc_store: DncStoreResource) -> dg.MaterializeResult:
    """Export the store."""
    started = time.perf_counter()
    done = dnc_store.export()
    return dg.MaterializeResult(
        metadata={
            "digest": done.snapshot.digest,
            "list_versions": done.snapshot.list_versions,
            REVISION: done.snapshot.revision,
            EXPORTED_AT: done.snapshot.exported_at.isoformat(),
            "bytes": done.snapshot.size,
            "bytes_sent": done.uploaded,
            "removed": done.removed,
            "seconds": round(time.perf_counter() - started, 2),
        }
    )


def export_is_due(
    revision: int, exported: tuple[int, datetime] | None, *, now: datetime, max_age: timedelta
) -> bool:
    """Tell whether other hosts have to be told of the store.

    Args:
        revision: of the store.
        exported: revision and moment of the last export; None if there is none.
        now: the moment.
        max_age: how long the others take an export for evidence.
    """
    if exported is None or exported[0] != revision:
        return True
    return now - exported[1] >= min(SAY_SO_AFTER, max_age / 4)


def _sensor(job: Job, *, every: timedelta) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=int(every.total_seconds()),
        description="Exports the Do-Not-Call store when it has changed, and each hour",
    )
    def dnc_export(
        context: dg.SensorEvaluationContext, dnc_store: DncStoreResource, policy: PolicyResource
    ) -> dg.RunRequest | dg.SkipReason:
        if not Path(dnc_store.path).exists():
            return dg.SkipReason("there is no store yet")
        with DncStore.open(dnc_store.path) as store:
            revision = store.contents().revision
        done = history.newest(context.instance, NAME)
        exported = (
            (
                int(str(done.metadata[REVISION].value)),
                datetime.fromisoformat(str(done.metadata[EXPORTED_AT].value)),
            )
            if done
            else None
        )
        now = datetime.now(UTC)
        if export_is_due(revision, exported, now=now, max_age=policy.load().dnc_snapshot_max_age):
            # a key for each tick: what failed or was killed is tried again at the next
            return dg.RunRequest(run_key=f"{revision} {now.isoformat()}")
        return dg.SkipReason("exported already")

    return dnc_export
