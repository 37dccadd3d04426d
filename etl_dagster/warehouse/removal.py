"""Removing what retention no longer asks for: a day at a time, verified and on record.

Belongs here: the order in which it is made safe. Does not: what may go (`retention.py`), what a
record is (`retention_record.py`), files and the Do-Not-Call store (`scrub/old_files.py`).

A day goes as a whole, of all tables of a kind, in one transaction with its records: after a crash a
day is there with all of its rows, or gone and on record. Chains of the ledger are of one day, so
none is cut.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import groupby

from etl_dagster.warehouse import retention_record
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.retention import LEDGER, RULES, Plan, Removable
from etl_dagster.warehouse.retention_record import Retention
from etl_dagster.warehouse.scrubbing import naive
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import render, sql
from etl_dagster.warehouse.verification import Verification, verify


class RetentionError(WarehouseError):
    """Something must not be removed, or was not removed as planned; the message says what stays."""


def apply(
    session: Session,
    planned: Plan,
    *,
    by: str,
    done: Callable[[Removable], None] = lambda _: None,
) -> list[date]:
    """Remove what was planned, day by day, each in a transaction with its records.

    The ledger of the days that go is verified before and after. A day that does not verify stays,
    since removing it would destroy the evidence of who changed it.

    Args:
        session: a session without an open transaction.
        planned: from `plan`; what is there by now must still be what it counted.
        by: who does it, for the records.
        done: told of each table and day that was removed.

    Returns:
        The days whose ledger stays, in order.

    Raises:
        RetentionError: the records of earlier removals are not as they were written, so that
            nothing may be added to them; or a day has other rows than planned; or what is left
            does not verify. What was removed before is on record.
    """
    ledger_days = [one.day for one in planned.removable if one.kind == LEDGER]
    before = _verified(session, ledger_days, planned.moment)
    flawed = {flaw.key.lead_date for flaw in before.flaws}
    retention_id = uuid.uuid4().hex
    for (kind, day), group in groupby(planned.removable, key=lambda one: (one.kind, one.day)):
        if kind == LEDGER and day in flawed:
            continue
        parts = list(group)
        records = [_record(session, one, planned, retention_id, by) for one in parts]
        with retention_record.appending(session) as append:
            _delete(session, parts)
            append(records)
        for one in parts:
            done(one)
    after = _verified(session, ledger_days, planned.moment)
    if worse := [flaw for flaw in after.flaws if flaw not in before.flaws]:
        raise RetentionError(
            f"the ledger does not verify after the removal, {len(worse):,} findings more than"
            " before: somebody writes to it; see etl-dagster ledger verify"
        )
    return sorted(flawed.intersection(ledger_days))


def _verified(session: Session, days: Sequence[date], moment: datetime) -> Verification:
    """Verify the ledger of these days, and the records of earlier removals, which must be right."""
    first, last = (min(days), max(days)) if days else (date.min, date.min)
    found = verify(session, first=first, last=last, moment=moment)
    if wrong := [flaw for flaw in found.flaws if flaw.kind == retention_record.KIND]:
        raise RetentionError(
            f"RETENTIONS is not as it was written ({wrong[0].says}; {len(wrong):,} findings), so"
            " nothing may be removed; see etl-dagster ledger verify"
        )
    return found


def _record(
    session: Session, one: Removable, planned: Plan, retention_id: str, by: str
) -> Retention:
    digests = ""
    if one.table == "SCRUB_BATCHES":
        rows = session.rows(sql("select_digests_of_day"), {"day": one.day})
        digests = retention_record.digests_text(rows)
    return Retention(
        retention_id=retention_id,
        table_name=one.table,
        day=one.day,
        row_count=one.rows,
        oldest=one.oldest and naive(one.oldest),
        newest=one.newest and naive(one.newest),
        kept_days=planned.kept_days[one.kind],
        digests=digests,
        removed_at=naive(planned.moment),
        removed_by=by,
    )


def _delete(session: Session, parts: Sequence[Removable]) -> None:
    """Delete a day of one kind.

    Raises:
        RetentionError: there are other rows than planned; let it pass, so that all of it is undone.
    """
    for one in parts:
        statement = render("delete_old_rows", table=one.table, day=RULES[one.table.lower()].day)
        rows = session.execute(statement, {"day": one.day})
        if rows != one.rows:
            raise RetentionError(
                f"{one.table} has {rows:,} rows of {one.day}, {one.rows:,} were planned for:"
                " somebody writes to that day, and nothing of it was removed; plan again"
            )
