"""The sample's contacts table: phones and e-mails, as untidy as exports of them are.

Belongs here: the rows of CONTACTS. Does not: who the people are, which rows of property they
have. A person's contacts follow from the person alone; so they are the same on whatever day the
person turns up.
"""

from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_dagster.sandbox import draws
from etl_dagster.sandbox.draws import Codes, Keys
from etl_dagster.sandbox.names import FIRST_NAMES, LAST_NAMES
from etl_dagster.sandbox.people import People, addresses, people, phones, spell, zips

CONTACT_COUNTS: Final = (8, 30, 27, 20, 10, 5)
"""Of a hundred people, how many have no contact, one, two... More than three is too many."""
_SHARE_REPEATED: Final = 0.015

_FORMATS: Final = (  # weight, before the area code, after it, after 555, after the number
    (36, "(", ") ", "-", ""),
    (20, "", "", "", ""),
    (13, "", "-", "-", ""),
    (8, "", ".", ".", ""),
    (8, "+1 ", " ", " ", ""),
    (4, "1-", "-", "-", ""),
    (4, "", "", "", ".0"),
    (2, "(", ") ", "-", " ext. 12"),
    (1, "", "-", "-", "x204"),
    (1, " ", " ", " ", " "),
    (2, "", "", "", ""),  # the last digit is lost: nine digits
    (1, "", "", "", ""),  # no phone at all
)
_CUT: Final = len(_FORMATS) - 2
_GARBAGE: Final = len(_FORMATS) - 1
_NOT_PHONES: Final = (
    "n/a",
    "unknown",
    "",
    " ",
    "DO NOT CALL",
    "0000000000",
    "555-0123",
    "1234567890",
)
_DOMAINS: Final = ("example.com", "example.net", "example.org", "mail.example.com")


def _phone_texts(keys: Keys, numbers: Codes) -> pa.Array:
    """Write phones in the formats that people and exports use; about one in thirty is spoilt."""
    weights, before, after, between, behind = zip(*_FORMATS, strict=True)
    form = draws.weighted(keys, "format", weights)
    subscriber = numbers % 10_000
    cut = form == _CUT
    digits = [f"{number:04d}" for number in range(10_000)]
    shortened = [f"{number:03d}" for number in range(1_000)]
    text = pc.binary_join_element_wise(
        spell(before, form),
        pa.array(numbers // 10_000_000).cast(pa.string()),
        spell(after, form),
        "555",
        spell(between, form),
        spell(digits + shortened, np.where(cut, 10_000 + subscriber // 10, subscriber)),
        spell(behind, form),
        "",
    )
    garbage = spell(_NOT_PHONES, draws.below(keys, "garbage", len(_NOT_PHONES)))
    return pc.if_else(pa.array(form == _GARBAGE), garbage, text)


def _emails(keys: Keys, who: People) -> pa.Array:
    local = pc.binary_join_element_wise(
        spell([name.lower().replace("é", "e") for name in FIRST_NAMES], who.first),
        pa.array(draws.below(keys, "mail number", 1_000)).cast(pa.string()),
        ".",
    )
    domain = spell(_DOMAINS, draws.below(keys, "domain", len(_DOMAINS)))
    email = pc.binary_join_element_wise(local, domain, "@")
    email = pc.if_else(pa.array(draws.happens(keys, "loud", 0.05)), pc.utf8_upper(email), email)
    email = pc.if_else(pa.array(draws.happens(keys, "broken", 0.02)), local, email)
    return pc.if_else(
        pa.array(draws.happens(keys, "mail", 0.7)), email, pa.scalar(None, pa.string())
    )


def _restyle(keys: Keys, text: pa.Array, *, salt: str) -> pa.Array:
    """Spell otherwise than the property table does: case and white space, never letters."""
    text = pc.if_else(pa.array(draws.happens(keys, "lower", 0.05)), pc.utf8_lower(text), text)
    text = pc.if_else(pa.array(draws.happens(keys, "upper", 0.15)), pc.utf8_upper(text), text)
    padded = pc.binary_join_element_wise(" ", text, " ", "")
    return pc.if_else(pa.array(draws.happens(keys, salt, 0.05)), padded, text)


def contact_rows(ids: Keys, *, day: date, rng: np.random.Generator) -> pa.Table:
    """Give all contacts of these people.

    Args:
        ids: the people, each once.
        day: for SOURCE_DATE.
        rng: chooses which rows an export repeats.

    Returns:
        The table's columns, in order; SOURCE_DATE is the sample day that brought the row.
    """
    counts = draws.weighted(ids, "contacts", CONTACT_COUNTS)
    owners = np.repeat(ids, counts)
    ranks = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    repeated = np.flatnonzero(rng.random(len(owners)) < _SHARE_REPEATED)
    order = np.concatenate([np.arange(len(owners)), repeated])
    who, ranks = people(owners[order]), ranks[order]
    keys = who.ids * np.uint64(16) + ranks.astype(np.uint64)
    spaced = draws.happens(keys, "double space", 0.05)
    address = _restyle(keys, addresses(who), salt="padded address")
    return pa.table(
        {
            "FIRST_NAME": _restyle(keys, spell(FIRST_NAMES, who.first), salt="padded first"),
            "LAST_NAME": _restyle(keys, spell(LAST_NAMES, who.last), salt="padded last"),
            "ADDRESS": pc.if_else(
                pa.array(spaced), pc.replace_substring(address, " ", "  "), address
            ),
            "ZIP": zips(who, plus_four=draws.happens(keys, "has plus four", 0.2)),
            "PHONE": _phone_texts(keys, phones(who.ids, ranks)),
            "EMAIL": _emails(keys, who),
            "RANK": pa.array(ranks, pa.int64()),
            "SOURCE_DATE": pa.repeat(pa.scalar(day, pa.date32()), len(order)),
        }
    )
