"""What Dagster remembers: which chunks are done, left over, or being worked on.

Belongs here: reading the event log and the runs. Does not: deciding what follows
(`oversight/agenda.py`).
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from itertools import pairwise

import dagster as dg

from etl_dagster.defs.jobs import DAY_JOB, STAGE_ASSETS
from etl_dagster.defs.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    chunk_of,
    chunks_between,
    partition_key,
)
from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight.agenda import EnrichedChunk

CAMPAIGNS = "campaigns"
"""Metadata of `leads`: the campaigns that were extracted."""
ALL_CAMPAIGNS = "all"
POLICY = "policy_hash"
"""Metadata of `callable_leads`: the policy under which the chunk was published."""
VERSIONS = "list_versions"
"""Metadata of `callable_leads` and `retractions`: the lists and versions that were asked."""
UNANSWERED = "phones_unanswered"
"""Metadata of `ccc_enriched`: phones without an answer that CCC might give when asked again."""
NEWEST = 500
"""Publications that are looked at; where there are more, some may be by other lists."""
LOOKED_AT = 20
"""Runs that ended before they were done, of which the newest that published is looked for."""
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def newest(instance: dg.DagsterInstance, asset: str) -> dg.AssetMaterialization | None:
    """The newest materialization of an asset, or None if there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    return event.asset_materialization if event else None


def finished_days(
    instance: dg.DagsterInstance,
    *,
    chunks: int,
    policy_hash: str | None,
    campaigns: Collection[str] | None = (),
    since: date | None = None,
) -> set[date]:
    """The days of which every chunk went through all four stages, in their order.

    Args:
        instance: whose history.
        chunks: the number of chunks a day is cut into.
        policy_hash: the policy in force; what was published under another is not finished. None:
            under any.
        campaigns: those that must have been extracted; all if empty. None: whichever.
        since: days before it are left out.
    """
    stages = [_latest(instance, asset, since=since) for asset in STAGE_ASSETS]
    through = [
        key
        for key in stages[0]
        if all(key in stage for stage in stages)
        and all(one[key] < later[key] for one, later in pairwise(stages))
    ]
    extracted = _records(instance, STAGE_ASSETS[0], [stages[0][key] for key in through])
    published = _records(instance, STAGE_ASSETS[-1], [stages[-1][key] for key in through])
    done = Counter(
        chunk_of(key).lead_date
        for key in through
        if policy_hash in {None, _text(published[key], POLICY)}
        and _covers(_text(extracted[key], CAMPAIGNS), campaigns)
    )
    return {day for day, number in done.items() if number == chunks}


def enriched_chunks(instance: dg.DagsterInstance, *, since: date) -> list[EnrichedChunk]:
    """The newest enrichment of each chunk of the days since one."""
    enriched = _latest(instance, STAGE_ASSETS[1], since=since)
    published = _latest(instance, STAGE_ASSETS[-1], since=since)
    records = _records(instance, STAGE_ASSETS[1], enriched.values())
    return [
        EnrichedChunk(
            chunk=chunk_of(key),
            unanswered=int(_text(record, UNANSWERED) or 0),
            at=datetime.fromtimestamp(record.timestamp, UTC),
            run_id=record.run_id,
            published=published.get(key, 0) > enriched[key],
        )
        for key, record in records.items()
    ]


def busy_chunks(instance: dg.DagsterInstance) -> set[Chunk]:
    """The chunks that a run of any stage is queued or under way for."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(UNFINISHED)))
    return {chunk for run in runs if stages_of(run) for chunk in chunks_of(run)}


def stages_of(run: dg.DagsterRun) -> frozenset[str]:
    """The stages that a run materializes."""
    selected = run.asset_selection  # None or empty where the whole job runs
    if not selected:
        return frozenset(STAGE_ASSETS) if run.job_name == DAY_JOB else frozenset()
    return frozenset(STAGE_ASSETS) & {key.to_user_string() for key in selected}


def chunks_of(run: dg.DagsterRun) -> list[Chunk]:
    """The chunks that a run of stages covers, by its partition tags, in order."""
    key = run.tags.get(PARTITION)
    start, end = run.tags.get(RANGE_START, key), run.tags.get(RANGE_END, key)
    if start is None or end is None:
        return []
    return chunks_between(chunk_of(start), chunk_of(end))


def days_of(run: dg.DagsterRun) -> list[date]:
    """The days that a run of stages covers, in order."""
    return sorted({chunk.lead_date for chunk in chunks_of(run)})


def _latest(
    instance: dg.DagsterInstance, asset: str, *, since: date | None = None
) -> dict[str, int]:
    """Where in the event log the newest materialization of each partition is."""
    found = instance.get_latest_storage_id_by_partition(
        dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    earliest = partition_key(Chunk(since, 0)) if since else ""
    return {key: place for key, place in found.items() if key >= earliest}


def _records(
    instance: dg.DagsterInstance, asset: str, places: Iterable[int]
) -> dict[str, dg.EventLogRecord]:
    """The materializations at these places of the event log, by partition."""
    places = list(places)
    if not places:
        return {}
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), storage_ids=places), limit=len(places)
    )
    return {str(record.partition_key): record for record in found.records}


def _text(record: dg.EventLogRecord, name: str) -> str:
    materialization = record.asset_materialization
    entry = materialization.metadata.get(name) if materialization else None
    return "" if entry is None else str(entry.value)


def _covers(extracted: str, wanted: Collection[str] | None) -> bool:
    if wanted is None or extracted == ALL_CAMPAIGNS:
        return True
    return bool(wanted) and set(wanted) <= set(extracted.split(", "))


def newest_publication(instance: dg.DagsterInstance) -> int:
    """Where in the event log the newest publication of a chunk is; 0 before the first."""
    records = instance.fetch_materializations(dg.AssetKey(STAGE_ASSETS[-1]), limit=1).records
    return records[0].storage_id if records else 0


def newest_interrupted(instance: dg.DagsterInstance) -> str:
    """The run that ended last in the middle of publishing; "" if none did.

    It may have published chunks that the event log does not have, since those before them in the
    order of telling were not done.
    """
    ended = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
    for record in instance.get_run_records(ended, limit=LOOKED_AT, order_by="update_timestamp"):
        run = record.dagster_run
        if STAGE_ASSETS[-1] in stages_of(run) and instance.get_run_step_stats(
            run.run_id, [STAGE_ASSETS[-1]]
        ):
            return run.run_id
    return ""


def published_otherwise(
    instance: dg.DagsterInstance, versions: str, policy_hash: str, *, after: int
) -> bool:
    """Whether a chunk may have been published by other lists or another policy, after a place.

    A host that had not fetched the newest lists may publish whom they have, and a run that began
    under an older policy goes on under it, after what was published had been held against them.
    Places in the event log are compared, not moments: the clocks of hosts differ.

    Args:
        instance: has the publications.
        versions: the lists and versions that are the newest.
        policy_hash: of the policy in force.
        after: the place in the event log; what is there or before is left out.

    Returns:
        True also if there are more publications than are looked at.
    """
    published = dg.AssetRecordsFilter(dg.AssetKey(STAGE_ASSETS[-1]), after_storage_id=after)
    found = instance.fetch_materializations(published, limit=NEWEST)
    said = {(_text(one, VERSIONS) or versions, _text(one, POLICY)) for one in found.records}
    return found.has_more or not said <= {(versions, policy_hash)}
