"""Digests: the same for the same rows, another for any other rows or batch."""

import hashlib
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.verdicts import Verdict
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.canonical import (
    COLUMNS,
    BatchRecord,
    batch_digest,
    rows_digests,
    rows_text,
    version_of,
)
from etl_dagster_tests.warehouse.conftest import NOW, batch_of, origin, rows_digest

PHONES = [4075550100 + n for n in range(6)]
BATCH = BatchRecord(
    batch_id="b",
    lead_date=date(2026, 11, 20),
    chunk=3,
    source="ccc",
    position=2,
    row_count=6,
    digest="",
    prev_digest="0" * 64,
    endpoint="https://example.org",
    deployment="local",
    created_at=datetime(2026, 11, 21, 6, 0, 0, 1),  # noqa: DTZ001
)
TEXTS = st.text(st.sampled_from("ab|\\\nNp"), max_size=4)


def rows_of(count: int = 6) -> pa.Table:
    return ledger._rows([batch_of(PHONES[:count], Verdict.CLEAR)], origin("ccc"))


def with_value(rows: pa.Table, column: str, at: int, value: Any) -> pa.Table:
    values = rows[column].to_pylist()
    values[at] = value
    field = rows.schema.field(column)
    place = rows.column_names.index(column)
    return rows.set_column(place, field, pa.array(values, field.type))


@pytest.mark.parametrize("version", COLUMNS)
@given(st.permutations(range(6)))
def test_the_order_of_rows_does_not_matter(version: int, order: list[int]) -> None:
    rows = rows_of()
    rows = pa.concat_tables([rows, rows.slice(2, 1)])  # one phone twice
    shuffled = rows.take(pa.array([6, *order]))
    assert rows_digest(shuffled, version=version) == rows_digest(rows, version=version)


@pytest.mark.parametrize("version", COLUMNS)
@pytest.mark.parametrize("order", [[0, 2, 1], [2, 1, 0], [1, 2, 0]])
def test_rows_of_one_phone_in_one_batch_are_ordered_by_what_they_say(
    version: int, order: list[int]
) -> None:
    rows = ledger._rows([batch_of([PHONES[0], PHONES[1], PHONES[1]], Verdict.CLEAR)], origin("ccc"))
    rows, batches = with_value(rows, "REASON", 2, "x"), np.array([0, 1, 1])
    shuffled = rows.take(pa.array(order))
    found = rows_digests(shuffled, batches[order], 2, version=version)
    assert found == rows_digests(rows, batches, 2, version=version)


@pytest.mark.parametrize("column", COLUMNS[2])
@pytest.mark.parametrize("at", [0, 3, 5])
def test_every_column_of_every_row_counts(column: str, at: int) -> None:
    rows = rows_of()
    assert set(rows.column_names) == set(COLUMNS[2])
    old = rows[column][at].as_py()
    changes = {
        str: lambda: f"{old}x",
        int: lambda: old + 1,
        date: lambda: old + timedelta(days=1),
        datetime: lambda: old + timedelta(microseconds=1),
    }
    changed = with_value(rows, column, at, changes[type(old)]())
    assert rows_digest(changed) != rows_digest(rows)


def test_a_row_taken_out_or_put_in_changes_the_digest() -> None:
    rows = rows_of()
    assert rows_digest(rows.slice(1)) != rows_digest(rows)
    assert rows_digest(pa.concat_tables([rows, rows.slice(0, 1)])) != rows_digest(rows)


