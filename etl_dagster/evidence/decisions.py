"""What was decided on a phone, as of each moment at which it was.

Belongs here: which moments those are, which policy counted, and asking `decide`. Does not: the rule
(`leads/verdicts.py`), reading (`warehouse/phone_history.py`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple, Self

import numpy as np

from etl_dagster.leads.verdicts import Cause, Decision, Evidence, Verdict, decide
from etl_dagster.warehouse.phone_history import PhoneHistory, VerdictRow
from etl_dagster.warehouse.scrubbing import naive

LITIGATOR: Final = "ccc"
ASKED: Final = {
    LITIGATOR: "the litigator scrub was asked",
    "ccc_full": "the full scrub was asked",
    "dnc": "the Do-Not-Call lists were asked",
}
PUBLISHED: Final = "the phone was published"
TAKEN_IN: Final = "the lead was taken in"
BEGAN: Final = "the day began"
"""What was on record by then from other days."""
SCRUBBED_WITHIN: Final = timedelta(days=2)
"""So long after its beginning a day's leads may have been scrubbed by verdicts of other days, where
the leads are gone that would tell."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What of a policy a decision needs."""

    required_sources: tuple[str, ...]
    ccc_ttl: timedelta
    dnc_max_age_days: int
    dnc_lists: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Read them from a policy's canonical text (`Policy.meaning`)."""
        said = json.loads(text)
        return cls(
            required_sources=tuple(said["required_sources"]),
            ccc_ttl=timedelta(seconds=round(said["ccc_ttl_days"] * 86_400)),
            dnc_max_age_days=int(said["dnc_max_age_days"]),
            dnc_lists=tuple(said["dnc_lists"]),
        )


class Moment(NamedTuple):
    """A moment at which something about a phone was decided.

    Attributes:
        at: aware.
        what: what happened then.
        policy_hash: the policy that counted.
    """

    at: datetime
    what: str
    policy_hash: str


class Decided(NamedTuple):
    """A decision on one phone.

    Attributes:
        decision: its name.
        until: until when the phone is CALLABLE, aware; None unless it is.
        causes: why it is not, such as `{"dnc": "listed"}`; empty if it is.
    """

    decision: str
    until: datetime | None
    causes: dict[str, str]


def moments(history: PhoneHistory, lead_date: date) -> list[Moment]:
    """When something was decided of a day's leads that have the phone, oldest first.

    The first may be the beginning of the day: a lead that is taken in again bears the later
    moment, and one that was removed bears none, so that only the day itself bounds when the phone
    could be in its leads.
    """
    return sorted(set(_moments(history, lead_date)))


def _moments(history: PhoneHistory, lead_date: date) -> Iterator[Moment]:
    start = datetime.combine(lead_date, time.min, UTC)
    known = history.newest(start).values()
    if known:
        yield Moment(start, BEGAN, max(known, key=lambda row: row.checked_at).policy_hash)
    has_leads = any(lead.lead_date == lead_date for lead in history.leads)
    for row in history.verdicts:
        what = ASKED.get(row.source, f"{row.source} was asked")
        if row.lead_date == lead_date:
            yield Moment(row.checked_at, what, row.policy_hash)
        elif not has_leads and start < row.checked_at <= start + SCRUBBED_WITHIN:
            yield Moment(row.checked_at, f"{what}, for leads of {row.lead_date}", row.policy_hash)
    for each in history.publications:
        if each.lead_date == lead_date:
            yield Moment(each.published_at, PUBLISHED, each.policy_hash)
    # everything may have been on record already, from another day
    for lead in history.leads:
        if lead.lead_date == lead_date and lead.policy_hash:
            yield Moment(lead.extracted_at, TAKEN_IN, lead.policy_hash)


def decide_phone(
    words: Mapping[str, VerdictRow], rules: Rules, at: datetime, policy_hash: str
) -> Decided:
    """Decide on a phone by each source's newest word.

    A CLEAR of the lists or the full scrub, which a policy judges, counts under that policy only.

    Args:
        words: source to its word; as `PhoneHistory.newest` finds them.
        rules: the policy.
        at: the moment of the decision, aware.
        policy_hash: of the policy.
    """
    words = {
        source: row
        for source, row in words.items()
        if source == LITIGATOR or row.verdict != "CLEAR" or row.policy_hash == policy_hash
    }
    if not words:
        missing = Cause.MISSING.name.lower()
        return Decided(Decision.UNKNOWN.name, None, dict.fromkeys(rules.required_sources, missing))
    found = decide(
        {source: _evidence(row, rules) for source, row in words.items()},
        required=rules.required_sources,
        moment=at,
    )
    until = found.callable_until[0]
    causes = {source: Cause(int(codes[0])) for source, codes in found.causes.items()}
    return Decided(
        decision=Decision(int(found.decisions[0])).name,
        until=None if np.isnat(until) else until.item().replace(tzinfo=UTC),
        causes={source: cause.name.lower() for source, cause in causes.items() if cause},
    )


def _evidence(row: VerdictRow, rules: Rules) -> Evidence:
    until = row.valid_until
    if until and row.source == LITIGATOR:
        until = min(until, row.checked_at + rules.ccc_ttl)
    end = np.datetime64(naive(until), "us") if until else np.datetime64("NaT", "us")
    return Evidence(verdicts=np.array([Verdict[row.verdict]], np.int8), valid_until=np.array([end]))
