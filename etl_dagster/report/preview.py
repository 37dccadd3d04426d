"""What a run of a day would do and cost, without doing it.

Belongs here: the numbers, by the run's own statements over the session's temporary tables, and
their names. Does not: showing them. Nothing is written that outlives the session, and CCC is not
asked.

The numbers hold for a run on the tables as they are now and a CCC that answers: what is retracted,
published or runs out in between is not foreseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Self

from etl_dagster.ccc import requests_for
from etl_dagster.leads.campaigns import Campaign, choose
from etl_dagster.leads.policy import Policy
from etl_dagster.warehouse import scrubbing
from etl_dagster.warehouse.extraction import ExtractCount, Extraction
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import fragment, literals, render, sql

if TYPE_CHECKING:
    from etl_dagster.leads.campaign_errors import CampaignEmptyError
    from etl_dagster.settings import Settings

TABLES: Final = ("leads", "callable_leads", "phone_verdicts", "retentions")
"""What is read, besides the campaigns' sources and the contacts."""
LABELS: Final = {
    "rows": "rows",
    "nameless": "without names",
    "duplicates": "duplicates",
    "still_valid": "still valid",
    "leads": "leads",
    "no_phone": "no phone",
    "invalid": "invalid",
    "staying_leads": "other campaigns' leads that stay",
    "phones": "distinct phones of the leads",
    "phones_on_record": "with a CCC answer that still stands",
    "phones_to_ask": "phones to ask CCC about",
    "requests": "requests to CCC, canaries included",
    "seconds_at_rate_limit": "seconds for them at the rate limit",
    "ccc_full_phones_to_ask": "full scrub: phones to ask about",
    "ccc_full_requests": "full scrub: requests, canaries included",
    "ccc_full_seconds_at_rate_limit": "full scrub: seconds for them at its rate limit",
    "ccc_full_cost": "full scrub: cost",
    "cost": "cost, in your contract's currency",
}
"""What people call the numbers: those of a campaign in the order of the flow, then the day's."""


@dataclass(frozen=True, kw_only=True)
class CampaignPreview(ExtractCount):
    """What a campaign's rows would become.

    Attributes:
        no_phone: leads without any phone.
        invalid: leads whose phones are all invalid.
    """

    no_phone: int = 0
    invalid: int = 0

    @property
    def numbers(self) -> dict[str, int]:
        """All counts by name."""
        return {**super().numbers, "no_phone": self.no_phone, "invalid": self.invalid}

    def __add__(self, other: Self) -> "CampaignPreview":
        """Both together, under this one's name."""
        numbers = [one.name for one in fields(self) if one.name != "campaign"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in numbers}
        return CampaignPreview(campaign=self.campaign, **sums)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run of a day would do.

    Attributes:
        lead_date: the day.
        force: the run would scrub again what is still valid.
        campaigns: what each campaign's rows would become.
        staying_leads: leads of the day that stay, because their campaign does not run; the run
            scrubs them again with the others.
        phones: distinct phones of the day's leads.
        phones_on_record: of these, phones whose CCC answer still stands.
        asked: phones that CCC would be asked about, by chunk, where there are any.
        batch_size: phones a request.
        requests_per_minute: the rate limit.
        price_per_1000: of 1,000 phones, in the contract's currency, if that is known.
        problems: why the run would fail before it asks or writes anything; empty if it would not.
        full: the same, but of asking the full scrub, if the policy requires it.
    """

    lead_date: date
    force: bool
    campaigns: tuple[CampaignPreview, ...]
    staying_leads: int
    phones: int
    phones_on_record: int
    asked: tuple[int, ...]
    batch_size: int
    requests_per_minute: int
    price_per_1000: float | None
    problems: tuple[str, ...]
    full: "Preview | None" = None

    @property
    def total(self) -> CampaignPreview:
        """All campaigns together."""
        return sum(self.campaigns, CampaignPreview(campaign="all"))

    @property
    def phones_to_ask(self) -> int:
        """Phones sent to CCC; by a run with force once for each chunk that has them."""
        return sum(self.asked)

    @property
    def requests(self) -> int:
        """Requests to CCC, those about the vendor's test numbers included."""
        return sum(requests_for(phones, batch_size=self.batch_size) for phones in self.asked)

    @property
    def seconds_at_rate_limit(self) -> float:
        """How long the requests take at the rate limit; they may take longer for other reasons."""
        return round(60 * self.requests / self.requests_per_minute, 1)

    @property
    def cost(self) -> float | None:
        """The price of the phones, without the test numbers; None if no price is known."""
        if self.price_per_1000 is None:
            return None
        return round(self.phones_to_ask * self.price_per_1000 / 1_000, 2)

    @property
    def asking(self) -> dict[str, float]:
        """The numbers of the day's phones and of asking CCC by name, but for the scrub's cost."""
        asked = ("phones_to_ask", "requests", "seconds_at_rate_limit")
        day = ("staying_leads", "phones", "phones_on_record", *asked)
        found = {name: getattr(self, name) for name in day}
        if self.full:
            found |= {f"ccc_full_{name}": getattr(self.full, name) for name in (*asked, "cost")}
        return {name: number for name, number in found.items() if number is not None}


