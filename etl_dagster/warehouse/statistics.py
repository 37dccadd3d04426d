"""Numbers of a day and of the days before it, which checks compare.

Belongs here: counting. Does not: judging (`oversight/findings.py`), the funnel that people read
(`funnel.py`).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from etl_dagster.leads.policy_text import APIS
from etl_dagster.oversight.usual import Rate
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import render, sql

DAYS_BEFORE: Final = 30
API_ROWS: Final = "COALESCE(source, 'ccc') = '{source}'"
"""Which rows of CCC_ENRICHED are a service's."""


def lead_counts(session: Session, lead_date: date) -> tuple[int, list[int]]:
    """The leads of a day, and of each of the 30 days before it that has any."""
    found = {
        day: int(leads)
        for day, leads in session.rows(sql("count_leads_by_day"), _window(lead_date))
    }
    return found.pop(lead_date, 0), list(found.values())


def listed_rates(session: Session, source: str, lead_date: date) -> tuple[Rate, list[Rate]]:
    """How many phones a source has listed on a day, and on each of the 30 days before it.

    Args:
        session: any.
        source: one of `SOURCES`.
        lead_date: the day.
    """
    where = {"table": "CCC_ENRICHED", "column": "ccc", "which": API_ROWS.format(source=source)}
    if source not in APIS:
        where = {"table": "DNC_FILTERED", "column": "dnc", "which": "TRUE"}
    statement = render("count_listed_by_day", **where)
    found = {
        day: Rate(listed=int(listed), answered=int(answered))
        for day, listed, answered in session.rows(statement, _window(lead_date))
    }
    return found.pop(lead_date, Rate(listed=0, answered=0)), list(found.values())


def lists_asked(session: Session) -> dict[str, datetime]:
    """The lists and versions that verdicts of the last 30 days name, and since when."""
    values = {"since": datetime.now(UTC) - timedelta(days=DAYS_BEFORE)}
    rows = session.rows(sql("select_lists_asked"), values)
    return {str(versions): since.replace(tzinfo=UTC) for versions, since in rows}


def _window(lead_date: date) -> dict[str, object]:
    return {"lead_date": lead_date, "since": lead_date - timedelta(days=DAYS_BEFORE)}
