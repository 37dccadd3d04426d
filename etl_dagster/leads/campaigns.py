"""Campaigns: one SQL file each, that says which people are leads on a day.

Belongs here: finding and reading the files. Does not: reading the SQL text (`campaign_sql`),
checking what it returns (`campaign_columns`), running anything.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etl_dagster.leads.campaign_errors import CampaignError, CampaignFileError, CampaignSqlError
from etl_dagster.leads.campaign_sql import SqlTextError, read_query

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIX: Final = ".sql"


@dataclass(frozen=True)
class Campaign:
    """One campaign.

    Attributes:
        name: the file's name without `.sql`, in lower case.
        path: the file.
        sql: one query without trailing semicolon, safe to stand between brackets.
        code_version: changes when the query does, not with comments or white space.
        may_be_empty: the file has the line `-- may be empty`: a day without leads is right for it.
        tables: what its query reads, as far as that can be seen.
    """

    name: str
    path: Path
    sql: str
    code_version: str
    may_be_empty: bool = False
    tables: tuple[str, ...] = ()


def load_campaign(path: Path) -> Campaign:
    """Read one campaign.

    Raises:
        CampaignFileError: the file cannot be read, is not UTF-8, or has no fitting name.
        CampaignSqlError: it does not hold exactly one query.
    """
    name = path.stem.lower().replace("-", "_").replace(" ", "_")
    if not _NAME.fullmatch(name):
        problem = "a campaign's file name is its name: letters, digits and _, a letter first"
        raise CampaignFileError(path, problem)
    try:
        query = read_query(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise CampaignFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (byte {error.start} is why); save the file as UTF-8"
        raise CampaignFileError(path, problem) from None  # the cause would quote the whole file
    except SqlTextError as error:
        raise CampaignSqlError(path, str(error), line=error.line) from error
    return Campaign(
        name=name,
        path=path,
        sql=query.text,
        code_version=query.version,
        may_be_empty=query.may_be_empty,
        tables=query.tables,
    )


def check_query(text: str) -> str:
    """Hold a query that somebody typed to the rules of a campaign's.

    Returns:
        The query without what surrounds it.

    Raises:
        CampaignSqlError: it is not exactly one statement that only reads.
    """
    try:
        return read_query(text).text
    except SqlTextError as error:
        raise CampaignSqlError(Path("query"), str(error), line=error.line) from error


def load_campaigns(folder: Path) -> tuple[Campaign, ...]:
    """Read all campaigns of a folder: its `.sql` files, subfolders and hidden files left out.

    Returns:
        By name.

    Raises:
        CampaignFileError: there is no such folder or no campaign in it, two files give the same
            name, or as for `load_campaign`.
        CampaignSqlError: as for `load_campaign`.
    """
    campaigns, faults = find_campaigns(folder)
    if faults:
        raise faults[0]
    return campaigns


def find_campaigns(folder: Path) -> tuple[tuple[Campaign, ...], list[CampaignError]]:
    """The campaigns of a folder that can be read, by name, and why others cannot."""
    if not folder.is_dir():
        problem = "no such folder; campaigns are .sql files in a folder"
        return (), [CampaignFileError(folder, problem)]
    campaigns, faults = dict[str, Campaign](), list[CampaignError]()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() != _SUFFIX or path.is_dir():
            continue
        try:
            campaign = load_campaign(path)
        except CampaignError as error:
            faults.append(error)
            continue
        twin = campaigns.setdefault(campaign.name, campaign)
        if twin is not campaign:
            problem = f"the campaign {campaign.name} is already in {twin.path.name}; rename one"
            faults.append(CampaignFileError(path, problem))
    if not campaigns and not faults:
        faults = [CampaignFileError(folder, "no campaign; put at least one .sql file here")]
    return tuple(campaigns[name] for name in sorted(campaigns)), faults


def choose(campaigns: Sequence[Campaign], names: Sequence[str]) -> list[Campaign]:
    """The campaigns of these names, in their own order; all if there are no names.

    Raises:
        CampaignFileError: a name is none of theirs.
    """
    known = {campaign.name for campaign in campaigns}
    if unknown := sorted(set(names) - known):
        problem = f"no campaign {unknown[0]!r}; there are {', '.join(sorted(known))}"
        raise CampaignFileError(campaigns[0].path.parent, problem)
    return [campaign for campaign in campaigns if not names or campaign.name in names]
