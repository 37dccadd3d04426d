"""Campaign SQL to LEADS, without a lead ever leaving the warehouse.

Belongs here: the order of the statements that extract a day, and their counts. Does not: what a
campaign must return (`leads/campaign_columns.py`), the statements themselves (`sql/`).
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from etl_dagster.leads.campaign_columns import ColumnMap, resolve_columns
from etl_dagster.leads.campaign_errors import CampaignEmptyError, CampaignSqlError
from etl_dagster.leads.campaigns import Campaign
from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse import expressions
from etl_dagster.warehouse.errors import StatementError
from etl_dagster.warehouse.retention import refuse_removed
from etl_dagster.warehouse.scrubbing import naive
from etl_dagster.warehouse.session import Session, Statement
from etl_dagster.warehouse.statements import fragment, literals, render, sql

STILL_VALID_FOR: Final = timedelta(days=1)
"""A lead that another day published is left out while it can be dialled for at least so long."""


@dataclass(frozen=True)
class ExtractCount:
    """What became of one campaign's rows: the rest are its leads.

    Attributes:
        campaign: its name.
        rows: rows that its SQL returned.
        nameless: rows without first or last name, left out.
        duplicates: rows of a lead that another row stands for.
        still_valid: leads that another day published and that may still be dialled.
    """

    campaign: str
    rows: int = 0
    nameless: int = 0
    duplicates: int = 0
    still_valid: int = 0

    @property
    def leads(self) -> int:
        """Leads that go into LEADS."""
        return self.rows - self.nameless - self.duplicates - self.still_valid

    @property
    def numbers(self) -> dict[str, int]:
        """All counts by name."""
        return {
            "rows": self.rows,
            "nameless": self.nameless,
            "duplicates": self.duplicates,
            "still_valid": self.still_valid,
            "leads": self.leads,
        }

    def __str__(self) -> str:
        return (
            f"campaign {self.campaign}: {self.rows:,} rows, {self.nameless:,} without names,"
            f" {self.duplicates:,} duplicates, {self.still_valid:,} still valid,"
            f" {self.leads:,} leads"
        )


def refuse(error: CampaignEmptyError) -> None:
    """What an extraction does with a campaign that returned no row: end."""
    raise error


@dataclass(frozen=True)
class Extraction:
    """One day's extraction: `stage` runs the campaigns once, `write` replaces a chunk at a time.

    Nothing is written to LEADS before every campaign has been checked and has run.

    Attributes:
        session: used for the whole extraction, whose temporary tables it holds.
        lead_date: the day.
        campaigns: whose SQL to run.
        chunks: the number of chunks a day is cut into.
        contacts_table: where phones and e-mails come from that a campaign does not give.
        policy_hash: the policy in force; leads published under another are not still valid.
        force: extract leads too that another day published and that are still valid.
        moment: when the extraction was begun, aware.
        run_id: the run that extracts.
    """

    session: Session
    lead_date: date
    campaigns: Sequence[Campaign]
    _: KW_ONLY
    chunks: int
    contacts_table: str
    policy_hash: str
    force: bool
    moment: datetime
    run_id: str

    def stage(
        self, *, on_empty: Callable[[CampaignEmptyError], None] = refuse
    ) -> list[ExtractCount]:
        """Check and run the campaigns; their leads wait in the session's temporary tables.

        Args:
            on_empty: told of a campaign that returned no row and does not say that it may; if it
                does not raise, the other campaigns run.

        Raises:
            CampaignError: a campaign's SQL does not compile, returns other columns than a lead
                needs, or returned no row. Names the file; LEADS is as it was.
            RemovedDayError: the day's leads were removed because their time was up.
            WarehouseError: the warehouse failed; LEADS is as it was.
        """
        session = self.session
        refuse_removed(session, [self.lead_date])
        begin = datetime.combine(self.lead_date, time(), UTC)
        session.set_variables(
            {
                "PARTITION_DATE": self.lead_date.isoformat(),
                "PARTITION_START": f"{naive(begin)}",
                "PARTITION_END": f"{naive(begin + timedelta(days=1))}",
            }
        )
        maps = [(campaign, self._described(campaign)) for campaign in self.campaigns]
        session.execute(sql("create_extracted"))
        for campaign, columns in maps:
            if not self._run(campaign, columns) and not campaign.may_be_empty:
                on_empty(self._empty(campaign))
        contacts = render(
            "create_contacts",
            contacts_table=self.contacts_table,
            **expressions.identity("c"),
            **expressions.numbers(),
        )
        session.execute(contacts)
        day_leads = render(
            "create_day_leads",
            chunk=fragment("chunk", lead_id="n.lead_id", chunks=self.chunks),
            **expressions.numbers(),
        )
        values = {
            "lead_date": self.lead_date,
            "valid_beyond": self.moment + STILL_VALID_FOR,
            "policy_hash": self.policy_hash,
            "force": self.force,
        }
        session.execute(day_leads, values)
        return self._counts()

    def write(self, chunk: Chunk, *, everything: bool = True) -> int:
        """Replace one chunk in LEADS in one transaction.

        Args:
            chunk: one of the day's chunks.
            everything: replace all campaigns' leads, else only those of the campaigns that ran.

        Returns:
            The number of leads written.
        """
        names = literals(campaign.name for campaign in self.campaigns)
        delete = render(
            "delete_leads", campaigns="" if everything else f"AND campaign IN ({names})"
        )
        values = {**chunk.values, "moment": self.moment, "run_id": self.run_id}
        with self.session.transaction():
            self.session.execute(delete, chunk.values)
            return self.session.execute(sql("insert_leads"), values)

    def _described(self, campaign: Campaign) -> ColumnMap:
        """Check the columns that the campaign returns, without running it."""
        try:
            described = self.session.describe(Statement(campaign.sql, campaign.path.name))
        except StatementError as error:
            raise CampaignSqlError(
                campaign.path, f"Snowflake cannot compile the query, nothing was written: {error}"
            ) from error
        return resolve_columns(campaign.path, described)

    def _run(self, campaign: Campaign, columns: ColumnMap) -> int:
        """Put what the campaign returns into EXTRACTED; return the number of rows."""
        statement = render(
            "extract_campaign",
            campaign=campaign.name,
            campaign_sql=campaign.sql,
            columns=",\n            ".join(expressions.selected(columns)),
            attributes=expressions.attributes(columns),
            **expressions.identity("keyed"),
        )
        try:
            return self.session.execute(Statement(statement, campaign.path.name))
        except StatementError as error:
            raise CampaignSqlError(
                campaign.path, f"Snowflake cannot run the query, nothing was written: {error}"
            ) from error

    def _empty(self, campaign: Campaign) -> CampaignEmptyError:
        return CampaignEmptyError(
            campaign.path,
            f"the query returned no row for {self.lead_date}, nothing was written; if a day"
            " without leads is right for it, put the line '-- may be empty' into the file",
        )

    def _counts(self) -> list[ExtractCount]:
        rows = self.session.rows(sql("count_extracted"))
        counts = {name: ExtractCount(name, *map(int, numbers)) for name, *numbers in rows}
        return [counts.get(one.name, ExtractCount(one.name)) for one in self.campaigns]