def preview_day(  # noqa: PLR0913  what a run is given, and its moment
    session: Session,
    lead_date: date,
    campaigns: Sequence[Campaign],
    *,
    names: Sequence[str],
    force: bool,
    settings: "Settings",
    policy: Policy,
    moment: datetime,
) -> Preview:
    """Find out what a run would do.

    Args:
        session: any; its temporary tables are written.
        lead_date: the day.
        campaigns: those there are.
        names: those that would run; all if empty.
        force: scrub again what is still valid.
        settings: the configuration.
        policy: the policy in force.
        moment: now, aware.

    Raises:
        CampaignError: a name is no campaign's, or a campaign's SQL cannot be used.
        WarehouseError: the warehouse failed.
    """
    chosen = choose(campaigns, names)
    extraction = Extraction(
        session,
        lead_date,
        chosen,
        chunks=settings.chunks,
        contacts_table=settings.contacts_table,
        policy_hash=policy.hash,
        force=force,
        moment=moment,
        run_id="preview",
    )
    empty: list[CampaignEmptyError] = []
    counts = extraction.stage(on_empty=empty.append)
    # a run of all campaigns replaces the day, also what a campaign left whose file is gone
    ran = literals(campaign.name for campaign in chosen)
    stays = f"campaign NOT IN ({ran})" if names else "FALSE"
    day = {"lead_date": lead_date}
    pairs = fragment("phones_of", beside="chunk,", leads="stored", which="TRUE")
    session.execute(render("create_day_phones", phones=pairs, stays=stays), day)
    phones = scrubbing.gather_evidence_of(session, "SELECT DISTINCT phone FROM DAY_PHONES", {})
    unanswered = _asked(session, policy, "ccc", moment, force=False)
    found = Preview(
        lead_date=lead_date,
        force=force,
        campaigns=tuple(_with_phoneless(session, counts)),
        staying_leads=int(session.scalar(render("count_staying_leads", stays=stays), day)),
        phones=phones,
        phones_on_record=phones - sum(unanswered),
        asked=_asked(session, policy, "ccc", moment, force=True) if force else unanswered,
        batch_size=settings.ccc_batch_size,
        requests_per_minute=settings.ccc_requests_per_minute,
        price_per_1000=settings.ccc_price_per_1000,
        problems=tuple(map(str, empty)),
    )
    if "ccc_full" not in policy.apis:
        return found
    full = replace(
        found,
        asked=_asked(session, policy, "ccc_full", moment, force=force),
        requests_per_minute=settings.ccc_full_requests_per_minute,
        price_per_1000=settings.ccc_full_price_per_1000,
    )
    return replace(found, full=full)


def _with_phoneless(session: Session, counts: Sequence[ExtractCount]) -> list[CampaignPreview]:
    phoneless = {name: numbers for name, *numbers in session.rows(sql("count_phoneless"))}
    found = []
    for count in counts:
        no_phone, invalid = map(int, phoneless.get(count.campaign, (0, 0)))
        found.append(CampaignPreview(**vars(count), no_phone=no_phone, invalid=invalid))
    return found


def _asked(
    session: Session, policy: Policy, api: str, moment: datetime, *, force: bool
) -> tuple[int, ...]:
    """The phones to ask in each chunk that has any, by the rule of `scrubbing.phones_to_ask`."""
    phones = render("select_phones_to_ask", source=api)
    statement = render("count_phones_to_ask", phones_to_ask=phones)
    rule = scrubbing.asking_rule(policy, api, moment=moment, force=force)
    return tuple(int(phones) for _, phones in session.rows(statement, rule))