def test_no_validity_is_not_any_moment() -> None:
    rows = rows_of(1)
    digests = {
        rows_digest(with_value(rows, "VALID_UNTIL", 0, value))
        for value in (None, datetime(1970, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("version", "missing", "escaped"),
    [(1, "", "a|b\\c\nd"), (2, "\\N", "a\\pb\\\\c\\nd")],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_a_line_says_of_text_and_of_nothing(
    version: int, missing: str, escaped: str, at: int
) -> None:
    written = rows_of(3)
    plain = rows_text(written, version=version).decode()
    line = plain.split("\n")[at]
    values = dict(zip(COLUMNS[version], line.split("|"), strict=True))
    for name, value, said in (("VALID_UNTIL", None, missing), ("REASON", "a|b\\c\nd", escaped)):
        changed = "|".join({**values, name: said}.values())
        rows = with_value(written, name, at, value)
        assert rows_text(rows, version=version).decode() == plain.replace(line, changed)


@given(st.tuples(TEXTS, TEXTS), st.tuples(TEXTS, TEXTS))
def test_two_rows_have_one_text_only_if_they_are_equal(
    one: tuple[str, str], two: tuple[str, str]
) -> None:
    digests, row = [], rows_of(1)
    for reason, versions in (one, two):
        rows = with_value(row, "REASON", 0, reason)
        digests.append(rows_digest(with_value(rows, "LIST_VERSIONS", 0, versions)))
    assert (digests[0] == digests[1]) == (one == two)


def test_the_digest_covers_every_column_of_the_batch_but_itself() -> None:
    whole = batch_digest(BATCH, "r")
    changes: dict[type, Any] = {
        str: "other",
        int: 99,
        date: date(2026, 11, 21),
        datetime: BATCH.created_at + timedelta(microseconds=1),
    }
    for field in fields(BatchRecord):
        changed = replace(BATCH, **{field.name: changes[type(getattr(BATCH, field.name))]})
        assert (batch_digest(changed, "r") == whole) == (field.name == "digest"), field.name
    assert batch_digest(BATCH, "s") != whole


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_digests_of_many_batches_are_those_of_each(places: list[int]) -> None:
    phones = [4075550100 + n for n in range(len(places))]
    rows = ledger._rows([batch_of(phones, Verdict.CLEAR)], origin("ccc"))
    batches = np.array(places, np.int64)
    for version in COLUMNS:
        together = rows_digests(rows, batches, 5, version=version)
        assert len(together) == 5
        for place, digest in enumerate(together):
            own = rows.filter(pa.array(batches == place))
            assert digest == rows_digest(own, version=version)


@pytest.mark.parametrize("version", COLUMNS)
def test_the_digest_of_rows_is_that_of_their_text(version: int) -> None:
    rows = rows_of().take(pa.array([3, 1, 5, 0, 4, 2]))
    text = rows_text(rows, version=version)
    assert hashlib.sha256(text).hexdigest() == rows_digest(rows, version=version)
    lines = text.decode().split("\n")
    at = COLUMNS[version].index("PHONE")
    assert [line.split("|")[at] for line in lines[:-1]] == [str(phone) for phone in PHONES]
    assert lines[-1] == rows_text(rows.slice(0, 0), version=version).decode() == ""
    assert rows_text(rows) == rows_text(rows, version=2)


def test_a_digest_says_its_version() -> None:
    assert version_of(batch_digest(BATCH, "r")) == 2
    assert version_of(batch_digest(BATCH, "r", version=1)) == 1
    assert len(batch_digest(BATCH, "r")) <= 64  # the column's length
    assert [version_of(text) for text in ("", "v2:", "v3:abc", "0" * 63)] == [None] * 4


def test_what_an_older_release_wrote_still_has_its_digest() -> None:
    rows = ledger._rows([batch_of([4075550101, 4075550100], Verdict.LISTED)], origin("ccc"))
    moments = "{}|{}".format(
        *(round(moment.timestamp() * 1_000_000) for moment in (NOW, NOW + timedelta(days=7)))
    )
    policy = origin("ccc").policy_hash
    lines = "".join(f"{phone}|ccc|LISTED|LISTED||{moments}|{policy}|e\n" for phone in PHONES[:2])
    written = hashlib.sha256(lines.encode()).hexdigest()
    assert rows_digest(rows, version=1) == written
    chained = hashlib.sha256(f"{BATCH.prev_digest}{written}".encode()).hexdigest()
    assert batch_digest(BATCH, written, version=1) == chained


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        (1, "ddf930076f1034e5fc5bbfc8da524477f9e196f4c834ee447d58231a97296194"),
        (2, "v2:ehDKd2LPjZkEX04FWdrpp2aJ-NTnaGNX5B7NbWwPCyw"),
    ],
)
def test_digests_are_those_that_stand_in_ledgers(version: int, digest: str) -> None:
    assert batch_digest(BATCH, "ab" * 32, version=version) == digest
