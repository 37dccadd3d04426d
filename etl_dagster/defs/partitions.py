"""The partitions: a day, and a chunk of a day.

Belongs here: partition keys and what a run's keys mean. Does not: what is done for a chunk.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import dagster as dg

from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings

# Dagster sorts the dimensions of a key by name: these put the date first (2026-11-20|03).
DATE: Final = "date"
CHUNK: Final = "lead_chunk"
PARTITION: Final = "dagster/partition"
RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"
_CHUNK_KEY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\|\d+")


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a day, from the configured first day to yesterday (UTC)."""
    return dg.DailyPartitionsDefinition(start_date=settings.start_date.isoformat())


def chunk_partitions(settings: Settings) -> dg.MultiPartitionsDefinition:
    """One partition a day and chunk."""
    chunks = [f"{number:02d}" for number in range(settings.chunks)]
    return dg.MultiPartitionsDefinition(
        {DATE: daily_partitions(settings), CHUNK: dg.StaticPartitionsDefinition(chunks)}
    )


def partition_key(chunk: Chunk) -> str:
    """The key of a chunk's partition."""
    return f"{chunk.lead_date.isoformat()}|{chunk.number:02d}"


def chunk_of(key: str) -> Chunk:
    """The chunk that a partition key names."""
    day, _, number = key.partition("|")
    return Chunk(date.fromisoformat(day), int(number))


def chunks_between(first: Chunk, last: Chunk) -> list[Chunk]:
    """The chunks from one to another, in order: of each day the same."""
    days = (last.lead_date - first.lead_date).days + 1
    return [
        Chunk(first.lead_date + timedelta(days=day), number)
        for day in range(days)
        for number in range(first.number, last.number + 1)
    ]


def range_tags(first: Chunk, last: Chunk) -> dict[str, str]:
    """The tags that make one run cover all partitions from one chunk to another."""
    return {RANGE_START: partition_key(first), RANGE_END: partition_key(last)}


def covered(tags: Mapping[str, str]) -> tuple[str, int]:
    """What a run's partition tags cover.

    Returns:
        In words, such as `2026-11-22, chunks 00-03`, empty where the run has no partition; and
        the number of chunks, 0 where its partitions are others, such as a list's name.
    """
    key = tags.get(PARTITION, "")
    start, end = tags.get(RANGE_START, key), tags.get(RANGE_END, key)
    if not (_CHUNK_KEY.fullmatch(start) and _CHUNK_KEY.fullmatch(end)):
        return _span(start, end, " to "), 0
    first, last = chunk_of(start), chunk_of(end)
    dates = _span(str(first.lead_date), str(last.lead_date), " to ")
    numbers = _span(f"{first.number:02d}", f"{last.number:02d}", "-")
    plural = "s" if "-" in numbers else ""
    return f"{dates}, chunk{plural} {numbers}", len(chunks_between(first, last))


def _span(first: str, last: str, between: str) -> str:
    return first if first == last else f"{first}{between}{last}"


def chunks_in(context: dg.AssetExecutionContext) -> list[Chunk]:
    """The chunks that this run of an asset has to do, in order.

    Raises:
        dagster.Failure: the run was asked for a range of partitions and given fewer. A job
            backfill can do that with multi-dimensional partitions and then report success for
            all of them; better to fail here.
    """
    chunks = sorted(chunk_of(key) for key in context.partition_keys)
    start, end = context.run.tags.get(RANGE_START), context.run.tags.get(RANGE_END)
    if start is None or end is None:
        return chunks
    expected = len(chunks_between(chunk_of(start), chunk_of(end)))
    if len(chunks) != expected:
        raise dg.Failure(
            f"this run was asked for the {expected} partitions from {start} to {end} and was given"
            f" {len(chunks)}: launch it as an asset backfill or with `etl-dagster run --from --to`,"
            " not as a backfill of a job",
            allow_retries=False,
        )
    return chunks
