"""What the warehouse has on record of one phone: leads, verdicts, publications. No names.

Belongs here: reading. Does not: what it proves, or how it is shown (`evidence/`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.examination import ChainKey
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import sql

_LAST: Final = datetime.max.replace(tzinfo=UTC)
_BLOCKS_FIRST: Final = {Verdict.LISTED.name: 0, Verdict.UNKNOWN.name: 1, Verdict.CLEAR.name: 2}
"""Of two words of one moment the one that blocks counts."""


@dataclass(frozen=True, kw_only=True)
class VerdictRow:
    """A row of PHONE_VERDICTS; moments are aware."""

    lead_date: date
    chunk: int
    phone: int
    source: str
    verdict: str
    reason: str
    list_versions: str
    checked_at: datetime
    valid_until: datetime | None
    policy_hash: str
    evidence_hash: str
    run_id: str
    batch_id: str

    @property
    def chain(self) -> ChainKey:
        """The chain that its batch is in."""
        return ChainKey(self.lead_date, int(self.chunk), self.source)


@dataclass(frozen=True, kw_only=True)
class LeadRow:
    """A lead that has the phone.

    Attributes:
        lead_date: its day.
        campaign: its campaign.
        lead_id: SHA-256 of whose lead it is.
        place: which of its phones, 1 to 3.
        extracted_at: when it was taken in, aware.
        run_id: by which run.
        verdict: what DNC_FILTERED says was decided on the phone; None if nothing is there.
        reason: why.
        policy_hash: under which policy.
        decided_by: by which run.
    """

    lead_date: date
    campaign: str
    lead_id: str
    place: int
    extracted_at: datetime
    run_id: str
    verdict: str | None
    reason: str | None
    policy_hash: str | None
    decided_by: str | None


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A row of CALLABLE_LEADS that has the phone; moments are aware."""

    lead_date: date
    campaign: str
    lead_id: str
    published_at: datetime
    callable_until: datetime
    policy_hash: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class PhoneHistory:
    """Everything on record of a phone, each part oldest first."""

    verdicts: list[VerdictRow]
    leads: list[LeadRow]
    publications: list[Publication]

    @property
    def days(self) -> list[date]:
        """The lead dates in which the phone occurs."""
        return sorted(
            {row.lead_date for row in self.verdicts}
            | {row.lead_date for row in self.leads}
            | {row.lead_date for row in self.publications}
        )

    def newest(self, moment: datetime) -> dict[str, VerdictRow]:
        """Each source's newest word as of a moment, as `sql/fragments/newest_first.sql` orders it.

        Everything is taken from the rows that were read once, so that whatever is said of many
        moments is of one state of the ledger, also beside a run.

        Args:
            moment: aware; words of that very moment count.

        Returns:
            Source to its word, in the order of the sources' names.
        """
        found: dict[str, VerdictRow] = {}
        for row in self.verdicts:
            held = found.get(row.source)
            if row.checked_at <= moment and (held is None or _order(row) < _order(held)):
                found[row.source] = row
        return dict(sorted(found.items()))


def read_history(session: Session, phone: int) -> PhoneHistory:
    """Read what is on record of a phone; all is empty where it never occurred."""
    values = {"phone": phone}
    return PhoneHistory(
        verdicts=session.records(VerdictRow, sql("select_verdicts_of_phone"), values),
        leads=session.records(LeadRow, sql("select_leads_of_phone"), values),
        publications=session.records(Publication, sql("select_publications_of_phone"), values),
    )


def _order(row: VerdictRow) -> tuple[timedelta, int, bool, datetime]:
    """What makes one word of a source count before another: the smaller one does."""
    age = _LAST - row.checked_at
    return (
        age,
        _BLOCKS_FIRST.get(row.verdict, 2),
        row.valid_until is not None,
        row.valid_until or _LAST,
    )
