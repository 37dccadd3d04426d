"""The sensor for phones that CCC left unanswered.

Belongs here: when their chunks are run again. Does not: which are due (`oversight/agenda.py`),
other sensors (`sensors.py`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from etl_dagster.defs import history
from etl_dagster.defs.jobs import STAGE_ASSETS, Job, once
from etl_dagster.defs.partitions import range_tags
from etl_dagster.defs.resources import CccResource, PolicyResource, trouble
from etl_dagster.oversight import agenda

LEFT_OVER_SECONDS: Final = 60
"""How often it is looked for them."""


def unanswered_sensor(job: Job, *, within_days: int, patience: timedelta) -> dg.SensorDefinition:
    """Runs chunks again whose phones CCC left unanswered, once it is well."""

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
        context: dg.SensorEvaluationContext,
        ccc: CccResource,
        ccc_full: CccResource,
        policy: PolicyResource,
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
        elif why := trouble(policy.load(), ccc, ccc_full):
            yield dg.SkipReason(f"{waiting:,} phones wait for CCC: {why}")
        else:
            tried = {one.chunk: one.at for one in chunks}
            for chunk_range in due:
                yield dg.RunRequest(
                    run_key=once(str(chunk_range), str(tried[chunk_range.last])),
                    asset_selection=[dg.AssetKey(name) for name in STAGE_ASSETS[1:]],
                    tags=range_tags(chunk_range.first, chunk_range.last),
                )

    return unanswered_phones
