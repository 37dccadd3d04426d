"""What is wrong with chains of the ledger, found by recomputing every digest.

Belongs here: holding batches and rows that were read against each other. Does not: reading them in
the right order (`verification.py`), the canonical text (`canonical.py`), anchors (`heads.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.leads.full_scrub import LINES, UNTOLD
from etl_dagster.warehouse.canonical import (
    FIRST_DIGEST,
    BatchRecord,
    batch_digest,
    rows_digests,
    version_of,
)
from etl_dagster.warehouse.heads import Head

SHOWN_PHONES: Final = 5
"""So many phones of a batch are named with what is wrong with it."""
_SAME_IN_A_BATCH: Final = ("LIST_VERSIONS", "CHECKED_AT", "POLICY_HASH", "EVIDENCE_HASH", "RUN_ID")
"""Columns in which the rows of a batch are written alike."""


class ChainKey(NamedTuple):
    """Which chain: digests chain per chunk of a day and source."""

    lead_date: date
    chunk: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is wrong in the ledger.

    Attributes:
        kind: what is wrong, as one word of those that `docs/ledger.md` lists.
        says: the same as a sentence.
        key: the chain.
        position: the batch's place in it, None where there is no batch.
        batch_id: the batch, '' where there is none.
        rows: how many rows of PHONE_VERDICTS are known to be concerned.
        phones: some of their phones.
    """

    kind: str
    says: str
    key: ChainKey
    position: int | None = None
    batch_id: str = ""
    rows: int = 0
    phones: tuple[int, ...] = ()


def key_of(one: BatchRecord | Head) -> ChainKey:
    """The chain that a batch, or a head, is in."""
    return ChainKey(one.lead_date, one.chunk, one.source)


def examine(batches: Sequence[BatchRecord], rows: pa.Table) -> tuple[list[Flaw], list[Flaw]]:
    """Examine whole chains.

    Args:
        batches: every batch of some chains, in any order.
        rows: every row of PHONE_VERDICTS of the same chains, in any order.

    Returns:
        What is wrong; and the rows that belong to none of the batches of their chain, as if there
        were no such batch at all, a flaw for each chain and batch id.
    """
    chains = sorted(batches, key=lambda one: (key_of(one), one.position, one.batch_id))
    flaws = [flaw for _, chain in groupby(chains, key=key_of) for flaw in _links(list(chain))]
    homes = {one.batch_id: key_of(one) for one in chains}
    place = _places(rows, homes)
    home = place >= 0
    own = rows if home.all() else rows.filter(pa.array(home))
    flaws += _contents(chains, own, place[home], {name: at for at, name in enumerate(homes)})
    return flaws, _strays(rows.filter(pa.array(~home)))


def _places(rows: pa.Table, homes: Mapping[str, ChainKey]) -> NDArray[np.int64]:
    """Where in `homes` each row's batch is; -1 where it is in no chain, or not in the row's."""
    index = pc.index_in(rows["BATCH_ID"], value_set=pa.array(homes, pa.string()))
    keys = list(homes.values())
    same = [
        pc.equal(rows[column], pa.array([key[at] for key in keys], rows[column].type).take(index))
        for at, column in enumerate(("LEAD_DATE", "CHUNK", "SOURCE"))
    ]
    at_home = pc.fill_null(pc.and_(pc.and_(same[0], same[1]), same[2]), fill_value=False)
    places = pc.if_else(at_home, index, -1)
    found: NDArray[np.int64] = places.to_numpy().astype(np.int64)
    return found


def _flaw(batch: BatchRecord, kind: str, says: str, *, rows: int = 0) -> Flaw:
    return Flaw(
        kind=kind,
        says=says,
        key=key_of(batch),
        position=batch.position,
        batch_id=batch.batch_id,
        rows=rows,
    )


def _links(chain: Sequence[BatchRecord]) -> Iterator[Flaw]:
    """What is wrong between the batches of a chain, which are in the order of their positions."""
    place, previous = 1, FIRST_DIGEST
    for batch in chain:
        if batch.position > place:
            gap = f"{place}" if batch.position == place + 1 else f"{place} to {batch.position - 1}"
            yield _flaw(batch, "position", f"no batch is at position {gap} before it")
        elif batch.position < place:
            yield _flaw(batch, "position", "no other batch of its chain may have its position")
        if batch.prev_digest != previous:
            says = "the digest that it names is not that of the batch before it"
            yield _flaw(batch, "prev_digest", says)
        place, previous = batch.position + 1, batch.digest


