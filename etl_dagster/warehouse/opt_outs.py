"""The company's own table of opt-outs, where it keeps one in the warehouse.

Belongs here: reading it, and refusing one that cannot be read. Does not: which of its rows are news
(`dnc/opt_out_rows.py`).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl_dagster.leads.campaign_columns import Column
from etl_dagster.warehouse.errors import StatementError, WarehouseError
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import Statement, fragment, render

PHONE: Final = "PHONE"
MOMENT: Final = "REQUESTED_AT"
_KINDS: Final = {
    PHONE: ("TEXT", "NUMBER", "REAL"),
    MOMENT: ("DATE", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"),
}


@dataclass(frozen=True)
class OptOuts:
    """The rows of the table.

    Attributes:
        phones: ten digits each, int64, shape (n,).
        moments: when each asked, datetime64[us] in UTC, NaT where that is not said; shape (n,).
        unread: when those asked besides these whose phone cannot be read, as `moments`; shape (m,).
    """

    phones: NDArray[np.int64]
    moments: NDArray[np.datetime64]
    unread: NDArray[np.datetime64]

    @property
    def unreadable(self) -> int:
        """The rows whose phone cannot be read."""
        return len(self.unread)

    @property
    def rows(self) -> int:
        """The rows of the table, whether they can be read or not."""
        return len(self.phones) + self.unreadable

    def fingerprint(self, key: bytes) -> str:
        """A text that is another if any row is, in whatever order they come; tells no phone.

        Args:
            key: secret, and the same each time; without it nobody can try which phone it may be.
        """
        moments = self.moments.astype(np.int64)
        order = np.lexsort((moments, self.phones))
        digest = hmac.new(key, self.phones[order].tobytes(), hashlib.sha256)
        digest.update(moments[order].tobytes())
        return f"{self.rows} rows, {self.unreadable} unreadable, {digest.hexdigest()[:32]}"


def read_opt_outs(session: Session, table: str) -> OptOuts:
    """Read all rows of a table or view with the columns `phone` and `requested_at`.

    Moments without a time zone are UTC, dates the start of that day. Names and whatever else is in
    the table stay there.

    Args:
        session: any.
        table: its name, qualified or not, as checked by the settings.

    Raises:
        WarehouseError: it cannot be read, or its columns are not these; says which.
    """
    _check_columns(session, table)
    query = render("select_opt_outs", phone=fragment("phone_number", raw="t.phone"), table=table)
    found = session.arrow_table(query)
    moments = found[MOMENT].cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")
    readable = pa.compute.is_valid(found[PHONE])
    is_readable = readable.to_numpy()
    return OptOuts(
        phones=found.filter(readable)[PHONE].cast(pa.int64()).to_numpy(),
        moments=moments[is_readable],
        unread=moments[~is_readable],
    )


def _check_columns(session: Session, table: str) -> None:
    look = Statement(f"SELECT * FROM {table}", "describe the table of opt-outs")  # noqa: S608  a setting, whose pattern is a name
    try:
        columns = {column.name: column for column in session.describe(look)}
    except StatementError as error:
        # not chained: of a chain, people are told the first cause, which does not name the setting
        raise WarehouseError(
            f"ETL_OPT_OUTS_TABLE: {table} cannot be read: is there such a table or view, and may"
            f" this role read it? {error}"
        ) from None
    faults = [fault for name in _KINDS if (fault := _fault(name, columns.get(name)))]
    if faults:
        raise WarehouseError(
            f"ETL_OPT_OUTS_TABLE: {table} {' and '.join(faults)}; it needs phone (text or number)"
            f" and requested_at (date or timestamp), and has {', '.join(columns)}. Put a view with"
            " these two in front of it, and name that"
        )


def _fault(name: str, column: Column | None) -> str | None:
    if column is None:
        return f"has no column {name.lower()}"
    if column.type not in _KINDS[name]:
        return f"has {name.lower()} as {column.type}"
    return None
