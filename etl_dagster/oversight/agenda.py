"""What is due: the decisions of schedules and sensors, as pure functions.

Belongs here: facts in, what shall run out, or why nothing shall. Does not: where the facts come
from (`defs/history.py`), launching anything.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from etl_dagster.leads.chunks import Chunk


@dataclass(frozen=True, kw_only=True)
class ChunkRange:
    """Neighbouring chunks of one day, both ends included."""

    first: Chunk
    last: Chunk

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first)
        return f"{self.first.lead_date} chunks {self.first.number:02d}-{self.last.number:02d}"


@dataclass(frozen=True, kw_only=True)
class EnrichedChunk:
    """What is known of a chunk that CCC was asked about.

    Attributes:
        chunk: which one.
        unanswered: its phones that CCC gave no answer about, though it might when asked again.
        at: when that was found out, aware.
        run_id: the run that asked.
        published: the chunk has been published since.
    """

    chunk: Chunk
    unanswered: int
    at: datetime
    run_id: str
    published: bool


def days_due(
    newest: date,
    *,
    finished: Collection[date],
    running: Collection[date],
    begun: date | None,
    catch_up_days: int,
) -> list[date]:
    """The days that the daily schedule shall run now, oldest first.

    The newest day always is, unless it is running: answers on record are not bought again. A day
    before it is if it was missed: not finished, not running, at most `catch_up_days` back, and
    after the first day that ever was finished, since what was before is history that somebody has
    to ask for.

    Args:
        newest: the newest day with a partition.
        finished: days whose chunks all are published.
        running: days that a run is queued or under way for.
        begun: the first day that ever was finished, or None.
        catch_up_days: how far back to look.
    """
    window = [newest - timedelta(days=back) for back in range(catch_up_days, 0, -1)]
    missed = [day for day in window if begun is not None and day > begun and day not in finished]
    return [day for day in [*missed, newest] if day not in running]


def not_removed(days: Sequence[date], removed: Collection[date]) -> list[date]:
    """Days without those whose leads retention removed: they are not missed, but gone for good."""
    return [day for day in days if day not in removed]


def chunks_to_ask_again(  # noqa: PLR0913  each is a fact of its own, all keyword-only
    chunks: Iterable[EnrichedChunk],
    *,
    busy: Collection[Chunk],
    now: datetime,
    newest: date,
    within_days: int,
    patience: timedelta,
) -> list[ChunkRange]:
    """The chunks that shall be enriched, scrubbed and published again, as runs.

    A chunk is left over if CCC left phones of it unanswered, and so is one that the same run
    answered whole and could not publish, since that run failed. It is due if nobody is at work on
    it and it has been left alone for `patience`; after `within_days` it is not worth it any more.

    Args:
        chunks: the newest enrichment of each chunk.
        busy: chunks that a run is queued or under way for.
        now: aware.
        newest: the newest day with a partition.
        within_days: days before the newest that are looked at, it included.
        patience: time since the chunk was last enriched.
    """
    chunks = list(chunks)
    troubled = {one.run_id for one in chunks if one.unanswered}
    due = [
        one.chunk
        for one in chunks
        if (one.unanswered or (one.run_id in troubled and not one.published))
        and one.chunk.lead_date > newest - timedelta(days=within_days)
        and now - one.at >= patience
        and one.chunk not in busy
    ]
    return as_ranges(due)


def as_ranges(chunks: Collection[Chunk]) -> list[ChunkRange]:
    """Chunks as few runs as they fit in, in order."""
    ranges: list[ChunkRange] = []
    for chunk in sorted(chunks):
        before = Chunk(chunk.lead_date, chunk.number - 1)
        if ranges and ranges[-1].last == before:
            ranges[-1] = replace(ranges[-1], last=chunk)
        else:
            ranges.append(ChunkRange(first=chunk, last=chunk))
    return ranges