def _contents(
    chains: Sequence[BatchRecord],
    rows: pa.Table,
    place: NDArray[np.int64],
    place_of: Mapping[str, int],
) -> Iterator[Flaw]:
    """What is wrong between batches and their rows."""
    counts = np.bincount(place, minlength=len(place_of)).tolist()
    digests = {
        version: rows_digests(rows, place, len(place_of), version=version)
        for version in {version_of(batch.digest) for batch in chains}
        if version
    }
    newest: dict[ChainKey, int] = {}
    for batch in chains:
        key, at, version = key_of(batch), place_of[batch.batch_id], version_of(batch.digest)
        if not counts[at]:
            yield _flaw(batch, "no_rows", f"none of its {batch.row_count:,} rows is there")
        elif counts[at] != batch.row_count:
            says = f"{counts[at]:,} rows are there, {batch.row_count:,} were written"
            yield _flaw(batch, "row_count", says, rows=counts[at])
        if version is None:
            yield _flaw(batch, "digest", "its digest is of no form that was ever written")
        elif batch_digest(batch, digests[version][at], version=version) != batch.digest:
            changed = _flaw(batch, "digest", "its digest is not that of what is there")
            yield _with_suspects(changed, _suspects(rows.filter(pa.array(place == at)), key.source))
        elif version < newest.get(key, 0):
            yield _flaw(batch, "version", "its digest is of an older form than its predecessor's")
        newest[key] = max(newest.get(key, 0), version or 0)


def _suspects(rows: pa.Table, source: str) -> dict[str, pa.Table]:
    """Rows of a changed batch that stand out, by what they stand out in."""
    found = {}
    for name in _SAME_IN_A_BATCH:
        counted = rows[name].value_counts()
        if len(counted) > 1:
            usual = counted[int(np.argmax(counted.field("counts").to_numpy()))]["values"]
            found[name.lower()] = rows.filter(pc.not_equal(rows[name], usual))
    # a reason is what every verdict but CLEAR has; the full scrub's CLEAR has the kind of line
    of_clear = [*LINES.values(), UNTOLD] if source == "ccc_full" else [""]
    clear, reasons = pc.equal(rows["VERDICT"], "CLEAR"), rows["REASON"]
    fits = pc.is_in(reasons, value_set=pa.array(of_clear, reasons.type))
    odd = pc.if_else(clear, pc.invert(fits), pc.equal(reasons, ""))
    if pc.any(odd).as_py():
        found["verdict and reason"] = rows.filter(odd)
    return found


def _with_suspects(flaw: Flaw, suspects: Mapping[str, pa.Table]) -> Flaw:
    if not suspects:
        return flaw
    phones: dict[int, None] = {}
    for rows in suspects.values():
        phones |= dict.fromkeys(rows["PHONE"].slice(0, SHOWN_PHONES).to_pylist())
    return replace(
        flaw,
        says=f"{flaw.says}; rows stand out in {', '.join(suspects)}",
        rows=max(rows.num_rows for rows in suspects.values()),
        phones=tuple(phones)[:SHOWN_PHONES],
    )


def _strays(rows: pa.Table) -> list[Flaw]:
    """Rows without a batch in their chain, by chain and batch id."""
    keys = ["LEAD_DATE", "CHUNK", "SOURCE", "BATCH_ID"]
    grouped = rows.group_by(keys).aggregate([("PHONE", "count"), ("PHONE", "list")])
    return [
        Flaw(
            kind="no_batch",
            says="rows without a batch",
            key=ChainKey(row["LEAD_DATE"], row["CHUNK"], row["SOURCE"]),
            batch_id=row["BATCH_ID"],
            rows=row["PHONE_count"],
            phones=tuple(sorted(row["PHONE_list"])[:SHOWN_PHONES]),
        )
        for row in grouped.sort_by([(key, "ascending") for key in keys]).to_pylist()
    ]
