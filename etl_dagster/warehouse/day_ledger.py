"""What is on record of a day: what CCC answered, and which Do-Not-Call lists were asked.

Belongs here: counts from the ledger. Does not: what became of leads (`funnel.py`), evidence for a
decision (`scrubbing.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from etl_dagster.warehouse.scrubbing import counts
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import render, sql


@dataclass(frozen=True)
class Answers:
    """What one address was asked and answered; a phone asked about twice counts twice.

    Attributes:
        asked: phones that it was to answer about.
        requests: requests that it answered.
        answered: phones in those answers.
    """

    asked: int
    requests: int
    answered: int


@dataclass(frozen=True, kw_only=True)
class DayLedger:
    """What is on record of a day.

    Attributes:
        phones: distinct valid phones of its leads.
        unjudged: leads that no stage has decided on.
        endpoints: CCC's address to what it was asked and answered.
        unanswered: why CCC's newest word on a phone is UNKNOWN, to phones.
        list_versions: the Do-Not-Call lists and versions that were asked, to phones.
        full: what the full scrub was asked and answered, as `endpoints`.
    """

    phones: int = 0
    unjudged: int = 0
    endpoints: Mapping[str, Answers]
    unanswered: Mapping[str, int]
    list_versions: Mapping[str, int]
    full: Mapping[str, Answers] = field(default_factory=dict)


def read_day_ledger(session: Session, lead_date: date, *, scrubbed_at: datetime) -> DayLedger:
    """Count what is on record of a day.

    Args:
        session: any.
        lead_date: the day.
        scrubbed_at: when the day was last held against the Do-Not-Call lists, aware: what was
            recorded later is of a retraction, or of another day with the same phones.
    """
    values = {"lead_date": lead_date}
    return DayLedger(
        phones=int(session.scalar(sql("count_day_phones"), values)),
        unjudged=int(session.scalar(sql("count_unjudged"), values)),
        endpoints=_answers(session, lead_date, "ccc"),
        full=_answers(session, lead_date, "ccc_full"),
        unanswered=counts(session, render("count_day_unanswered"), values),
        list_versions=counts(
            session, render("count_list_versions"), {**values, "scrubbed_at": scrubbed_at}
        ),
    )


def _answers(session: Session, lead_date: date, source: str) -> dict[str, Answers]:
    values = {"lead_date": lead_date, "source": source}
    return {
        str(endpoint): Answers(*map(int, numbers))
        for endpoint, *numbers in session.rows(sql("count_answers"), values)
    }
