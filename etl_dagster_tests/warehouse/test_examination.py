"""What examining a chain finds, to the word; through the warehouse in `test_verification.py`."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import FIRST_DIGEST, BatchRecord, batch_digest
from etl_dagster.warehouse.examination import ChainKey, Flaw, examine, key_of
from etl_dagster_tests.warehouse.conftest import CHUNK, batch_of, origin, rows_digest
from etl_dagster_tests.warehouse.test_canonical import with_value

SIZES = (2, 7, 3, 1)
"""Rows of the batches of a chain."""
KEY = ChainKey(CHUNK.lead_date, 0, "ccc")
Ledger = tuple[list[BatchRecord], pa.Table]


def chain(source: str = "ccc", chunk: Chunk = CHUNK, version: int = 2) -> Ledger:
    batches: list[BatchRecord] = []
    tables = []
    for position, size in enumerate(SIZES, 1):
        phones = range(4075550100 + 10 * position, 4075550100 + 10 * position + size)
        written = batch_of(phones, Verdict.CLEAR)
        name = f"{source} {chunk.number} {position}"
        rows = ledger._rows([replace(written, batch_id=name)], origin(source, chunk))
        batch = BatchRecord(
            batch_id=name,
            lead_date=chunk.lead_date,
            chunk=chunk.number,
            source=source,
            position=position,
            row_count=size,
            digest="",
            prev_digest=batches[-1].digest if batches else FIRST_DIGEST,
            endpoint="nowhere",
            deployment="local",
            created_at=datetime(2026, 11, 21),  # noqa: DTZ001
        )
        sha = rows_digest(rows, version=version)
        batches.append(replace(batch, digest=batch_digest(batch, sha, version=version)))
        tables.append(rows)
    return batches, pa.concat_tables(tables)


def test_whole_chains_have_no_flaw_in_whatever_order_they_are_read() -> None:
    parts = [
        chain(),
        chain("dnc"),
        chain(chunk=Chunk(CHUNK.lead_date, 1)),
        chain("dnc", Chunk(CHUNK.lead_date, 1), version=1),
    ]
    batches = [batch for part, _ in parts for batch in part]
    rows = pa.concat_tables([table for _, table in parts])
    draws = random.Random(5)
    for _ in range(5):
        draws.shuffle(batches)
        order = draws.sample(range(rows.num_rows), rows.num_rows)
        assert examine(batches, rows.take(pa.array(order))) == ([], [])


def without(*positions: int, rows_too: bool = True) -> Callable[[Ledger], Ledger]:
    def change(whole: Ledger) -> Ledger:
        batches, rows = whole
        gone = pa.array([one.batch_id for one in batches if one.position in positions])
        kept = pc.invert(pc.is_in(rows["BATCH_ID"], value_set=gone))
        left = [one for one in batches if one.position not in positions]
        return (left, rows.filter(kept)) if rows_too else (batches, rows.filter(kept))

    return change


def row(column: str, at: int, value: Any) -> Callable[[Ledger], Ledger]:
    return lambda whole: (whole[0], with_value(whole[1], column, at, value))


def batch(position: int, **fields: Any) -> Callable[[Ledger], Ledger]:
    """Change a batch and its digest with it."""

    def change(whole: Ledger) -> Ledger:
        batches = list(whole[0])
        old = batches[position - 1]
        new = replace(old, **fields)
        if "digest" not in fields:
            mine = whole[1].filter(pc.equal(whole[1]["BATCH_ID"], old.batch_id))
            new = replace(new, digest=batch_digest(new, rows_digest(mine)))
        batches[position - 1] = new
        return batches, whole[1]

    return change


def older(since: int) -> Callable[[Ledger], Ledger]:
    """From a position on the digests are of the older form, each chained to the one before."""

    def change(whole: Ledger) -> Ledger:
        batches, rows = whole
        found = batches[: since - 1]
        for one in batches[since - 1 :]:
            mine = rows.filter(pc.equal(rows["BATCH_ID"], one.batch_id))
            placed = replace(one, prev_digest=found[-1].digest)
            sha = rows_digest(mine, version=1)
            found.append(replace(placed, digest=batch_digest(placed, sha, version=1)))
        return found, rows

    return change


def flaw(position: int, kind: str, says: str, rows: int = 0, *phones: int) -> Flaw:
    return Flaw(
        kind=kind,
        says=says,
        key=KEY,
        position=position,
        batch_id=f"ccc 0 {position}",
        rows=rows,
        phones=phones,
    )


BEFORE = "the digest that it names is not that of the batch before it"
NO_FORM = "its digest is of no form that was ever written"
OLDER = "its digest is of an older form than its predecessor's"
CHANGED = "its digest is not that of what is there"
FIRST = 4075550120
"""The first phone of the second batch, which begins with row 2."""


@pytest.mark.parametrize(
    ("change", "flaws"),
    [
        (
            without(2),
            [
                flaw(3, "position", "no batch is at position 2 before it"),
                flaw(3, "prev_digest", BEFORE),
            ],
        ),
        (
            without(1, 2),
            [
                flaw(3, "position", "no batch is at position 1 to 2 before it"),
                flaw(3, "prev_digest", BEFORE),
            ],
        ),
        (without(4), []),  # only who kept the head knows
        (without(2, rows_too=False), [
            flaw(2, "no_rows", "none of its 7 rows is there"), flaw(2, "digest", CHANGED),
        ]),
        (
            lambda whole: (whole[0], whole[1].slice(1)),
            [
                flaw(1, "row_count", "1 rows are there, 2 were written", 1),
                flaw(1, "digest", CHANGED),
            ],
        ),
        (batch(4, digest="x"), [flaw(4, "digest", NO_FORM)]),
        (without(4, rows_too=False), [
            flaw(4, "no_rows", "none of its 1 rows is there"), flaw(4, "digest", CHANGED),
        ]),
        (older(4), [flaw(4, "version", OLDER)]),
        (older(3), [flaw(3, "version", OLDER), flaw(4, "version", OLDER)]),
        (batch(4, endpoint="e", digest=FIRST_DIGEST), [flaw(4, "digest", CHANGED)]),
        (batch(4, prev_digest=FIRST_DIGEST), [flaw(4, "prev_digest", BEFORE)]),
        (
            row("VERDICT", 4, "LISTED"),
            [flaw(2, "digest", f"{CHANGED}; rows stand out in verdict and reason", 1, FIRST + 2)],
        ),
        (
            lambda whole: row("RUN_ID", 8, "s")(row("POLICY_HASH", 3, "q")(whole)),
            [flaw(2, "digest", f"{CHANGED}; rows stand out in policy_hash, run_id", 1, FIRST + 1,
                  FIRST + 6)],
        ),
        (  # what most rows say is usual, not what the first says
            row("EVIDENCE_HASH", 2, "other"),
            [flaw(2, "digest", f"{CHANGED}; rows stand out in evidence_hash", 1, FIRST)],
        ),
        (row("PHONE", 4, 4075550199), [flaw(2, "digest", CHANGED)]),
        (
            lambda whole: (whole[0], pa.concat_tables([whole[1], whole[1].slice(2, 1)])),
            [
                flaw(2, "row_count", "8 rows are there, 7 were written", 8),
                flaw(2, "digest", CHANGED),
            ],
        ),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(change: Callable[[Ledger], Ledger], flaws: list[Flaw]) -> None:
    assert examine(*change(chain())) == (flaws, [])


def test_a_clear_of_the_full_scrub_has_the_kind_of_line_as_its_reason() -> None:
    batches, rows = chain("ccc_full")
    for at, reason in enumerate(("wireless", "voip", "landline", "unknown", "", "dnc"), 2):
        rows = with_value(rows, "REASON", at, reason)
    rows = with_value(with_value(rows, "VERDICT", 5, "LISTED"), "REASON", 8, "landline")
    (found,), _ = examine(batches, with_value(rows, "VERDICT", 8, "UNKNOWN"))
    assert found.says == f"{CHANGED}; rows stand out in verdict and reason"
    assert (found.rows, found.phones) == (2, (FIRST + 4, FIRST + 5))


def test_two_batches_at_one_position_are_told_apart_by_their_ids() -> None:
    batches, rows = chain()
    twin = replace(batches[1], batch_id="z", row_count=0)
    found, strays = examine([*batches, twin], rows)
    assert strays == []
    assert [(one.kind, one.batch_id, one.position) for one in found] == [
        ("position", "z", 2),
        ("prev_digest", "z", 2),
        ("no_rows", "z", 2),
        ("digest", "z", 2),
    ]
    assert found[0].says == "no other batch of its chain may have its position"
    assert found[2].says == "none of its 0 rows is there"


@pytest.mark.parametrize(
    ("column", "value"),
    [("BATCH_ID", "none"), ("SOURCE", "dnc"), ("CHUNK", 1), ("LEAD_DATE", datetime(2026, 1, 2))],  # noqa: DTZ001
)
def test_rows_of_no_batch_of_their_chain_are_strays(column: str, value: Any) -> None:
    batches, rows = chain()
    value = value.date() if column == "LEAD_DATE" else value
    changed = rows
    for at in range(8, 1, -1):  # all of the second batch
        changed = with_value(changed, column, at, value)
    _, strays = examine(batches, changed)
    place = {"LEAD_DATE": KEY.lead_date, "CHUNK": 0, "SOURCE": "ccc"} | {column: value}
    assert strays == [
        Flaw(
            kind="no_batch",
            says="rows without a batch",
            key=ChainKey(place["LEAD_DATE"], place["CHUNK"], place["SOURCE"]),
            batch_id="none" if column == "BATCH_ID" else batches[1].batch_id,
            rows=7,
            phones=tuple(range(FIRST, FIRST + 5)),
        )
    ]
    assert key_of(batches[1]) == KEY


def test_where_no_batch_is_left_all_rows_are_strays() -> None:
    _, rows = chain()
    flaws, strays = examine([], rows)
    assert flaws == []
    assert [(one.batch_id, one.rows) for one in strays] == [
        (f"ccc 0 {position}", size) for position, size in enumerate(SIZES, 1)
    ]
    assert {one.key for one in strays} == {KEY}
