"""Chains of changes of one area code, without a list around them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources

import numpy as np
import pytest

from etl_dagster.dnc import DncCorruptError, deltas, pages
from etl_dagster.dnc.entries import changed, replaced
from etl_dagster.dnc.page_rows import RANGE_READ
from etl_dagster.dnc.records import NOBODY, empty_state, tip
from etl_dagster.dnc.segments import BATCH_PHONES, RADIX, Segments

AREA = 407
BLANK = empty_state()[AREA]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        script = resources.files("etl_dagster.dnc").joinpath("schema.sql").read_text("utf-8")
        connection.executescript(script)
        yield connection


def local(numbers: object) -> np.ndarray:
    return np.array(sorted(numbers), dtype=np.uint32)


def test_every_link_of_a_chain_answers_as_a_set_does_and_chains_stay_short(
    connection: sqlite3.Connection,
) -> None:
    segments, rng = Segments(connection), np.random.default_rng(3)
    held = set(rng.choice(pages.AREA_NUMBERS, 4_000, replace=False).tolist())
    pool = [*sorted(held)[::40], *rng.choice(pages.AREA_NUMBERS, 100).tolist()]
    ref = segments.write_base(AREA, pages.pack(local(held)))
    history = [(ref, frozenset(held))]
    for link in range(1, 2 * RADIX**2):
        new = {pool[(7 * link) % len(pool)], pool[(11 * link) % len(pool)]} - held
        gone = {pool[(5 * link) % len(pool)]} & held
        held = (held | new) - gone
        if new or gone:
            ref = segments.append(ref, AREA, deltas.mark(local(new), local(gone)))
            history.append((ref, frozenset(held)))
    assert len(history) > RADIX**2 + RADIX
    asked = local(pool)
    for at, (ref, then) in enumerate(history):
        assert segments.contains(ref, AREA, asked).tolist() == [n in then for n in asked.tolist()]
        links = list(segments.lineage(ref, AREA))
        assert (links[0], links[-1]) == (ref, history[0][0])
        digits = [int(digit) for digit in np.base_repr(at, RADIX)]
        assert len(links) == sum(digits) + 1
        chain = segments.resolve(ref, AREA)
        assert (chain.base, len(chain.changes)) == (history[0][0].id, len(links) - 1)
    for ref, then in history[:: RADIX + 1]:
        assert pages.unpack(segments.bits(ref, AREA)).tolist() == sorted(then)
    refs = [ref for ref, _ in history]
    parts = segments.contains_each((ref, AREA, asked) for ref in refs)
    assert [part.tolist() for part in parts] == [
        [number in then for number in asked.tolist()] for _, then in history
    ]
    many = local(rng.choice(pages.AREA_NUMBERS, 1_000).tolist() + pool)
    found = segments.contains(refs[-2], AREA, many)  # so many that changes are merged first
    assert found.tolist() == [number in history[-2][1] for number in many.tolist()]


def test_each_of_many_area_codes_asked_at_once_has_its_own_answer(
    connection: sqlite3.Connection,
) -> None:
    """Also where they are more phones than are looked up at once."""
    segments, rng = Segments(connection), np.random.default_rng(4)
    parts, expected = [], []
    for area, count in enumerate((3, BATCH_PHONES // 2, 700, BATCH_PHONES // 2, 5, 1, 9), AREA):
        asked = np.unique(rng.choice(pages.AREA_NUMBERS, count, replace=False)).astype(np.uint32)
        listed = rng.random(count) < 0.5
        parts.append((segments.write_base(area, pages.pack(asked[listed])), area, asked))
        expected.append(listed.tolist())
    assert [hit.tolist() for hit in segments.contains_each(parts)] == expected


def test_a_change_that_is_large_for_its_base_becomes_a_base(connection: sqlite3.Connection) -> None:
    segments = Segments(connection)
    base = segments.write_base(AREA, pages.pack(local(range(0, 800_000, 10_000))))
    size = int(segments.resolve(base, AREA).directory["size"].sum())
    most = size // 16  # four bytes a number, a quarter of the base
    for count, links in ((most, 1), (most + 1, 0)):
        new = local(range(5, 5 + 10_000 * count, 10_000))
        ref = segments.append(base, AREA, deltas.mark(new, local([])))
        assert len(segments.resolve(ref, AREA).changes) == links
        assert segments.contains(ref, AREA, new).all()
        assert segments.contains(ref, AREA, local([0, 10_000])).all()
        assert not segments.contains(ref, AREA, local([1, 6])).any()


def test_a_segment_is_that_of_its_area_code_and_checksum(connection: sqlite3.Connection) -> None:
    segments = Segments(connection)
    base = segments.write_base(AREA, pages.pack(local([5, 7])))
    ref = segments.append(base, AREA, deltas.mark(local([]), local([5])))
    for wrong, area in (
        (ref, AREA + 1),
        (ref._replace(crc=ref.crc ^ 1), AREA),
        (ref._replace(id=base.id), AREA),
        (ref._replace(id=99), AREA),
    ):
        for ask in (segments.resolve, segments.bits):
            with pytest.raises(DncCorruptError, match="damaged or missing"):
                ask(wrong, area)
    assert segments.contains(ref, AREA, local([5, 7])).tolist() == [False, True]


def test_entries_count_and_keep_canaries(connection: sqlite3.Connection) -> None:
    segments = Segments(connection)
    made = replaced(segments, BLANK, pages.pack(local([3, 5])), version=1, as_of=10)
    assert (made.added, made.removed, int(made.entry["count"])) == (2, 0, 2)
    assert (int(made.entry["full"]), int(made.entry["as_of"])) == (1, 10)
    again = replaced(segments, made.entry, pages.pack(local([3, 5])), version=2, as_of=11)
    assert (again.added, again.removed) == (0, 0)
    assert tip(again.entry) == tip(made.entry)
    other = replaced(segments, made.entry, pages.pack(local([5, 8, 9])), version=2, as_of=11)
    assert (other.added, other.removed, int(other.entry["count"])) == (2, 1, 3)
    assert segments.contains(tip(other.entry), AREA, local([3, 5, 8, 9])).tolist() == [
        False, True, True, True,
    ]  # fmt: skip
    less = changed(segments, made.entry, local([8, 5]), local([3, 4]), version=3, as_of=12)
    assert (less.added, less.removed, int(less.entry["count"])) == (1, 1, 2)
    assert (int(less.entry["full"]), int(less.entry["version"])) == (1, 3)
    assert segments.contains(tip(less.entry), AREA, local([3, 5, 8])).tolist() == [
        False, True, True,
    ]  # fmt: skip
    for entry in (made.entry, other.entry, less.entry):
        canaries = [int(entry["listed"]), int(entry["absent"])]
        assert [bool(segments.contains(tip(entry), AREA, local([n]))[0]) for n in canaries] == [
            True, False,
        ]  # fmt: skip
    nobody = changed(segments, less.entry, local([]), local([5, 8]), version=4, as_of=13)
    assert (int(nobody.entry["count"]), int(nobody.entry["listed"])) == (0, NOBODY)
    first = changed(segments, nobody.entry, local([6]), local([]), version=5, as_of=14)
    assert int(first.entry["listed"]) == 6
    began = changed(segments, BLANK, local([6, 7]), local([]), version=1, as_of=0)
    assert (int(began.entry["full"]), began.added, int(began.entry["tip"]) > 0) == (0, 2, True)


def test_a_full_list_that_gains_as_many_as_it_loses_is_another_list(
    connection: sqlite3.Connection,
) -> None:
    segments = Segments(connection)
    made = replaced(segments, BLANK, pages.pack(local([3, 5, 7])), version=1, as_of=10)
    other = replaced(segments, made.entry, pages.pack(local([4, 5, 7])), version=2, as_of=11)
    assert (other.added, other.removed, int(other.entry["count"])) == (1, 1, 3)
    assert segments.contains(tip(other.entry), AREA, local([3, 4])).tolist() == [False, True]


def test_what_differs_from_the_full_list_before_is_stored_alone_if_it_is_little(
    connection: sqlite3.Connection,
) -> None:
    """Four bytes a number that came or went, and at most a quarter of what all of them take."""
    segments, held = Segments(connection), range(0, 800_000, 10_000)
    made = replaced(segments, BLANK, pages.pack(local(held)), version=1, as_of=10)
    seen = set()
    for count in range(1, 16):
        numbers = local([*(number + 5 for number in held[:count]), *held[count - 1 :]])
        bits = pages.pack(numbers)
        other = replaced(segments, made.entry, bits, version=2, as_of=11)
        assert (other.added, other.removed) == (count, count - 1)
        little = (2 * count - 1) * 4 * 4 <= pages.size(bits)
        assert len(segments.resolve(tip(other.entry), AREA).changes) == little
        assert pages.unpack(segments.bits(tip(other.entry), AREA)).tolist() == numbers.tolist()
        seen.add(little)
    assert seen == {True, False}


def test_of_each_number_the_newest_mark_counts_and_neighbours_are_others() -> None:
    newest = deltas.mark(local([4, 9]), local([5, 6]))
    older = deltas.mark(local([5, 6, 7]), local([4]))
    merged = deltas.merge([newest, older])
    assert merged.tolist() == deltas.mark(local([4, 7, 9]), local([5, 6])).tolist()
    bits = pages.pack(local([1, 5, 6]))
    deltas.apply(bits, merged)
    assert pages.unpack(bits).tolist() == [1, 4, 7, 9]
    asked = local(range(12))
    hit = np.isin(asked, [1, 5, 6])
    deltas.overlay(hit, merged, asked)
    assert asked[hit].tolist() == [1, 4, 7, 9]


def test_pages_are_read_one_by_one_or_at_once_alike(connection: sqlite3.Connection) -> None:
    """Twenty and more are read as a range, with those between them that were not asked for."""
    segments = Segments(connection)
    held = np.arange(0, pages.AREA_NUMBERS, 50_000)
    before = segments.write_base(AREA - 1, pages.pack(local([8])))
    ref = segments.write_base(AREA, pages.pack(local(held)))
    after = segments.write_base(AREA + 1, pages.pack(local([9])))
    for count in (1, 2, RANGE_READ - 1, RANGE_READ, RANGE_READ + 1, pages.PAGES):
        for last in (False, True):
            some = np.linspace(0, pages.PAGES - 1 - (not last), count).astype(int) * 100_000
            asked = local([*some, *(some + 1), *(some + 50_000)])
            found = segments.contains(ref, AREA, asked)
            assert asked[found].tolist() == [n for n in asked.tolist() if n % 50_000 == 0]
    assert segments.contains(before, AREA - 1, local([8, 9])).tolist() == [True, False]
    assert segments.contains(after, AREA + 1, local([8, 9])).tolist() == [False, True]


@pytest.mark.parametrize(
    "damage",
    [
        "bits = x'0000'",
        "bits = substr(bits, 1, 21)",
        "bits = zeroblob(length(bits))",
        "id = id + 1000",
    ],
)
def test_a_page_that_is_not_what_was_written_is_no_answer(
    connection: sqlite3.Connection, damage: str
) -> None:
    segments = Segments(connection)
    ref = segments.write_base(AREA, pages.pack(local([100_003, 2_500_004])))
    connection.execute(f"UPDATE page SET {damage} WHERE id % 100 = 25")
    assert segments.contains(ref, AREA, local([100_003, 7])).tolist() == [False, True]
    with pytest.raises(DncCorruptError, match="page 25 of segment 1 is damaged or missing"):
        segments.contains(ref, AREA, local([2_500_004]))
