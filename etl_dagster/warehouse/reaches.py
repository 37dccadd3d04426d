"""The ledger's chains, read a bounded number of rows at a time.

Belongs here: what is read together, a reach, and reading it. Does not: what is right
(`verification.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from etl_dagster.warehouse.canonical import BatchRecord
from etl_dagster.warehouse.examination import ChainKey
from etl_dagster.warehouse.session import Session
from etl_dagster.warehouse.statements import Statement, fragment, render

ROWS_AT_ONCE: Final = 250_000
"""Chains are read together up to so many rows; a longer one is read alone."""


def read_chain(session: Session, key: ChainKey) -> tuple[list[BatchRecord], pa.Table]:
    """A chain's batches, in the order of their positions, and its rows, which may have more."""
    reach = _reach([key])
    batches = sorted(read_batches(session, reach), key=lambda batch: batch.position)
    return batches, session.arrow_table(statement("select_ledger_rows"), reach)


def statement(name: str) -> Statement:
    """A statement over a reach."""
    return render(name, chain_range=fragment("chain_range"))


def reaches(
    chains: Sequence[tuple[ChainKey, int]], rows_at_once: int
) -> Iterator[dict[str, object]]:
    """Cut the chains, which are in order, where enough rows are together."""
    part: list[ChainKey] = []
    size = 0
    for key, rows in chains:
        if part and size + rows > rows_at_once:
            yield _reach(part)
            part, size = [], 0
        part.append(key)
        size += rows
    if part:
        yield _reach(part)


def _reach(chains: Sequence[ChainKey]) -> dict[str, object]:
    """What `chain_range` binds."""
    start, end = chains[0], chains[-1]
    return {
        "first_date": start.lead_date,
        "first_chunk": start.chunk,
        "first_source": start.source,
        "last_date": end.lead_date,
        "last_chunk": end.chunk,
        "last_source": end.source,
    }


def read_batches(session: Session, reach: dict[str, object]) -> list[BatchRecord]:
    """The batches of a reach."""
    table = session.arrow_table(statement("select_batches"), reach)
    table = table.rename_columns([name.lower() for name in table.column_names])
    return [BatchRecord(**row) for row in table.to_pylist()]
