"""The ledger held against its own digests, and against heads that were kept elsewhere.

Belongs here: what is read, in which order, how much at once. Does not: what counts as wrong
(`examination.py`, `answers.py`), the file of heads (`heads.py`).

It may run beside runs that append. An append commits rows and batches together, so of any batch
that was read, all rows are there for a later statement: batches are read first, then rows. Rows
that came in between belong to batches that were not read; they are told from rows without a batch
by looking for their batches once more. That holds at the isolation that Snowflake has, where each
statement sees what was committed before it began.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Final

from etl_dagster.warehouse import retention_record
from etl_dagster.warehouse.answers import examine_answers
from etl_dagster.warehouse.canonical import version_of
from etl_dagster.warehouse.examination import ChainKey, Flaw, examine, key_of
from etl_dagster.warehouse.heads import Head, RetentionsHead
from etl_dagster.warehouse.reaches import ROWS_AT_ONCE, reaches, read_batches, statement
from etl_dagster.warehouse.retention_record import Retention
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

TABLES: Final = ("phone_verdicts", "scrub_batches", "ccc_answers", "retentions")
"""What is read."""


@dataclass(kw_only=True)
class Verification:
    """What was examined, and what is wrong.

    Attributes:
        chains: chains.
        batches: batches of them.
        rows: rows of PHONE_VERDICTS.
        older: batches whose digest is of an older form, which covers less.
        appended: batches that were appended meanwhile, and are left to the next verification.
        anchored: heads that were found again.
        answers: raw answers that are kept.
        without_answer: rows that name an answer which is not kept.
        removed: heads that retention removed with their chains, as its records say.
        flaws: what is wrong.
    """

    chains: int = 0
    batches: int = 0
    rows: int = 0
    older: int = 0
    appended: int = 0
    anchored: int = 0
    answers: int = 0
    without_answer: int = 0
    removed: int = 0
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.flaws


def verify(  # noqa: PLR0913  which days, which anchors, when, how much at once
    session: Session,
    *,
    first: date = date.min,
    last: date = date.max,
    heads: Iterable[Head] = (),
    retentions_head: RetentionsHead | None = None,
    moment: datetime | None = None,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Verification:
    """Recompute every digest of some days, and of all retentions, and hold the ledger to them.

    Args:
        session: a session without an open transaction, in which each statement sees what is
            committed.
        first: the first day.
        last: the last day.
        heads: heads that were kept, which must be in their chains; those of other days are left
            out.
        retentions_head: the record of RETENTIONS that was the last when the heads were kept.
        moment: now, aware; the clock's if None.
        rows_at_once: bounds the memory.
    """
    found = Verification()
    earlier = retention_record.read(session)
    days = {"first": first, "last": last}
    wanted = {key_of(head): head for head in heads if first <= head.lead_date <= last}
    known = session.rows(sql("select_chains"), days)
    chains = sorted(
        (ChainKey(day, int(chunk), source), int(rows)) for day, chunk, source, rows in known
    )
    ends: dict[ChainKey, int] = {}
    for reach in reaches(chains, rows_at_once):
        batches = read_batches(session, reach)
        rows = session.arrow_table(statement("select_ledger_rows"), reach)
        flaws, strays = examine(batches, rows)
        found.flaws += flaws
        if strays:
            _judge_strays(session, reach, strays, found)
        found.rows += rows.num_rows
        found.batches += len(batches)
        found.chains += len({key_of(batch) for batch in batches})
        found.older += sum(version_of(batch.digest) == 1 for batch in batches)
        for batch in batches:
            key = key_of(batch)
            ends[key] = max(ends.get(key, 0), batch.position)
            head = wanted.get(key)
            if head and (head.position, head.digest) == (batch.position, batch.digest):
                del wanted[key]
                found.anchored += 1
    found.flaws += _damaged_answers(session, days, found)
    records = retention_record.read(session)
    gone, before = (retention_record.removed_chains(some) for some in (records, earlier))
    # a chain that was removed while this went on was read in part
    found.flaws = [flaw for flaw in found.flaws if flaw.key not in gone or flaw.key in before]
    for key, head in wanted.items():
        if (key not in ends or key not in before) and retention_record.has_removed(gone, head):
            found.removed += 1
        else:
            found.flaws.append(_lost(head, ends.get(key, 0)))
    found.flaws += retention_record.examine(records, moment=moment or datetime.now(UTC))
    found.flaws += retention_record.returned(earlier, ends)
    found.flaws += _lost_record(records, retentions_head)
    found.flaws += _repeated(session, days)
    found.flaws.sort(key=lambda flaw: (flaw.key, flaw.position or 0, flaw.batch_id, flaw.kind))
    return found


def _judge_strays(
    session: Session, reach: dict[str, object], strays: Sequence[Flaw], found: Verification
) -> None:
    """Tell rows without a batch from rows whose batch was appended after the batches were read."""
    homes: dict[str, list[ChainKey]] = {}
    rows = session.rows(statement("select_batches_of_rows"), reach)
    for batch_id, day, chunk, source in rows:
        homes.setdefault(batch_id, []).append(ChainKey(day, int(chunk), source))
    for stray in strays:
        home = homes.get(stray.batch_id, [])
        if stray.key in home:
            found.appended += 1
        elif home:
            says = f"rows of a batch of {_name(home[0])}"
            found.flaws.append(replace(stray, kind="foreign_rows", says=says))
        else:
            found.flaws.append(stray)


def _repeated(session: Session, days: dict[str, date]) -> Iterator[Flaw]:
    for day, chunk, source, position, batch_id in session.rows(
        sql("select_repeated_batches"), days
    ):
        yield Flaw(
            kind="batch_id",
            says="another batch has its id, too",
            key=ChainKey(day, int(chunk), source),
            position=int(position),
            batch_id=batch_id,
        )


def _damaged_answers(
    session: Session, days: dict[str, date], found: Verification
) -> Iterator[Flaw]:
    """What is wrong with the raw answers that are kept; counts them, and those that are not."""
    for (day,) in session.rows(sql("select_answer_days"), days):
        for flaw in examine_answers(session, day):
            found.answers += 1
            if flaw:
                yield flaw
    found.without_answer = int(session.scalar(sql("count_without_answer"), days))


def _lost_record(records: Sequence[Retention], last: RetentionsHead | None) -> Iterator[Flaw]:
    """What is wrong where the last record that was kept is not in its place any more."""
    if last and (last.position, last.digest) not in {(one.position, one.digest) for one in records}:
        yield Flaw(
            kind="head",
            says=f"the record that was the last at position {last.position:,} is lost",
            key=ChainKey(date.min, 0, "RETENTIONS"),
            position=last.position,
        )


def _lost(head: Head, end: int) -> Flaw:
    """What is wrong where a head is not in its chain any more."""
    if not end:
        says = "the chain is gone"
    elif end < head.position:
        says = f"the chain ends at position {end:,}"
    else:
        says = "another batch is there, or none"
    says = f"the batch that was the head at position {head.position:,} is lost: {says}"
    return Flaw(kind="head", says=says, key=key_of(head), position=head.position)


def _name(key: ChainKey) -> str:
    return f"{key.lead_date} chunk {key.chunk:02d} {key.source}"
