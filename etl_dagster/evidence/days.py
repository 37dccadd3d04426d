"""What became of a phone on one day of leads: decided, published, taken back, handed out.

Belongs here: the decisions of a day, and what followed from them. Does not: the rule of a decision
(`decisions.py`), what the decisions rest on (`gathering.py`).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from etl_dagster.evidence import decisions
from etl_dagster.evidence.decisions import Decided, Moment, Rules
from etl_dagster.evidence.forms import iso, plain
from etl_dagster.leads.verdicts import Decision, Verdict
from etl_dagster.warehouse.export import Export
from etl_dagster.warehouse.phone_history import PhoneHistory, VerdictRow, newest_verdicts
from etl_dagster.warehouse.session import Session

Made = tuple[Moment, Mapping[str, VerdictRow], Decided | None]


def decide_all(
    session: Session,
    phone: int,
    history: PhoneHistory,
    day: date,
    rules: Mapping[str, Rules],
) -> list[Made]:
    """Every moment of a day, each source's newest word then, and what the policy makes of them."""
    found: list[Made] = []
    for moment in decisions.moments(history, day):
        words = newest_verdicts(session, phone, moment.at)
        known = rules.get(moment.policy_hash)
        decided = decisions.decide_phone(words, known, moment.at) if known else None
        found.append((moment, words, decided))
    return found


def describe_day(
    history: PhoneHistory,
    day: date,
    made: list[Made],
    names: Mapping[VerdictRow, str],
    exports: list[Export],
) -> dict[str, Any]:
    """A day of leads that have the phone, as `evidence.json` holds it.

    Args:
        history: everything on record of the phone.
        day: the day.
        made: what `decide_all` found of it.
        names: what the verdicts are called.
        exports: every export on record, newest first.
    """
    span = _callable(history, made)
    leads = [one for one in history.leads if one.lead_date == day]
    campaigns = {lead.campaign for lead in leads}
    return {
        "lead_date": plain(day),
        "leads": plain(leads),
        "verdicts": [name for row, name in names.items() if row.lead_date == day],
        "decisions": [
            {
                "at": iso(moment.at),
                "what": moment.what,
                "policy_hash": moment.policy_hash,
                "decision": decided.decision if decided else None,
                "callable_until": plain(decided.until) if decided else None,
                "causes": decided.causes if decided else None,
                "words": {source: names[row] for source, row in words.items()},
            }
            for moment, words, decided in made
        ],
        "publications": plain([one for one in history.publications if one.lead_date == day]),
        "withdrawn": {
            "at": iso(span.withdrawn.checked_at),
            "verdict": names.get(span.withdrawn),
            "says": f"{span.withdrawn.source}: {span.withdrawn.verdict} {span.withdrawn.reason}",
        }
        if span and span.withdrawn
        else None,
        "exports": [
            plain(one)
            for one in reversed(exports)
            if span
            and span.start <= one.exported_at <= span.end
            and one.lead_date in {None, day}
            and not campaigns.isdisjoint(one.campaigns.split(", "))
        ],
    }


class _Span(NamedTuple):
    """While a phone was callable; `withdrawn` is the verdict that ended it before its time."""

    start: datetime
    end: datetime
    withdrawn: VerdictRow | None


def _callable(history: PhoneHistory, made: list[Made]) -> _Span | None:
    """From the first decision that it is callable to the last moment that one of them allowed."""
    spans = [
        (moment.at, decided.until)
        for moment, _, decided in made
        if decided and decided.decision == Decision.CALLABLE.name and decided.until
    ]
    if not spans:
        return None
    start, end = spans[0][0], max(until for _, until in spans)
    withdrawn = next(
        (
            row
            for row in history.verdicts
            if start < row.checked_at <= end and row.verdict != Verdict.CLEAR.name
        ),
        None,
    )
    return _Span(start, withdrawn.checked_at if withdrawn else end, withdrawn)
