"""A day's Do-Not-Call verdicts decided again, by the lists as they were, against the ledger.

Belongs here: what differs, and what cannot be decided again. Does not: reading the ledger
(`warehouse/dnc_verdicts.py`), the lists as they were (`dnc/repetition.py`), showing it
(`cli_rescrub.py`).

Every row is decided as it was then: the versions that it names, opt-outs included, freshness at its
`checked_at`, under the policy that it names. Verdict, reason and end of validity must be the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.defs.lookup_rows import names, reasons
from etl_dagster.dnc import DncHistoryError, DncStore, DncUsageError, Lookup
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse.dnc_verdicts import DncVerdicts, chunks_with_verdicts, read_verdicts
from etl_dagster.warehouse.session import Session

KEPT: Final = 10_000
"""So many differences are kept one by one; all are counted."""

Stores = Mapping[str, DncStore]
"""The store under each policy that is known, by the policy's hash."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row of the ledger that would be decided otherwise.

    Attributes:
        chunk: where it stands.
        phone: whose.
        expected: the verdict as it is decided again: word, reason, and its end if that differs.
        found: the same as it stands in the ledger.
        list_versions: the lists and versions that the row names.
        checked_at: when it was decided.
        why: what differs.
    """

    chunk: Chunk
    phone: int
    expected: str
    found: str
    list_versions: str
    checked_at: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Rows that cannot be decided again.

    Attributes:
        chunk: where they stand.
        list_versions: the lists and versions that they name.
        checked_at: when they were decided.
        rows: how many.
        why: what is missing.
    """

    chunk: Chunk
    list_versions: str
    checked_at: datetime
    rows: int
    why: str


@dataclass(kw_only=True)
class Rescrub:
    """What became of a day.

    Attributes:
        lead_date: the day.
        rows: verdicts in the ledger.
        reproduced: those that were decided the same again.
        different: those that were not.
        differences: the first `KEPT` of these.
        lost: those that cannot be decided again.
    """

    lead_date: date
    rows: int = 0
    reproduced: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every verdict was decided the same again; not, if there was none."""
        return 0 < self.rows == self.reproduced


def rescrub(
    session: Session,
    stores: Stores,
    lead_date: date,
    *,
    chunks: Sequence[int] = (),
) -> Rescrub:
    """Decide a day's Do-Not-Call verdicts again.

    Args:
        session: any.
        stores: see there.
        lead_date: the day.
        chunks: numbers of the chunks; all that have verdicts if empty.

    Raises:
        DncCorruptError: the store is damaged.
        WarehouseError: the ledger cannot be read.
    """
    found = Rescrub(lead_date=lead_date)
    for chunk in chunks_with_verdicts(session, lead_date):
        if not chunks or chunk.number in chunks:
            for part in read_verdicts(session, chunk):
                _hold(part, stores, found)
    found.lost = _joined(found.lost)
    return found


def _hold(part: DncVerdicts, stores: Stores, into: Rescrub) -> None:
    """Decide verdicts again that were decided together."""
    into.rows += len(part.phones)
    try:
        again, newer = _under(part.policy_hash, stores).repeat(
            part.phones, part.list_versions, part.checked_at
        )
    except (DncHistoryError, DncUsageError) as error:
        into.lost.append(
            Lost(
                chunk=part.chunk,
                list_versions=part.list_versions,
                checked_at=part.checked_at,
                rows=len(part.phones),
                why=str(error),
            )
        )
        return
    same = _same(part, again)
    if newer:  # it names lists that were not the newest any more: nobody may be cleared by those
        same[:] = False
    into.reproduced += int(same.sum())
    into.different += int((~same).sum())
    why = f"the store had {', '.join(newer)} by then" if newer else ""
    rows = np.flatnonzero(~same)[: max(KEPT - len(into.differences), 0)]
    into.differences += _differences(part, again, rows, why)


def _under(policy_hash: str, stores: Stores) -> DncStore:
    if policy_hash not in stores:
        raise DncUsageError(
            f"decided under another policy ({policy_hash[:12]}): give its file with --policy"
        )
    return stores[policy_hash]


def _same(part: DncVerdicts, again: Lookup) -> NDArray[np.bool_]:
    """Which rows say in every column what is decided again."""
    words = pc.and_(
        pc.equal(part.verdicts.combine_chunks(), names(Verdict, again.verdicts)),
        pc.equal(part.reasons.combine_chunks(), reasons(again)),
    )
    ends = part.valid_until.view(np.int64) == again.valid_until.view(np.int64)
    same: NDArray[np.bool_] = np.logical_and(
        pc.fill_null(words, fill_value=False).to_numpy(zero_copy_only=False), ends
    )
    return same


def _differences(
    part: DncVerdicts, again: Lookup, rows: NDArray[np.int64], why: str
) -> list[Difference]:
    at = pa.array(rows)
    then = zip(
        part.verdicts.take(at).to_pylist(),
        part.reasons.take(at).to_pylist(),
        part.valid_until[rows].tolist(),
        strict=True,
    )
    now = zip(
        names(Verdict, again.verdicts).take(at).to_pylist(),
        reasons(again).take(at).to_pylist(),
        again.valid_until[rows].tolist(),
        strict=True,
    )
    what = ("verdict", "reason", "end of validity")
    return [
        Difference(
            chunk=part.chunk,
            phone=phone,
            expected=_told(expected, ends=expected[2] != found[2]),
            found=_told(found, ends=expected[2] != found[2]),
            list_versions=part.list_versions,
            checked_at=part.checked_at,
            why=why
            or ", ".join(w for w, a, b in zip(what, expected, found, strict=True) if a != b),
        )
        for phone, expected, found in zip(part.phones[rows].tolist(), now, then, strict=True)
    ]


def _told(verdict: tuple[str, str, datetime | None], *, ends: bool) -> str:
    word, reason, until = verdict
    end = f"until {until:%Y-%m-%d %H:%M:%S}" if ends and until else ""
    return " ".join(text for text in (word, reason, end) if text)


def _joined(lost: Sequence[Lost]) -> list[Lost]:
    """One entry for what was read in parts."""
    rows: dict[tuple[Chunk, str, datetime, str], int] = {}
    for one in lost:
        key = (one.chunk, one.list_versions, one.checked_at, one.why)
        rows[key] = rows.get(key, 0) + one.rows
    return [
        Lost(chunk=chunk, list_versions=versions, checked_at=at, why=why, rows=count)
        for (chunk, versions, at, why), count in rows.items()
    ]
