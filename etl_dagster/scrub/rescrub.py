"""A day's Do-Not-Call verdicts decided again, by the lists as they were, against the ledger.

Belongs here: what differs, and what cannot be decided again. Does not: what that is told as
(`rescrub_found.py`), reading the ledger (`warehouse/dnc_verdicts.py`), the lists as they were
(`dnc/repetition.py`), showing it (`cli/rescrub.py`).

Every row is decided as it was then: the versions that it names, opt-outs included, freshness at its
`checked_at`, under the policy that it names. Verdict, reason and end of validity must be the same,
but that a host with a replica may have been in doubt for a reason of its own.
A phone whose verdict was on record from another day has no row of its own: then that one is decided
again, and must be one on which the day could rest.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.dnc import DncHistoryError, DncStore, DncUsageError, Lookup, replica
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.scrub.lookup_rows import names, reasons
from etl_dagster.scrub.rescrub_found import Difference, Lost, Rescrub, joined
from etl_dagster.warehouse.dnc_verdicts import (
    Decided,
    DncVerdicts,
    chunks_of,
    read_decided,
    read_resting,
    read_verdicts,
)
from etl_dagster.warehouse.session import Session

KEPT: Final = 10_000
"""So many differences are kept one by one; all are counted."""

Stores = Mapping[str, DncStore]
"""The store under each policy that is known, by the policy's hash."""
Fault = tuple[str, NDArray[np.bool_]]
"""What is wrong, and with which of some verdicts."""


def rescrub(
    session: Session,
    stores: Stores,
    lead_date: date,
    *,
    chunks: Sequence[int] = (),
) -> Rescrub:
    """Decide a day's Do-Not-Call verdicts again, its own and those that it rests on.

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
    for chunk in chunks_of(session, lead_date):
        if chunks and chunk.number not in chunks:
            continue
        for part in read_verdicts(session, chunk):
            _hold(part, stores, found)
        if decided := read_decided(session, chunk):
            found.scrubbed = True
            for part in read_resting(session, chunk, decided):
                if part.policy_hash:
                    found.resting[part.chunk.lead_date] += len(part.phones)
                _hold(part, stores, found, decided)
    found.lost = joined(found.lost)
    return found


def _hold(part: DncVerdicts, stores: Stores, into: Rescrub, decided: Decided | None = None) -> None:
    """Decide verdicts again that were decided together.

    Args:
        part: the verdicts.
        stores: see there.
        into: what becomes of them.
        decided: how the chunk was decided that rests on them, if they are another's.
    """
    into.rows += len(part.phones)
    try:
        store = _under(part.policy_hash, stores)
        again, newer = store.repeat(part.phones, part.list_versions, part.checked_at)
        if decided and not newer:
            newer = store.repeat(part.phones[:0], part.list_versions, decided.at)[1]
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
    same, faults = _same(part, again), _unfit(part, decided) if decided else []
    if newer:  # it names lists that were not the newest any more: nobody may be cleared by those
        faults.insert(0, (f"the store had {', '.join(newer)} by then", ~_for_itself(part, again)))
    for _, some in faults:
        same[some] = False
    into.reproduced += int(same.sum())
    into.different += int((~same).sum())
    rows = np.flatnonzero(~same)[: max(KEPT - len(into.differences), 0)]
    into.differences += _differences(part, again, rows, faults)


def _unfit(part: DncVerdicts, decided: Decided) -> list[Fault]:
    """Why a chunk could not rest on these verdicts, which means that its own are missing."""
    clear = pc.equal(part.verdicts, Verdict.CLEAR.name).to_numpy()
    until = np.datetime64(decided.at.astimezone(UTC).replace(tzinfo=None), "us")
    faults = [("it had run out when the day was decided", clear & ~(part.valid_until > until))]
    other = np.full(len(part.phones), part.policy_hash != decided.policy_hash)
    faults.append(("the day was decided by another policy", other))
    if decided.exact:
        other = np.full(len(part.phones), part.list_versions != decided.list_versions)
        faults.append((f"the day was decided by {decided.list_versions}", other))
    return faults


def _under(policy_hash: str, stores: Stores) -> DncStore:
    if not policy_hash:
        raise DncUsageError(
            "no verdict on record by then: rows are missing, or the day was extracted again since"
            " its scrub"
        )
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
    return same | _for_itself(part, again)


def _for_itself(part: DncVerdicts, again: Lookup) -> NDArray[np.bool_]:
    """Which rows are UNKNOWN by what a host with a replica had beside the lists.

    The lists do not tell whether its snapshot was too old, or what it had heard; UNKNOWN clears
    nobody, whatever they said.
    """
    said = pc.and_(
        pc.equal(part.verdicts, Verdict.UNKNOWN.name),
        pc.is_in(part.reasons, value_set=pa.array(replica.REASONS)),
    )
    own: NDArray[np.bool_] = (
        pc.fill_null(said, fill_value=False).to_numpy(zero_copy_only=False)
        & np.isnat(part.valid_until)
        & (again.verdicts != Verdict.LISTED)
    )
    return own


def _differences(
    part: DncVerdicts, again: Lookup, rows: NDArray[np.int64], faults: Sequence[Fault]
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
            why=next((why for why, some in faults if some[row]), "")
            or ", ".join(w for w, a, b in zip(what, expected, found, strict=True) if a != b),
        )
        for row, phone, expected, found in zip(
            rows.tolist(), part.phones[rows].tolist(), now, then, strict=True
        )
    ]


def _told(verdict: tuple[str, str, datetime | None], *, ends: bool) -> str:
    word, reason, until = verdict
    end = f"until {until:%Y-%m-%d %H:%M:%S}" if ends and until else ""
    return " ".join(text for text in (word, reason, end) if text)
