"""The column contract: which of a campaign's output columns is which part of a lead.

Belongs here: names, aliases and types that a campaign may return. Does not: the SQL that reads
them (`warehouse/sql`), the campaign's text (`campaign_sql`).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from etl_dagster.leads.campaign_errors import CampaignColumnError


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a query's result, as the warehouse describes it without running the query.

    Attributes:
        name: As Snowflake reports it: upper case unless quoted.
        type: NUMBER, REAL, TEXT, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ, VARIANT, ...
        precision: Digits of a NUMBER, else None.
        scale: Digits behind its point, else None.
    """

    name: str
    type: str
    precision: int | None
    scale: int | None

    @property
    def quoted(self) -> str:
        """The name as an SQL identifier that means exactly this column."""
        return '"' + self.name.replace('"', '""') + '"'


@dataclass(frozen=True)
class ColumnMap:
    """Where each part of a lead comes from.

    Attributes:
        lead: every name of LEAD_COLUMNS, in order, to its source; None where the campaign has
            none, which is never so of REQUIRED ones.
        attributes: all other columns, in the campaign's order; their types are not restricted.
    """

    lead: Mapping[str, Column | None]
    attributes: tuple[Column, ...]


_ALIASES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "first_name": (
            "First Name", "FName", "First", "Given Name", "Owner First Name",
            "Borrower First Name", "Contact First Name",
        ),
        "last_name": (
            "Last Name", "LName", "Last", "Surname", "Family Name", "Owner Last Name",
            "Borrower Last Name", "Contact Last Name",
        ),
        "address": (
            "Address", "Address 1", "Street", "Street Address", "Property Address",
            "Property Street", "Site Address",
        ),
        "city": ("City", "Property City", "Site City"),
        "state": ("State", "State Code", "Property State", "Site State"),
        "zip": (
            "Zip", "Zip Code", "Zip5", "Postal Code", "Property Zip", "Property Zip Code",
            "Site Zip",
        ),
        "phone_1": ("Phone 1", "Phone", "Phone Number", "Phone Number 1", "Mobile", "Cell"),
        "phone_2": ("Phone 2", "Phone Number 2"),
        "phone_3": ("Phone 3", "Phone Number 3"),
        "email_1": ("Email 1", "Email", "Email Address", "E-mail"),
        "email_2": ("Email 2", "Email Address 2"),
        "email_3": ("Email 3", "Email Address 3"),
    }
)  # fmt: skip

LEAD_COLUMNS: Final = tuple(_ALIASES)
REQUIRED: Final = ("first_name", "last_name", "address", "zip")
"""The identity of a lead is made of these."""
_NUMERIC: Final = frozenset({"zip", "phone_1", "phone_2", "phone_3"})
"""May also be a whole NUMBER."""

_NAMES_PHONES: Final = re.compile(
    r"phone|\bmobile(?! ?home)|land ?line|\bcell|\b(ph|phn|tel|fax|mob|cel|wireless|dial|sms)\b|"
    r"\b(ph|phn|tel|mob|home|work|office|business|contact|day ?time|evening|alt|alternate|"
    r"call ?back) ?(no|num|number)s?\b|\bcall ?back *$|^ *(no|num|number)s? *$"
)
"""Names, in lower case with spaces, of columns that may hold phones."""
_NO_PHONES: Final = frozenset({"BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ"})
_PHONE_DIGITS: Final = 10


def _plain(name: str) -> str:
    """Fold what people write differently: case, spaces, underscores, hyphens."""
    return "".join(letter for letter in name.casefold() if letter not in " _-")


_ROLES: Final = {_plain(alias): role for role, names in _ALIASES.items() for alias in names}


def resolve_columns(path: Path, described: Sequence[Column]) -> ColumnMap:
    """Find the columns of a lead among those that a campaign returns.

    Args:
        path: the campaign's file, named in errors.
        described: the result's columns, from describing the query.

    Returns:
        A source for every column of a lead, and what is left over as attributes.

    Raises:
        CampaignColumnError: a column is there twice, a required one is not, two could be the
            same part of a lead, one has a type that cannot hold what it should, or one that
            is no part of a lead is called as if it held phones, which nobody would check.
    """
    _refuse_twins(path, described)
    found: dict[str, Column] = {}
    attributes = []
    for column in described:
        role = _ROLES.get(_plain(column.name))
        if role is None:
            _refuse_phones(path, column)
            attributes.append(column)
        elif role in found:
            raise CampaignColumnError(
                path,
                f'columns "{found[role].name}" and "{column.name}" could both be the lead\'s '
                f"{role}; name the one that is not it differently, or number them "
                '("Phone 1", "Phone 2") if they are several phones or e-mails',
            )
        else:
            found[role] = column
    _refuse_missing(path, found, described)
    for role, column in found.items():
        _refuse_type(path, role, column)
    return ColumnMap(
        lead=MappingProxyType({role: found.get(role) for role in LEAD_COLUMNS}),
        attributes=tuple(attributes),
    )


def _refuse_twins(path: Path, described: Sequence[Column]) -> None:
    twins = [name for name, times in Counter(c.name for c in described).items() if times > 1]
    if twins:
        raise CampaignColumnError(
            path,
            f'column "{twins[0]}" is returned more than once; give each an alias of its own',
        )


def _refuse_phones(path: Path, column: Column) -> None:
    short = column.type in _NO_PHONES or (column.precision or 38) < _PHONE_DIGITS
    if names_phones(column.name) and not short:
        raise CampaignColumnError(
            path,
            f'column "{column.name}" may hold phones, which would be handed on without having been'
            " scrubbed: name those of a lead Phone 1 to Phone 3, leave others out, and call a"
            " column that holds none something else",
        )


def _refuse_missing(
    path: Path,
    found: Mapping[str, Column],
    described: Sequence[Column],
) -> None:
    missing = [role for role in REQUIRED if role not in found]
    if not missing:
        return
    wanted = "; ".join(f"{role} (any of: {_listed(_ALIASES[role])})" for role in missing)
    returned = _listed([column.name for column in described]) or "nothing"
    raise CampaignColumnError(
        path,
        f"the query returns no column for {wanted}; case, spaces and underscores do not matter. "
        f"It returns {returned}. Add an alias, such as "
        f'... AS "{_ALIASES[missing[0]][0]}"',
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _refuse_type(path: Path, role: str, column: Column) -> None:
    """Refuse a column whose type cannot hold the role."""
    kind = column.type
    if kind == "TEXT" or (role in _NUMERIC and kind == "NUMBER" and not column.scale):
        return
    expected = "text or a whole NUMBER" if role in _NUMERIC else "text"
    shown = f"{kind} with {column.scale} decimals" if column.scale else kind
    advice = "cast it to VARCHAR in the query"
    if role in _NUMERIC and kind == "REAL":
        advice = (
            "a floating-point number turns into text with an exponent or a fraction; "
            "cast it to NUMBER(10,0) in the query, or better keep it text from the start"
        )
    raise CampaignColumnError(
        path,
        f'column "{column.name}" is the lead\'s {role}, which must be {expected}, but it is '
        f"{shown}; {advice}",
    )


def names_phones(column: str) -> bool:
    """Whether a column is called as if it held phones: `Cell`, `phone_2`, `Home No.`, `Work#`."""
    said = column.casefold().replace("#", " no ")
    return bool(_NAMES_PHONES.search(re.sub(r"[\W\d_]+", " ", said)))
