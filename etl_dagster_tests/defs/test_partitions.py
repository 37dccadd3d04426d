from datetime import date
from typing import Any

import dagster as dg
import pytest

from etl_dagster.defs.partitions import (
    CHUNK,
    DATE,
    chunk_of,
    chunk_partitions,
    chunks_in,
    daily_partitions,
    partition_key,
    range_tags,
)
from etl_dagster.leads.chunks import Chunk
from etl_dagster.settings import Settings

SETTINGS = Settings.from_environment({"ETL_START_DATE": "2026-01-01", "ETL_CHUNKS": "3"})
PARTITIONS = chunk_partitions(SETTINGS)
DAYS = [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]


def test_keys_have_the_date_first_and_come_back_as_chunks() -> None:
    chunk = Chunk(date(2026, 2, 3), 2)
    assert partition_key(chunk) == "2026-02-03|02"
    assert chunk_of(partition_key(chunk)) == chunk
    assert sorted([DATE, CHUNK]) == [DATE, CHUNK]
    key = dg.MultiPartitionKey({DATE: "2026-02-03", CHUNK: "02"})
    assert str(key) == partition_key(chunk)
    assert PARTITIONS.has_partition_key(key)


def test_there_is_a_partition_for_each_chunk_of_each_day_from_the_start() -> None:
    keys = PARTITIONS.get_partition_keys()
    assert keys[0] == "2026-01-01|00"
    days = daily_partitions(SETTINGS).get_partition_keys()
    assert len(keys) == 3 * len(days)


def given_to_an_asset(
    partitions: dg.PartitionsDefinition[str] = PARTITIONS, **run: Any
) -> tuple[dg.ExecuteInProcessResult, list[list[Chunk]]]:
    """A run of an asset like ours, and the chunks that it was given to do."""
    found: list[list[Chunk]] = []

    @dg.asset(partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def probe(context: dg.AssetExecutionContext) -> None:
        found.append(chunks_in(context))

    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([probe], instance=instance, raise_on_error=False, **run), found


@pytest.mark.parametrize("numbers", [(0, 1, 2), (1, 2), (1,)])
def test_a_range_gives_every_chunk_of_its_days(numbers: tuple[int, ...]) -> None:
    tags = range_tags(Chunk(DAYS[0], numbers[0]), Chunk(DAYS[-1], numbers[-1]))
    result, found = given_to_an_asset(tags=tags)
    assert result.success
    assert found == [[Chunk(day, number) for day in DAYS for number in numbers]]


def test_chunks_come_in_the_order_of_their_numbers_also_beyond_99() -> None:
    settings = Settings.from_environment({"ETL_START_DATE": "2026-01-01", "ETL_CHUNKS": "101"})
    tags = range_tags(Chunk(DAYS[0], 0), Chunk(DAYS[0], 100))
    _, found = given_to_an_asset(chunk_partitions(settings), tags=tags)
    assert found == [[Chunk(DAYS[0], number) for number in range(101)]]


def test_one_partition_needs_no_range() -> None:
    result, found = given_to_an_asset(partition_key="2026-02-27|01")
    assert result.success
    assert found == [[Chunk(DAYS[0], 1)]]


def test_a_run_that_is_given_fewer_partitions_than_its_range_promises_fails_loudly() -> None:
    """As a backfill of a job can do; here, because the partitions between are left out."""
    promised = range_tags(Chunk(DAYS[0], 0), Chunk(DAYS[-1], 2))
    ends = dg.StaticPartitionsDefinition(["2026-02-27|00", "2026-03-01|02"])
    result, found = given_to_an_asset(ends, tags=promised)
    assert not result.success
    assert found == []
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    message = failure.step_failure_data.error_display_string
    assert "asked for the 9 partitions from 2026-02-27|00 to 2026-03-01|02" in message
    assert "was given 2" in message
