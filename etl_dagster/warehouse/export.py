"""Handing what may be dialled on a day to a dialler: one file, whole and on record, or none.

Belongs here: the one place where a product of this project takes names and addresses out of the
warehouse, on purpose; the record of it in EXPORTS. Does not: layouts, putting the file in its place
(`export_files.py`), whether a day may be handed out at all (`defs/readiness.py`), Do-Not-Call
lists, which the caller asks again about every phone in the file.

The record is committed before the file gets its name: after a crash there may be a record without
a file, never a file without a record.
"""

import hashlib
import os
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.identity.who import operator
from etl_dagster.warehouse.call_windows import check_day
from etl_dagster.warehouse.export_files import (
    LAYOUTS,
    PHONES,
    ExportError,
    check_target,
    create,
    left_behind,
    put,
    unfinished,
)
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import Statement, literals, render, sql
from etl_dagster.warehouse.tables import columns, differences

SLICE: Final = 20_000
"""Rows that are in memory at once."""
_OF: Final = ["LEAD_DATE", "CAMPAIGN"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which part of CALLABLE_NOW, for calls on which day.

    Attributes:
        call_date: the local calendar day on which the leads are called.
        lead_date: leads of one day; of every day if None.
        campaigns: these; every one if empty.
    """

    call_date: date
    lead_date: date | None = None
    campaigns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What an export rests on, for the record.

    Attributes:
        policy_hash: the policy in force.
        list_versions: the Do-Not-Call lists that were asked about every phone in the file.
        accepted_checks: red checks that a person looked at and accepted.
    """

    policy_hash: str
    list_versions: str
    accepted_checks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Export:
    """A row of EXPORTS; `phone_count` counts filled phone columns, the others NULL.

    Exports made before they knew the calling hours have no `call_date`.
    """

    export_id: str
    exported_at: datetime
    lead_date: date | None
    campaigns: str
    row_count: int
    phone_count: int
    sha256: str
    file_format: str
    file_name: str
    policy_hash: str
    list_versions: str
    accepted_checks: str
    exported_by: str
    call_date: date | None


def callable_now(session: Session, selection: Selection) -> dict[date, dict[str, int]]:
    """How many leads CALLABLE_NOW shows, whatever their hours, by day and campaign."""
    found: dict[date, dict[str, int]] = {}
    for day, campaign, leads in session.rows(*_query("count_callable_now", selection)):
        found.setdefault(day, {})[str(campaign)] = int(leads)
    return found


def export(  # noqa: PLR0913  what, where to, how, and who answers for it
    session: Session,
    selection: Selection,
    target: Path,
    *,
    layout: str,
    judged: Mapping[date, Collection[str]],
    origin: Origin,
    vouch: Callable[[NDArray[np.int64]], None],
    force: bool = False,
) -> tuple[Export, dict[str, int]]:
    """Write who may be called on a day, with the hours, into a file that only its owner can read.

    Of CALLABLE_NOW it has the leads and phones with calling hours on that day that are not over,
    and from when to when every phone of a row may be called.

    Args:
        session: a session without an open transaction.
        selection: which part of the view, and the day of the calls.
        target: the file; it appears whole, or not at all.
        layout: a key of `export_files.LAYOUTS`.
        judged: the days, and campaigns of each, that are fit to be handed out.
        origin: for the record.
        vouch: is given the phones of each batch, and once more none at the end, when all are
            written; raises if one of them may not be dialled, or if it can no longer speak for
            those that it saw before.
        force: replace a file of that name.

    Returns:
        The record, and leads by campaign.

    Raises:
        ExportError: the target exists, there is nothing or too much, EXPORTS is not as declared.
        NoHoursError: on the day of the calls nobody can be called.
        WarehouseError: the warehouse refused; there is no file.
    """
    check_target(target, force=force)
    if wrong := differences("exports", columns(session, "exports")):
        raise ExportError(f"an export could not be put on record: {'; '.join(wrong)}")
    check_day(session, selection.call_date)
    for left in left_behind(target):
        left.unlink(missing_ok=True)
    partial = unfinished(target)
    try:
        written, phones = _write(session, selection, partial, layout=layout, vouch=vouch)
        if not written:
            raise ExportError(_why_nothing(session, selection))
        leads: Counter[str] = Counter()
        for (day, campaign), count in written.items():
            if campaign not in judged.get(day, ()):
                raise ExportError(f"{campaign} of {day} was published meanwhile: try again")
            leads[campaign] += count
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        vouch(np.empty(0, np.int64))
        record = Export(
            export_id=uuid.uuid4().hex,
            exported_at=datetime.now(UTC),
            lead_date=selection.lead_date,
            campaigns=", ".join(sorted(leads)),
            row_count=sum(leads.values()),
            phone_count=phones,
            sha256=sha256,
            file_format=layout,
            file_name=target.name,
            policy_hash=origin.policy_hash,
            list_versions=origin.list_versions,
            accepted_checks=", ".join(origin.accepted_checks),
            exported_by=operator(),
            call_date=selection.call_date,
        )
        with session.transaction():
            session.execute(sql("insert_export"), vars(record))
        put(partial, target, force=force)
    finally:
        partial.unlink(missing_ok=True)
    return record, dict(sorted(leads.items()))


def exports(session: Session, *, most: int) -> list[Export]:
    """The newest exports on record, newest first."""
    return session.records(Export, sql("select_exports"), {"most": most})


def _why_nothing(session: Session, selection: Selection) -> str:
    leads = sum(sum(day.values()) for day in callable_now(session, selection).values())
    if not leads:
        return "CALLABLE_NOW shows no such lead at this moment: nothing to export"
    return f"{leads:,} leads have no hours left on {selection.call_date}: nothing to export"


def _query(name: str, selection: Selection) -> tuple[Statement, dict[str, object]]:
    wanted = selection.campaigns
    campaigns = f"campaign IN ({literals(wanted)})" if wanted else "TRUE"
    values: dict[str, object] = {"lead_date": selection.lead_date, "call_date": selection.call_date}
    return render(name, campaigns=campaigns), values


def _write(
    session: Session,
    selection: Selection,
    partial: Path,
    *,
    layout: str,
    vouch: Callable[[NDArray[np.int64]], None],
) -> tuple[Counter[tuple[date, str]], int]:
    """Write all rows; return leads by day and campaign and the number of phones."""
    leads: Counter[tuple[date, str]] = Counter()
    count = 0
    query, values = _query("select_callable_on", selection)
    batches = _slices(session.arrow(query, values))
    first = next(batches, None)
    if first is None:
        return leads, count
    with create(partial) as file:
        with LAYOUTS[layout](file, first.schema) as write:
            for batch in chain([first], batches):
                phones = _phones(batch)
                vouch(phones)
                write(batch)
                count += len(phones)
                of = pa.table([batch[name] for name in _OF], names=_OF).group_by(_OF)
                for one in of.aggregate([([], "count_all")]).to_pylist():
                    leads[one["LEAD_DATE"], one["CAMPAIGN"]] += one["count_all"]
        file.flush()
        os.fsync(file.fileno())
    return leads, count


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pieces of a bounded size, however large those are that the warehouse sends."""
    for batch in batches:
        for start in range(0, batch.num_rows, SLICE):
            yield batch.slice(start, SLICE)


def _phones(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """All phones of a batch; one that comes twice is there twice."""
    found = pa.concat_arrays([batch[name].cast(pa.int64()).drop_null() for name in PHONES])
    phones: NDArray[np.int64] = found.to_numpy(zero_copy_only=False)
    return phones
