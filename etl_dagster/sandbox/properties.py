"""The sample's property table: who borrowed what on which house, as untidy as a real share.

Belongs here: the rows of BULK_PROPERTY_DATA_PRIVATE_SHARE_USA. Does not: phones, which such
shares do not have, and the SQL that picks leads from it.

A row is made for one campaign: its loan closed as long before the day as that campaign asks, so
each day has leads of its own. Dates that nobody asks for lie decades back, so that a day's leads
do not depend on which other days are in the table.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.sandbox.geography import STATES
from etl_dagster.sandbox.names import FIRST_NAMES, LAST_NAMES
from etl_dagster.sandbox.people import CITIES, People, addresses, spell, zips


@dataclass(frozen=True)
class _Kind:
    """Rows of one purpose; ranges are drawn from evenly."""

    weight: float
    loan_types: tuple[str, ...]
    rate: tuple[float, float]
    growth: tuple[float, float]  # of the house's value since the sale


_KINDS: Final = (
    _Kind(0.40, ("Conventional", "CONVENTIONAL", "Conv"), (6.50, 8.25), (0.95, 1.15)),
    _Kind(0.22, ("FHA", "FHA Loan", "Fed Housing Admin (FHA)"), (5.75, 7.50), (0.98, 1.05)),
    _Kind(0.26, ("Conventional", "CONVENTIONAL", "VA"), (2.50, 4.25), (1.60, 2.40)),
    _Kind(0.12, ("Commercial", "Private Party", "Seller", ""), (2.00, 12.0), (0.50, 0.75)),
)
"""For refi_high_rate, fha_streamline, heloc_equity, and for none."""
_EQUITY: Final = 2
"""Index of the rows for heloc_equity."""
_FORMATS: Final = ("%Y-%m-%d", "%m/%d/%Y")
_MALFORMED: Final = ("", "0000-00-00", "N/A", "2019-02-30", "13/45/2018", "20181", "1987-06-15")
_SHARE_MALFORMED: Final = 0.02
_LENDERS: Final = (
    "First Harbor Mortgage LLC", "Prairie Home Lending", "Bluestone Bank NA", "Summit Credit Union",
    "Lakeside Savings Bank", "100% Home Finance Inc", "Granite State Mortgage Corp",
    "Private Individual",
)  # fmt: skip
_TRUSTS: Final = [f"{name} Family Trust" for name in LAST_NAMES]
_NOTHING: Final = pa.scalar(None, pa.string())

Mask = NDArray[np.bool_]


def closing_dates(day: date) -> tuple[date, date, date]:
    """Say when the loans closed that the three campaigns look for on a day.

    Returns:
        24 months, 210 days and 36 months before it, as Snowflake's DATEADD counts: a day that
        its month lacks becomes the month's last.
    """

    def years_before(years: int) -> date:
        leap = day.month == 2 and day.day == 29  # noqa: PLR2004 - the one day that may be lacking
        return date(day.year - years, day.month, 28 if leap else day.day)

    return years_before(2), day - timedelta(days=210), years_before(3)


def _chance(rng: np.random.Generator, rows: int, share: float | NDArray[np.float64]) -> Mask:
    return np.asarray(rng.random(rows) < share)


def _untidy(rng: np.random.Generator, text: pa.Array) -> pa.Array:
    """Shout, mostly, as registers do; sometimes with stray white space."""
    shouted = _chance(rng, len(text), 0.85)
    text = pc.if_else(pa.array(shouted), pc.utf8_upper(text), text)
    padded = pc.binary_join_element_wise(" ", text, "  ", "")
    return pc.if_else(pa.array(_chance(rng, len(text), 0.03)), padded, text)


def _missing(rng: np.random.Generator, text: pa.Array, share: float) -> pa.Array:
    """Lose some values, as NULL, empty or blank."""
    lost = rng.random(len(text))
    text = pc.if_else(pa.array(lost < share), _NOTHING, text)
    text = pc.if_else(pa.array((lost >= share) & (lost < 1.5 * share)), "", text)
    return pc.if_else(pa.array((lost >= 1.5 * share) & (lost < 2 * share)), " ", text)


def _maybe(rng: np.random.Generator, text: pa.Array, share: float) -> pa.Array:
    """Keep a share of the values, the rest is NULL."""
    return pc.if_else(pa.array(_chance(rng, len(text), share)), text, _NOTHING)


def _flags(rng: np.random.Generator, rows: int, share: float | NDArray[np.float64]) -> pa.Array:
    return spell(["N", "Y"], _chance(rng, rows, share).astype(np.int64))


def _dates(rng: np.random.Generator, kind: NDArray[np.int64], day: date) -> pa.Array:
    """Write closing dates as text in one of two formats, or wrongly."""
    texts = [closed.strftime(form) for closed in closing_dates(day) for form in _FORMATS]
    form = _chance(rng, len(kind), 0.1).astype(np.int64)
    useless = (kind == len(_KINDS) - 1) & _chance(rng, len(kind), 0.5)
    useless |= _chance(rng, len(kind), _SHARE_MALFORMED)
    malformed = len(texts) + rng.integers(0, len(_MALFORMED), len(kind))
    code = np.where(useless, malformed, np.minimum(kind, 2) * len(_FORMATS) + form)
    return spell([*texts, *_MALFORMED], code)


def property_rows(who: People, *, day: date, rng: np.random.Generator) -> pa.Table:
    """Give each person one property with its loans.

    Args:
        who: the owners, in order; one who comes twice has two loans.
        day: whose leads these are.
        rng: decides all that is the loan's rather than the person's.

    Returns:
        The table's columns, in order; SOURCE_DATE is the sample day that brought the row.
    """
    rows = len(who.ids)
    kind = rng.choice(len(_KINDS), rows, p=[each.weight for each in _KINDS])
    low, high = np.array([each.rate for each in _KINDS]).T
    rate = np.round((low[kind] + rng.random(rows) * (high - low)[kind]) * 8) / 8
    low, high = np.array([each.growth for each in _KINDS]).T
    price = np.round(np.exp(rng.normal(12.75, 0.45, rows)), -3).astype(np.int64)
    value = np.round(price * (low[kind] + rng.random(rows) * (high - low)[kind]), -2)
    amount = np.round(price * rng.uniform(0.60, 0.965, rows), -2).astype(np.int64)
    owed = np.round(amount * rng.uniform(0.90, 0.99, rows)).astype(np.int64)
    second = _chance(rng, rows, np.where(kind == _EQUITY, 0.05, 0.12))
    adjustable = _chance(rng, rows, 0.08)
    loan_types = [name for each in _KINDS for name in each.loan_types]
    first_type = np.cumsum([0, *(len(each.loan_types) for each in _KINDS[:-1])])
    type_count = np.array([len(each.loan_types) for each in _KINDS])
    loan_type = first_type[kind] + (rng.random(rows) * type_count[kind]).astype(np.int64)
    term = rng.choice([360, 360, 360, 240, 180], rows)

    first, last = spell(FIRST_NAMES, who.first), spell(LAST_NAMES, who.last)
    initial = spell([f" {letter}" for letter in "ABCDEFGHJKLMNPRSTW"], rng.integers(0, 18, rows))
    initialled = pc.binary_join_element_wise(first, initial, "")
    borrower = pc.if_else(pa.array(_chance(rng, rows, 0.2)), initialled, first)
    trust = _chance(rng, rows, 0.01)
    owner = pc.binary_join_element_wise(last, first, " ")
    owner = pc.utf8_upper(pc.if_else(pa.array(trust), spell(_TRUSTS, who.last), owner))
    partner = spell(FIRST_NAMES, rng.integers(0, len(FIRST_NAMES), rows))
    partner = pc.utf8_upper(pc.binary_join_element_wise(last, partner, " "))
    partner = _maybe(rng, partner, 0.45)
    state = spell([each.code for each in STATES], who.state)
    away = _chance(rng, rows, 0.06)
    fips = spell([each.fips for each in STATES], who.state)
    county = pa.array(1 + 2 * rng.integers(0, 60, rows)).cast(pa.string())
    parcel = pa.array(rng.integers(10_000, 99_999, rows)).cast(pa.string())
    zipcode = zips(who, plus_four=_chance(rng, rows, 0.1))
    columns = {
        "ADDRESS": _missing(rng, _untidy(rng, addresses(who)), 0.003),
        "CITY": _untidy(rng, spell(CITIES, who.city)),
        "STATE": state,
        "ZIPCODE": _missing(rng, zipcode, 0.002),
        "FIPS": pc.binary_join_element_wise(fips, pc.utf8_lpad(county, 3, "0"), ""),
        "ASSESSMENT_APN": pc.binary_join_element_wise(county, parcel, "-"),
        "ASSOCIATION_YN": _maybe(rng, _flags(rng, rows, 0.25), 0.9),
        "UNITS_TOTAL": rng.choice([1, 1, 1, 1, 1, 1, 2, 4], rows),
        "OWNER_NAME": owner,
        "OWNER_STATE": pc.if_else(
            pa.array(away), spell(["DE", "NV"], rng.integers(0, 2, rows)), state
        ),
        "OWNER_ZIP": pc.if_else(pa.array(away), _NOTHING, zipcode),
        "OWNER_OCCUPIED_YN": _flags(rng, rows, np.where(away, 0.0, 0.97)),
        "TAX_AMOUNT_ANNUAL": np.round(price * rng.uniform(0.006, 0.022, rows)).astype(np.int64),
        "VALUE_ASSESSED": np.round(price * rng.uniform(0.6, 1.0, rows), -2).astype(np.int64),
        "HC_VALUE_ESTIMATE": value.astype(np.int64),
        "PRINCIPAL_OUTSTANDING_TOTAL": owed,
        "DEED_TRANSFER_YN": _flags(rng, rows, 0.96),
        "LAST_CLOSE_DATE": _dates(rng, kind, day),
        "LAST_CLOSE_PRICE": price,
        "LAST_CLOSE_BUYER1": owner,
        "LAST_CLOSE_BUYER2": partner,
        "LIEN1_BORROWER1_FIRST_NAME": pc.if_else(
            pa.array(trust), _NOTHING, _missing(rng, _untidy(rng, borrower), 0.008)
        ),
        "LIEN1_BORROWER1_LAST_NAME": pc.if_else(
            pa.array(trust), owner, _missing(rng, _untidy(rng, last), 0.005)
        ),
        "LIEN1_BORROWER2_NAME": partner,
        "LIEN1_AMOUNT": amount,
        "LIEN1_LOAN_TYPE": spell(loan_types, loan_type),
        "LIEN1_LOAN_TERM": term,
        "LIEN1_INTEREST_RATE_USED": rate,
        "LIEN1_LENDER_NAME": spell(_LENDERS, rng.integers(0, len(_LENDERS), rows)),
        "LIEN1_ADJUSTABLE_RATE_INDEX": pc.if_else(pa.array(adjustable), "SOFR", _NOTHING),
        "LIEN1_ADJUSTABLE_RATE_CHANGE_DATE": pc.if_else(
            pa.array(adjustable), f"{day.year + 3}-07-01", _NOTHING
        ),
        "LIEN2_AMOUNT": pa.array(np.round(amount * 0.1).astype(np.int64), mask=~second),
        "LIEN2_LOAN_TYPE": pc.if_else(pa.array(second), "Stand Alone Second", _NOTHING),
        "LIEN2_LOAN_TERM": pa.array(term // 2, mask=~second),
        "SOURCE_DATE": pa.repeat(pa.scalar(day, pa.date32()), rows),
    }
    return pa.table(columns)
