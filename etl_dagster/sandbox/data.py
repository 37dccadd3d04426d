"""The sample warehouse: for any day, the property and contact rows that its leads come from.

Belongs here: which people a day has, and the tables by name with their DDL. Does not: loading
them, the people themselves (`people`), the Do-Not-Call lists (`lists`).

Everything is made on demand from the day alone, so there is no data file, and no end of days.
"""

from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from etl_dagster.sandbox import contacts, properties
from etl_dagster.sandbox.draws import SEED, Keys
from etl_dagster.sandbox.people import people

SCHEMA: Final = "PROPERTY_DATA"
"""Where the sample campaigns look for both tables."""
PROPERTIES: Final = "BULK_PROPERTY_DATA_PRIVATE_SHARE_USA"
CONTACTS: Final = "CONTACTS"

LEADS_PER_DAY: Final = 2_900
"""Rows a day that campaigns select, all together: some 20,000 a week."""
SHARE_AGAIN: Final = 0.05
"""Of rows whose person was there already on one of the six days before."""
SHARE_TWICE: Final = 0.02
"""Of rows whose person has another loan, hence row, on the same day."""
SHARE_REPEATED: Final = 0.02
"""Of rows that are there twice, alike in every column."""
SHARE_SELECTED: Final = 0.77
"""Of a day's distinct rows, what the sample campaigns select, repeated ones counted; measured."""
_LOOK_BACK: Final = 6
_PEOPLE_PER_DAY: Final = 1 << 24
_TYPES: Final = {
    pa.string(): "VARCHAR",
    pa.int64(): "NUMBER(12,0)",
    pa.float64(): "FLOAT",
    pa.date32(): "DATE",
}
"""What Snowflake calls the types of the sample's columns."""


def _rng(day: date, purpose: int) -> np.random.Generator:
    return np.random.default_rng([SEED, day.toordinal(), purpose])


def _owners(day: date, leads_per_day: int) -> Keys:
    """The people of a day's rows, in order; some are also another day's, or come twice."""
    rows = round(leads_per_day / SHARE_SELECTED)
    if not 0 < rows <= _PEOPLE_PER_DAY:
        raise ValueError(f"a sample day has 1 to 14 million leads, not {leads_per_day:,}")
    rng = _rng(day, 0)
    index = np.arange(rows)
    twice = rng.random(rows) < SHARE_TWICE
    index[twice] = rng.integers(0, rows, np.count_nonzero(twice))
    back = np.where(rng.random(rows) < SHARE_AGAIN, rng.integers(1, _LOOK_BACK + 1, rows), 0)
    return ((day.toordinal() - back) * _PEOPLE_PER_DAY + index).astype(np.uint64)


def sample_properties(day: date, *, leads_per_day: int = LEADS_PER_DAY) -> pa.Table:
    """Make the property rows of a day.

    Args:
        day: the partition's date, as campaigns see it in `$PARTITION_DATE`.
        leads_per_day: about how many rows the three sample campaigns select, repeated ones
            included; the table has more, as some rows are for none of them.

    Returns:
        The columns of PROPERTIES, in order. The same arguments, the same rows.

    Raises:
        ValueError: `leads_per_day` is below 1 or above some 14 million.
    """
    rng = _rng(day, 1)
    table = properties.property_rows(people(_owners(day, leads_per_day)), day=day, rng=rng)
    repeated = np.flatnonzero(rng.random(table.num_rows) < SHARE_REPEATED)
    return pa.concat_tables([table, table.take(pa.array(repeated))]).combine_chunks()


def sample_contacts(day: date, *, leads_per_day: int = LEADS_PER_DAY) -> pa.Table:
    """Make the contact rows of everybody whom `sample_properties` has on that day.

    A person of several days has the same contacts on each, so a day's leads do not depend on
    which other days are loaded.

    Args:
        day: as for `sample_properties`.
        leads_per_day: as for `sample_properties`.

    Returns:
        The columns of CONTACTS, in order. The same arguments, the same rows.

    Raises:
        ValueError: as for `sample_properties`.
    """
    everybody = np.unique(_owners(day, leads_per_day))
    return contacts.contact_rows(everybody, day=day, rng=_rng(day, 2))


def sample_tables() -> dict[str, str]:
    """Each table's DDL, as its rows ask for it, qualified with SCHEMA, which must exist."""
    day = date(2026, 1, 1)
    rows = {
        PROPERTIES: sample_properties(day, leads_per_day=1),
        CONTACTS: sample_contacts(day, leads_per_day=1),
    }
    return {name: _ddl(name, table.schema) for name, table in rows.items()}


def _ddl(table: str, schema: pa.Schema) -> str:
    body = ",\n".join(f"    {column.name} {_TYPES[column.type]}" for column in schema)
    return f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{table} (\n{body}\n)"
