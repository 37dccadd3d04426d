"""The records of what was removed: nobody forges one, and what they name is found again."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.settings import FIVE_YEARS
from etl_dagster.warehouse.canonical import FIRST_DIGEST
from etl_dagster.warehouse.examination import ChainKey
from etl_dagster.warehouse.heads import Head
from etl_dagster.warehouse.retention_record import (
    Retention,
    digest_of,
    digests_text,
    examine,
    has_removed,
    removed_chains,
    returned,
)

NOW = datetime.now(UTC)


def chained(*records: Retention) -> list[Retention]:
    """Records as somebody would chain them who knows how."""
    found: list[Retention] = []
    for position, one in enumerate(records, 1):
        previous = found[-1].digest if found else FIRST_DIGEST
        placed = replace(one, position=position, prev_digest=previous)
        found.append(replace(placed, digest=digest_of(placed)))
    return found


def record(table: str = "SCRUB_BATCHES", *, age: int = FIVE_YEARS, at: datetime = NOW) -> Retention:
    moment = at.replace(tzinfo=None)
    return Retention(
        position=0,
        retention_id="i",
        table_name=table,
        day=moment.date() - timedelta(days=age),
        row_count=3,
        oldest=moment,
        newest=None,
        kept_days=FIVE_YEARS,
        digests='[[0,"ccc",["v2:a"]]]',
        removed_at=moment,
        removed_by="somebody",
    )


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        (record(), None),
        (record("LEADS", age=1), None),
        (record("EXPORTS", age=FIVE_YEARS - 1), "removed evidence 1,829 days old"),
        (record(age=FIVE_YEARS - 1), "removed evidence 1,829 days old"),
        (record("PHONE_VERDICTS", age=1), "removed evidence 1 days old"),
        (record(at=NOW + timedelta(days=900)), "removed something in the future"),
    ],
)
def test_no_record_excuses_what_is_younger_than_five_years(
    forged: Retention, says: str | None
) -> None:
    found = [flaw.says for flaw in examine(chained(record(), forged), moment=NOW)]
    assert [one.partition(": ")[2].removeprefix("it says that it ") for one in found] == (
        [says] if says else []
    )


@given(data=st.data())
def test_any_change_of_any_record_but_the_last_ones_loss_is_found(data: st.DataObject) -> None:
    records = chained(record(), record("LEADS", age=70), record("EXPORTS"))
    assert list(examine(records, moment=NOW)) == []
    at = data.draw(st.integers(0, 2))
    change = data.draw(st.sampled_from(["drop", "twice", "swap", "field"]))
    if change == "drop":
        at = data.draw(st.integers(0, 1))
        records.pop(at)
    elif change == "twice":
        records.insert(at, records[at])
    elif change == "swap":
        other = data.draw(st.integers(0, 2).filter(lambda one: one != at))
        records[at], records[other] = records[other], records[at]
    else:
        name = data.draw(st.sampled_from([one.name for one in fields(Retention)]))
        value = getattr(records[at], name)
        changed = {
            int: lambda: value + 1,
            str: lambda: value + "x",
            date: lambda: value - timedelta(days=1),
            datetime: lambda: value - timedelta(microseconds=1),
            type(None): lambda: NOW.replace(tzinfo=None),
        }[type(value)]()
        records[at] = replace(records[at], **{name: changed})
    assert list(examine(records, moment=NOW))


# --- what went --------------------------------------------------------------------------------


def went() -> Retention:
    """Two chains of one day: of three batches, and of one."""
    rows = [(0, "ccc", "a"), (0, "ccc", "b"), (0, "ccc", "c"), (1, "dnc", "d")]
    return replace(record(), digests=digests_text(rows))


def test_the_chains_that_went_are_read_again_as_they_were() -> None:
    day = went().day
    expected = {ChainKey(day, 0, "ccc"): ["a", "b", "c"], ChainKey(day, 1, "dnc"): ["d"]}
    assert removed_chains([went(), record("LEADS")]) == expected
    assert replace(went(), table_name="PHONE_VERDICTS").chains == {}
    assert digests_text([]) == "[]"


@pytest.mark.parametrize("text", ["", "[", "7", '{"a":1}', "[[0]]", '[["x","ccc",[]]]'])
def test_a_text_that_names_no_digests_excuses_nothing(text: str) -> None:
    assert replace(went(), digests=text).chains == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"position": 1}, False),
        ({"position": 4, "digest": "c"}, False),
        ({"digest": "c"}, False),
        ({"chunk": 1}, False),
        ({"source": "dnc"}, False),
    ],
)
def test_a_head_is_excused_at_its_own_position_of_its_own_chain(
    change: dict[str, Any], *, expected: bool
) -> None:
    head = Head(lead_date=went().day, chunk=0, source="ccc", position=2, digest="b")
    assert has_removed(removed_chains([went()]), replace(head, **change)) is expected


def test_only_a_chain_that_is_there_again_is_told() -> None:
    day = went().day
    there = [ChainKey(day, 1, "dnc"), ChainKey(day, 1, "ccc"), ChainKey(NOW.date(), 0, "ccc")]
    (flaw,) = returned([went(), record("LEADS")], there)
    assert flaw.says.endswith("the chain of chunk 01 dnc was removed, and is there")
    assert (flaw.kind, flaw.key.lead_date) == ("retention", day)
