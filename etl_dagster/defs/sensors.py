"""The sensors of what arrives in an inbox or a table, and of what CCC left unanswered; all of them.

Belongs here: thin triggers. Does not: what follows from runs and lists (`follow_ups.py`), which
chunks are due (`oversight/agenda.py`), what waits in an inbox (`dnc/inbox.py`), alerts
(`alerts.py`).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from etl_dagster.defs import history
from etl_dagster.defs.dnc import LISTS
from etl_dagster.defs.follow_ups import INBOX_SECONDS, once, report_sensor, retraction_sensor
from etl_dagster.defs.jobs import (
    DAY_JOB,
    LISTS_JOB,
    OPT_OUTS_JOB,
    REPORT_JOB,
    RETRACT_JOB,
    STAGE_ASSETS,
    Job,
)
from etl_dagster.defs.opt_outs import FINGERPRINT
from etl_dagster.defs.opt_outs import NAME as OPT_OUTS
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import CccResource, WarehouseResource
from etl_dagster.dnc import inbox
from etl_dagster.identity.own_key import own_key
from etl_dagster.oversight import agenda
from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.opt_outs import read_opt_outs

LEFT_OVER_SECONDS: Final = 60
"""How often it is looked for phones that CCC left unanswered."""


def build_sensors(settings: Settings, jobs: Mapping[str, Job]) -> list[dg.SensorDefinition]:
    """All sensors; each is on by default, since none of them buys what nobody asked for."""
    return [
        report_sensor(jobs[REPORT_JOB]),
        _lists_sensor(settings.dnc_inbox_dir, jobs[LISTS_JOB]),
        _opt_outs_sensor(settings.opt_out_inbox_dir, jobs[OPT_OUTS_JOB]),
        *_opt_outs_table_sensors(settings, jobs[OPT_OUTS_JOB]),
        retraction_sensor(
            jobs[RETRACT_JOB], several_hosts=bool(settings.dnc_export_url or settings.redis_url)
        ),
        _left_over_sensor(
            jobs[DAY_JOB],
            within_days=settings.retry_unknown_days,
            patience=timedelta(minutes=settings.retry_unknown_minutes),
        ),
    ]


def _lists_sensor(folder: Path, job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description=(
            f"Loads Do-Not-Call list files, called `<list>@<date>`, when they have arrived whole in"
            f" `{folder}`"
        ),
    )
    def dnc_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        del context
        files = inbox.pending(folder)
        if not files:
            strangers = ", ".join(path.name for path in inbox.nameless(folder))
            return dg.SkipReason(
                f"not called <list>@<date>: {strangers}" if strangers else f"nothing in {folder}"
            )
        names = sorted({file.list for file in files})
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    partition_key=name,
                    run_key=once(
                        name, inbox.fingerprint(file.path for file in files if file.list == name)
                    ),
                )
                for name in names
            ],
            dynamic_partitions_requests=[LISTS.build_add_request(names)],
        )

    return dnc_inbox


def _opt_outs_sensor(folder: Path, job: Job) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INBOX_SECONDS,
        description=f"Records opt-outs when a file of them has arrived whole in `{folder}`",
    )
    def opt_out_inbox(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        del context
        if files := inbox.waiting(folder):
            return dg.RunRequest(run_key=once(inbox.fingerprint(files)))
        return dg.SkipReason(f"nothing in {folder}")

    return opt_out_inbox


def _opt_outs_table_sensors(settings: Settings, job: Job) -> list[dg.SensorDefinition]:
    """The sensor of the table of opt-outs, where there is such a table."""
    # a replica records nothing: its scrubs hear the table, the host that keeps the lists records it
    table = None if settings.dnc_snapshot_url else settings.opt_outs_table
    if table is None:
        return []

    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=int(settings.opt_outs_minutes * 60),
        description=f"Records opt-outs when the table `{table}` has changed",
    )
    def opt_outs_table(
        context: dg.SensorEvaluationContext, warehouse: WarehouseResource
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            with warehouse.open(sensor="opt_outs_table").session() as session:
                found = read_opt_outs(session, table).fingerprint(own_key(settings.home))
        except WarehouseError:
            # people are told of runs that fail, of ticks they are not: so let the run meet it
            context.log.exception("%s cannot be read: the run of its job tells why", table)
            return dg.RunRequest(run_key=once("unread"))
        done = history.newest(context.instance, OPT_OUTS)
        if done and FINGERPRINT in done.metadata and done.metadata[FINGERPRINT].value == found:
            return dg.SkipReason(f"nothing new in {table}")
        return dg.RunRequest(run_key=once(found))

    return [opt_outs_table]


def _left_over_sensor(job: Job, *, within_days: int, patience: timedelta) -> dg.SensorDefinition:
    @dg.sensor(
        job=job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=LEFT_OVER_SECONDS,
        description=(
            "Runs chunks again whose phones CCC left unanswered, of the last"
            f" {within_days} days, once it answers its test numbers: only those phones are asked"
            f" about. A chunk is left alone for {patience} in between."
        ),
    )
    def unanswered_phones(
        context: dg.SensorEvaluationContext, ccc: CccResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        now = datetime.now(UTC)
        newest = now.date() - timedelta(days=1)
        chunks = history.enriched_chunks(
            context.instance, since=newest - timedelta(days=within_days)
        )
        due = agenda.chunks_to_ask_again(
            chunks,
            busy=history.busy_chunks(context.instance),
            now=now,
            newest=newest,
            within_days=within_days,
            patience=patience,
        )
        waiting = sum(one.unanswered for one in chunks)
        if not due:
            yield dg.SkipReason(
                f"{waiting:,} phones are unanswered; their chunks were asked about a short while"
                " ago, are being worked on, or are too old"
                if waiting
                else "CCC has left no phone unanswered"
            )
        elif trouble := ccc.trouble():
            yield dg.SkipReason(f"{waiting:,} phones wait for CCC: {trouble}")
        else:
            tried = {one.chunk: one.at for one in chunks}
            for chunk_range in due:
                yield dg.RunRequest(
                    run_key=once(str(chunk_range), str(tried[chunk_range.last])),
                    asset_selection=[dg.AssetKey(name) for name in STAGE_ASSETS[1:]],
                    tags=range_tags(chunk_range.first, chunk_range.last),
                )

    return unanswered_phones
