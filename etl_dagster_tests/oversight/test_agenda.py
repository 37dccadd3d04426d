import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.chunks import Chunk
from etl_dagster.oversight.agenda import (
    ChunkRange,
    EnrichedChunk,
    as_ranges,
    chunks_to_ask_again,
    days_due,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEWEST = date(2026, 11, 23)


def day(number: int) -> date:
    """A day of the month."""
    return date(2026, 11, number)


def days(*numbers: int) -> set[date]:
    return {day(number) for number in numbers}


@pytest.mark.parametrize(
    ("finished", "running", "begun", "catch_up", "due"),
    [
        # nothing has ever run: history is for somebody to ask for
        ((), (), None, 7, [23]),
        # every day is done: the newest once more, which costs nothing
        ((20, 21, 22, 23), (), 20, 7, [23]),
        ((20, 21, 22), (), 20, 7, [23]),
        # the daemon was down for two days
        ((18, 19, 20), (), 18, 7, [21, 22, 23]),
        # days before the first that was ever done are not missed
        ((22,), (), 22, 7, [23]),
        ((22,), (), 20, 7, [21, 23]),
        # only so far back
        ((10,), (), 10, 2, [21, 22, 23]),
        ((10,), (), 10, 0, [23]),
        # what is running is left alone
        ((20,), (21, 23), 20, 7, [22]),
        ((20, 21, 22), (23,), 20, 7, []),
    ],
)
def test_the_schedule_runs_the_newest_day_and_those_that_were_missed(
    finished: Sequence[int],
    running: Sequence[int],
    begun: int | None,
    catch_up: int,
    due: Sequence[int],
) -> None:
    assert days_due(
        NEWEST,
        finished=days(*finished),
        running=days(*running),
        begun=None if begun is None else day(begun),
        catch_up_days=catch_up,
    ) == [day(number) for number in due]


numbers = st.sets(st.integers(1, 22))


@given(finished=numbers, running=numbers, catch_up=st.integers(0, 30))
def test_no_finished_or_running_day_before_the_newest_is_ever_due(
    finished: set[int], running: set[int], catch_up: int
) -> None:
    due = days_due(
        NEWEST,
        finished=days(*finished),
        running=days(*running),
        begun=min(days(*finished), default=None),
        catch_up_days=catch_up,
    )
    assert due[-1] == NEWEST
    assert due == sorted(set(due))
    assert not set(due) & (days(*finished) | days(*running))
    assert all(NEWEST - one <= timedelta(days=catch_up) for one in due)


def enriched(
    number: int,
    unanswered: int = 0,
    *,
    lead_date: date = NEWEST,
    minutes_ago: int = 30,
    run: str = "r1",
    published: bool = False,
) -> EnrichedChunk:
    return EnrichedChunk(
        chunk=Chunk(lead_date, number),
        unanswered=unanswered,
        at=NOW - timedelta(minutes=minutes_ago),
        run_id=run,
        published=published,
    )


@pytest.mark.parametrize(
    ("chunks", "busy", "due"),
    [
        ([], (), []),
        ([enriched(0, published=True)], (), []),
        # a chunk that was never published, but whose run had no trouble with CCC, is not ours
        ([enriched(0)], (), []),
        ([enriched(0, 5)], (), ["2026-11-23 chunk 00"]),
        ([enriched(0, 5, published=True)], (), ["2026-11-23 chunk 00"]),
        # the run failed: what it answered whole was not published either
        (
            [enriched(0), enriched(1, 5), enriched(2)],
            (),
            ["2026-11-23 chunks 00-02"],
        ),
        ([enriched(0, published=True), enriched(1, 5)], (), ["2026-11-23 chunk 01"]),
        ([enriched(0, run="r2"), enriched(1, 5)], (), ["2026-11-23 chunk 01"]),
        # runs of neighbours only
        (
            [enriched(0, 1), enriched(1, published=True), enriched(2, 1), enriched(3, 1)],
            (),
            ["2026-11-23 chunk 00", "2026-11-23 chunks 02-03"],
        ),
        # a short while ago, being worked on, too old
        ([enriched(0, 5, minutes_ago=9)], (), []),
        ([enriched(0, 5), enriched(1, 5)], (0,), ["2026-11-23 chunk 01"]),
        ([enriched(0, 5, lead_date=day(21))], (), ["2026-11-21 chunk 00"]),
        ([enriched(0, 5, lead_date=day(20))], (), []),
    ],
)
def test_chunks_with_unanswered_phones_are_run_again_when_their_time_has_come(
    chunks: list[EnrichedChunk], busy: Sequence[int], due: list[str]
) -> None:
    found = chunks_to_ask_again(
        chunks,
        busy={Chunk(NEWEST, number) for number in busy},
        now=NOW,
        newest=NEWEST,
        within_days=3,
        patience=timedelta(minutes=10),
    )
    assert [str(one) for one in found] == due


@given(st.sets(st.builds(Chunk, st.dates(day(1), day(4)), st.integers(0, 9))))
def test_ranges_hold_exactly_the_chunks_and_never_span_days(chunks: set[Chunk]) -> None:
    ranges = as_ranges(chunks)
    held = [
        Chunk(one.first.lead_date, number)
        for one in ranges
        for number in range(one.first.number, one.last.number + 1)
    ]
    assert held == sorted(chunks)
    assert all(one.first.lead_date == one.last.lead_date for one in ranges)
    joined = [
        one for one, next_ in itertools.pairwise(ranges)
        if one.last.lead_date == next_.first.lead_date
        and one.last.number + 1 == next_.first.number
    ]  # fmt: skip
    assert not joined


def test_a_range_of_one_chunk_is_called_by_it() -> None:
    assert str(ChunkRange(first=Chunk(NEWEST, 3), last=Chunk(NEWEST, 3))) == "2026-11-23 chunk 03"
