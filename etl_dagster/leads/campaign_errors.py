"""What can be wrong with a campaign, as one small tree.

    CampaignError               anything wrong with a campaign's file
    |-- CampaignFileError       the file or folder: missing, not UTF-8, badly named, twice there
    |-- CampaignSqlError        the SQL text: no query, several statements, unfinished quotes
    |-- CampaignColumnError     the columns that the query returns are not those of a lead
    `-- CampaignEmptyError      the query returned no row

Belongs here: the types and the shape of their messages. Does not: what a campaign must be.
"""

from pathlib import Path


class CampaignError(ValueError):
    """A campaign cannot be used; nothing was written because of it.

    Attributes:
        path: the file, or the folder.
    """

    def __init__(self, path: Path, problem: str, *, line: int | None = None) -> None:
        self.path = path
        super().__init__(f"{path}{f':{line}' if line else ''}: {problem}")


class CampaignFileError(CampaignError):
    """The campaign's file, or the folder of campaigns, cannot be used."""


class CampaignSqlError(CampaignError):
    """The file does not hold exactly one query."""


class CampaignColumnError(CampaignError):
    """The query's result does not have the columns of a lead."""


class CampaignEmptyError(CampaignError):
    """The query returned no row on a day, and the file does not say that it may."""
