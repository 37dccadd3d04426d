"""What became of a phone on one day of leads: decided, published, taken back, handed out.

Belongs here: the decisions of a day, and what followed from them. Does not: the rule of a decision
(`decisions.py`), what the decisions rest on (`gathering.py`).

No record says which phones an export has, so that every export is listed that may have this one:
leaving one out would say that it was not handed out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

from etl_dagster.evidence import decisions
from etl_dagster.evidence.decisions import BEGAN, Decided, Moment, Rules
from etl_dagster.evidence.forms import EvidenceError, iso, plain
from etl_dagster.leads.verdicts import Decision, Verdict
from etl_dagster.warehouse.export import Export
from etl_dagster.warehouse.phone_history import PhoneHistory, VerdictRow

READING: Final = timedelta(hours=1)
"""An export bears the moment at which it was whole; what is in it was read before that."""


class Made(NamedTuple):
    """What was decided at a moment; `decided` is None if the policy is not on record."""

    moment: Moment
    words: Mapping[str, VerdictRow]
    decided: Decided | None

    @property
    def until(self) -> datetime | None:
        """Until when the phone was CALLABLE by it; None if it was not."""
        found = self.decided
        return found.until if found and found.decision == Decision.CALLABLE.name else None


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of leads that have the phone.

    Attributes:
        history: everything on record of the phone.
        lead_date: the day.
        rules: hash to policy.
        removed_at: when its leads were removed because their time was up; None if they were not.
    """

    history: PhoneHistory
    lead_date: date
    rules: Mapping[str, Rules]
    removed_at: datetime | None = None

    @cached_property
    def made(self) -> list[Made]:
        """Every moment of the day, each source's newest word then, and the decision on them.

        The beginning of the day is left out unless the phone was CALLABLE then.
        """
        found = [self._made(moment) for moment in decisions.moments(self.history, self.lead_date)]
        return [one for one in found if one.moment.what != BEGAN or one.until]

    @cached_property
    def withdrawn(self) -> tuple[VerdictRow, datetime] | None:
        """The verdict that took the phone back, and until when the day's decisions reached.

        A verdict after which the phone was CALLABLE again within that time took nothing back.
        """
        firm = self._firm
        if not firm:
            return None
        end = max(until for _, until in firm)
        last = max(start for start, _ in firm)
        later = [row for row in self.history.verdicts if last < row.checked_at <= end]
        for row in later:
            moment = Moment(row.checked_at, "", row.policy_hash)
            if self._made(moment).until:
                last = row.checked_at
        took = (row for row in later if row.checked_at > last and row.verdict != Verdict.CLEAR.name)
        return next(((row, end) for row in took), None)

    def exports(self, exports: Iterable[Export]) -> list[Export]:
        """Those that may have the phone by this day's leads, in the order given.

        Of any campaign: leads are replaced when a day is run again, and those of before that had
        the phone are on no record.
        """
        spans = list(self._spans())
        return [
            one
            for one in exports
            if one.lead_date in {None, self.lead_date}
            and any(start <= one.exported_at <= end for start, end in spans)
            and (self.removed_at is None or one.exported_at <= self.removed_at)
        ]

    def describe(
        self, names: Mapping[VerdictRow, str], exports: Iterable[Export]
    ) -> dict[str, Any]:
        """The day as `evidence.json` holds it.

        Args:
            names: what the verdicts are called.
            exports: every export on record, oldest first.
        """
        gone, end = self.withdrawn or (None, None)
        return {
            "lead_date": plain(self.lead_date),
            "leads": plain(self._leads),
            "leads_removed_at": plain(self.removed_at),
            "verdicts": [name for row, name in names.items() if row.lead_date == self.lead_date],
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
                for moment, words, decided in self.made
            ],
            "publications": plain(
                [one for one in self.history.publications if one.lead_date == self.lead_date]
            ),
            "withdrawn": {
                "at": iso(gone.checked_at),
                "until": plain(end),
                "verdict": names.get(gone),
                "says": f"{gone.source}: {gone.verdict} {gone.reason}",
            }
            if gone
            else None,
            "exports": [
                {
                    **plain(one),
                    "after_withdrawal": bool(gone and one.exported_at > gone.checked_at),
                }
                for one in self.exports(exports)
            ],
        }

    @property
    def _leads(self) -> list[Any]:
        return [one for one in self.history.leads if one.lead_date == self.lead_date]

    def _made(self, moment: Moment) -> Made:
        words = self.history.newest(moment.at)
        rules = self.rules.get(moment.policy_hash)
        decided = (
            decisions.decide_phone(words, rules, moment.at, moment.policy_hash) if rules else None
        )
        return Made(moment, words, decided)

    @property
    def _firm(self) -> list[tuple[datetime, datetime]]:
        """The decisions on the day's own leads that the phone is CALLABLE: from when, until when.

        That of the day's beginning is one where no lead is on record that says when it was made.
        """
        return [
            (one.moment.at, one.until)
            for one in self.made
            if one.until and (one.moment.what != BEGAN or not self._leads)
        ]

    def _spans(self) -> Iterator[tuple[datetime, datetime]]:
        """While the phone may have been handed out: both ends count.

        From the first decision that it is callable to the last moment that one allowed.

        Before the first moment of the day's own it may have been there since the day began.
        """
        if self._firm:
            end = max(until for _, until in self._firm)
            yield self._firm[0][0], end + READING
        if self.made and self.made[0].moment.what == BEGAN and self.made[0].until:
            end = self.made[0].until
            if len(self.made) > 1:
                end = min(end, self.made[1].moment.at)
            yield self.made[0].moment.at, end + READING


def days_of(
    history: PhoneHistory,
    rules: Mapping[str, Rules],
    removed: Mapping[date, datetime],
    exports: list[Export],
    only: date | None,
) -> list[Day]:
    """The days that are wanted.

    A day whose leads were removed or replaced may have had the phone without a verdict of its own:
    it is one of them if an export may have the phone by it.

    Raises:
        EvidenceError: there are none.
    """
    if not history.days:
        raise EvidenceError(
            "this phone never occurred: it is in no lead, no verdict and no publication of this"
            " warehouse; nothing was written"
        )
    known = set(history.days)
    handed_out = {one.lead_date for one in exports if one.lead_date}
    days = [
        Day(history=history, lead_date=one, rules=rules, removed_at=removed.get(one))
        for one in sorted(known | set(removed) | handed_out)
        if only in {None, one}
    ]
    found = [day for day in days if day.lead_date in known or day.exports(exports)]
    if not found:
        gone = "".join(
            f"; the leads of {day} were removed on {removed[day]:%Y-%m-%d} because their time was"
            " up, and nothing else has the phone there"
            for day in removed
            if day == only
        )
        raise EvidenceError(
            f"this phone does not occur on {only}, but on"
            f" {', '.join(map(str, history.days))}{gone}; nothing was written"
        )
    return found
