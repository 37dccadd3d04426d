"""The records of what retention removed: a chain of digests of their own, appended, never updated.

Belongs here: a record as a row of RETENTIONS, its digest, appending, what is wrong with records.
Does not: what may be removed, and removing it (`retention.py`).

A record of the ledger names the digest of every batch that went, so that a head that was kept
elsewhere can be told from one that somebody took away. It excuses nothing younger than the law
asks for: a record that says it removed a younger day, or was made in the future, is a flaw itself.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from etl_dagster.settings import FIVE_YEARS
from etl_dagster.warehouse.canonical import FIRST_DIGEST, sha256_of
from etl_dagster.warehouse.examination import ChainKey, Flaw, key_of
from etl_dagster.warehouse.heads import Head
from etl_dagster.warehouse.locks import locked
from etl_dagster.warehouse.retention import LEADS, RULES
from etl_dagster.warehouse.scrubbing import naive
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

KIND: Final = "retention"
"""The kind of a flaw of records."""
_MAY_BE_YOUNG: Final = frozenset(
    table.upper() for table, rule in RULES.items() if rule.kind == LEADS
)
"""Of everything else nothing younger than five years may be removed."""
_BATCHES: Final = "SCRUB_BATCHES"
_DOMAIN: Final = "etl_dagster retentions v1"
_LOCK: Final = "retentions"
_CLOCKS: Final = timedelta(days=1)
"""So much may clocks of hosts differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A row of RETENTIONS: what was removed of one table and day; moments are UTC without a zone.

    Attributes:
        position: its place, 1 for the first record there ever was; 0 until it has one.
        retention_id: what one `apply` removed has one id.
        table_name: the table, or the folder of files.
        day: the day of the leads; of exports and files the day they are of.
        row_count: rows, or files.
        oldest, newest: the first and last moment at which one of the rows was written, if known.
        kept_days: so long such rows were to be kept.
        digests: of SCRUB_BATCHES the removed digests as JSON, chain by chain; '' of others.
        removed_at: when.
        removed_by: whose name the operating system gave.
        digest, prev_digest: of this record, and of the one before.
    """

    position: int = 0
    retention_id: str
    table_name: str
    day: date
    row_count: int
    oldest: datetime | None
    newest: datetime | None
    kept_days: int
    digests: str = ""
    removed_at: datetime
    removed_by: str
    digest: str = ""
    prev_digest: str = FIRST_DIGEST

    @property
    def chains(self) -> dict[ChainKey, list[str]]:
        """The chains that went, with the digests of their batches from position 1 on.

        Nothing where that text is not ours: then the record's own digest does not hold either.
        """
        if self.table_name != _BATCHES:
            return {}
        try:
            return {
                ChainKey(self.day, int(chunk), str(source)): [str(one) for one in digests]
                for chunk, source, digests in json.loads(self.digests)
            }
        except (ValueError, TypeError):
            return {}


def digests_text(rows: Iterable[Sequence[Any]]) -> str:
    """What `Retention.digests` holds, from rows (chunk, source, digest) in the chains' order."""
    chains: dict[tuple[int, str], list[str]] = {}
    for chunk, source, digest in rows:
        chains.setdefault((int(chunk), str(source)), []).append(str(digest))
    return json.dumps([[*key, found] for key, found in chains.items()], separators=(",", ":"))


def digest_of(record: Retention) -> str:
    """The digest of a record: of all of its columns and the digest of the one before."""
    values = [
        value.isoformat() if isinstance(value, date) else value
        for name, value in asdict(record).items()
        if name != "digest"
    ]
    return f"v1:{sha256_of([_DOMAIN, *values])}"


def read(session: Session) -> list[Retention]:
    """All records, in order."""
    table = session.arrow_table(sql("select_retentions"))
    table = table.rename_columns([name.lower() for name in table.column_names])
    return [Retention(**row) for row in table.to_pylist()]


@contextmanager
def appending(session: Session) -> Iterator[Callable[[Iterable[Retention]], None]]:
    """Be in a transaction that may append records: one at a time, whatever host it is on.

    Two that read the end of the chain at once would both chain to it; and a chain that forks can
    never be mended.

    Args:
        session: a session without an open transaction.

    Yields:
        What appends records, chained to those that are there; positions and digests it gives.
    """
    with locked(session, _LOCK):
        yield lambda records: _append(session, records)


def _append(session: Session, records: Iterable[Retention]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only who writes needs it

    last = session.row(sql("select_last_retention"))
    position, previous = (int(last[0]), str(last[1])) if last else (0, FIRST_DIGEST)
    chained = []
    for at, record in enumerate(records, position + 1):
        placed = replace(record, position=at, prev_digest=previous)
        previous = digest_of(placed)
        chained.append(asdict(replace(placed, digest=previous)))
    moment = pa.timestamp("us")
    rows = pa.Table.from_pylist(chained)
    for name in ("oldest", "newest", "removed_at"):  # a column of nothing has no type of its own
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, rows[name].cast(moment))
    session.load("RETENTIONS", rows)


def examine(records: Sequence[Retention], *, moment: datetime) -> Iterator[Flaw]:
    """What is wrong with the records.

    Args:
        records: all of them, in order.
        moment: now, aware.
    """
    place, previous = 1, FIRST_DIGEST
    now = naive(moment)
    for record in records:
        if record.position != place:
            yield _flaw(record, f"it is at position {record.position:,}, where {place:,} is next")
        if record.prev_digest != previous:
            yield _flaw(record, "the digest that it names is not that of the record before it")
        if digest_of(record) != record.digest:
            yield _flaw(record, "its digest is not that of what is there")
        if record.removed_at > now + _CLOCKS:
            yield _flaw(record, "it says that it removed something in the future")
        age = record.removed_at.date() - record.day
        if record.table_name not in _MAY_BE_YOUNG and age < timedelta(days=FIVE_YEARS):
            yield _flaw(record, f"it says that it removed evidence {age.days:,} days old")
        place, previous = record.position + 1, record.digest


def returned(records: Iterable[Retention], present: Iterable[ChainKey]) -> Iterator[Flaw]:
    """Chains that records say were removed, and that are there."""
    there = set(present)
    for record in records:
        for key in record.chains:
            if key in there:
                name = f"chunk {key.chunk:02d} {key.source}"
                yield _flaw(record, f"the chain of {name} was removed, and is there")


def removed_chains(records: Iterable[Retention]) -> dict[ChainKey, list[str]]:
    """Every chain that was removed, with its digests."""
    return {key: digests for record in records for key, digests in record.chains.items()}


def has_removed(removed: Mapping[ChainKey, list[str]], head: Head) -> bool:
    """Whether a head was in a chain that was removed, at its position, with its digest."""
    digests = removed.get(key_of(head), [])
    return digests[head.position - 1 : head.position] == [head.digest]


def _flaw(record: Retention, says: str) -> Flaw:
    return Flaw(
        kind=KIND,
        says=f"record of what was removed of {record.table_name}: {says}",
        key=ChainKey(record.day, 0, record.table_name),
        position=record.position,
        batch_id=record.retention_id,
    )
