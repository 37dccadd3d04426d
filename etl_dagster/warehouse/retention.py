"""How long what is kept: leads as long as they are of use, evidence for at least five years.

Belongs here: which table is of which kind, which days may go, which went. Does not: removing them
(`removal.py`), the records of that (`retention_record.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.retraction import published_chunks
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import render, sql

LEADS: Final = "leads"
LEDGER: Final = "ledger"
EXPORTS: Final = "exports"
LONGEST_USE: Final = 31
"""A call rests on an export for at most so many days: no list that clears a phone may be older."""


class RemovedDayError(WarehouseError):
    """A day's leads were removed because their time was up: it is not extracted again."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How long the rows of a table are kept.

    Attributes:
        kind: tables of one kind go together: LEADS, LEDGER or EXPORTS.
        day: which day a row is of, in SQL.
        written: when it was written, in SQL.
        last_use: the last moment at which a call could rest on it, in SQL.
    """

    kind: str
    day: str = "lead_date"
    written: str = "NULL::TIMESTAMP_NTZ"
    last_use: str = "NULL::TIMESTAMP_NTZ"


RULES: Final = {
    "leads": Rule(kind=LEADS, written="extracted_at"),
    "ccc_enriched": Rule(kind=LEADS),
    "dnc_filtered": Rule(kind=LEADS),
    "callable_leads": Rule(kind=LEADS, written="published_at"),
    "phone_verdicts": Rule(
        kind=LEDGER,
        written="checked_at",
        last_use="GREATEST(checked_at, COALESCE(valid_until, checked_at))",
    ),
    "scrub_batches": Rule(kind=LEDGER, written="created_at", last_use="created_at"),
    "ccc_answers": Rule(kind=LEDGER, written="answered_at", last_use="answered_at"),
    "exports": Rule(
        kind=EXPORTS,
        day="exported_at::DATE",
        written="exported_at",
        last_use=f"DATEADD(day, {LONGEST_USE}, exported_at)",
    ),
}
"""Tables whose rows go when their time is up."""
KEPT: Final = {
    "call_places": "public facts, replaced by every run",
    "call_windows": "public facts, replaced by every run",
    "locks": "a row for each thing that one writer at a time may do",
    "policies": "the words behind every verdict, a row each",
    "retentions": "the proof of what was removed",
}
"""Tables of which nothing is ever removed, and why."""


@dataclass(frozen=True, kw_only=True)
class Removable:
    """Rows of one table and day whose time is up; never whose they are.

    Attributes:
        kind: of which kind the table is.
        table: the table.
        day: the day they are of.
        rows: how many.
        oldest, newest: when the first and the last of them was written, aware, if known.
    """

    kind: str
    table: str
    day: date
    rows: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be removed.

    Attributes:
        moment: when the plan was made, aware.
        kept_days: by kind, so many days are kept.
        removable: what would go, by kind and day.
        callable_days: days whose time is up and that stay: they have leads that may be called.
    """

    moment: datetime
    kept_days: dict[str, int]
    removable: tuple[Removable, ...]
    callable_days: tuple[date, ...]


def plan(session: Session, *, leads_days: int, ledger_days: int, moment: datetime) -> Plan:
    """Find out what may be removed; nothing is written.

    Args:
        session: any.
        leads_days: leads are kept so long after their day.
        ledger_days: evidence is kept so long after the last moment a call could rest on it.
        moment: now, aware.
    """
    published = {chunk.lead_date for chunk in published_chunks(session, moment=moment)}
    kept = {LEADS: leads_days, LEDGER: ledger_days, EXPORTS: ledger_days}
    found: list[Removable] = []
    used: set[tuple[str, date]] = set()
    staying: set[date] = set()
    for table, rule in RULES.items():
        limit = moment - timedelta(days=kept[rule.kind])
        query = render("count_old_rows", table=table.upper(), **vars(rule))
        for day, rows, oldest, newest, last_use in session.rows(query, {"before": limit.date()}):
            if rule.kind != EXPORTS and day in published:
                staying.add(day)
                continue
            if last_use is not None and last_use >= limit:
                used.add((rule.kind, day))
            found.append(
                Removable(
                    kind=rule.kind,
                    table=table.upper(),
                    day=day,
                    rows=int(rows),
                    oldest=oldest,
                    newest=newest,
                )
            )
    kinds = list(kept)
    going = [one for one in found if (one.kind, one.day) not in used]
    going.sort(key=lambda one: (kinds.index(one.kind), one.day))
    return Plan(
        moment=moment,
        kept_days=kept,
        removable=tuple(going),
        callable_days=tuple(sorted(staying)),
    )


def first_decided(session: Session, *, before: datetime, going: Collection[date]) -> datetime:
    """When the first Do-Not-Call verdict of the days that stay was decided.

    Args:
        session: any.
        before: aware; what is returned if none was decided earlier.
        going: days whose ledger is about to go.
    """
    rows = session.rows(sql("select_oldest_dnc_verdicts"), {"before": before})
    return min((oldest for day, oldest in rows if day not in going), default=before)


def removed_days(session: Session) -> dict[date, datetime]:
    """The days whose leads were removed because their time was up, and when, aware."""
    return dict(session.rows(sql("select_removed_days")))


def refuse_removed(session: Session, days: Collection[date]) -> None:
    """See to it that none of these days' leads were removed.

    Raises:
        RemovedDayError: some were; names the days.
    """
    if gone := sorted(removed_days(session).keys() & days):
        raise RemovedDayError(
            f"the leads of {', '.join(map(str, gone))} were removed because their time was up"
            " (ETL_LEADS_RETENTION_DAYS, table RETENTIONS): such a day is not extracted, nor its"
            " phones bought, nor its report written again; ask for other days"
        )
