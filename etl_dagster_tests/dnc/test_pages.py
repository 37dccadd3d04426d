import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_dagster.dnc import pages

local = st.integers(0, pages.AREA_NUMBERS - 1)
runs = st.tuples(st.integers(0, 999), st.integers(0, 10_000), st.integers(0, 2**32 - 1))


@settings(max_examples=40, deadline=None)
@given(st.sets(local, max_size=50), st.lists(runs, max_size=4), st.lists(local, max_size=50))
def test_pages_hold_exactly_what_was_put_in(
    some: set[int], exchanges: list[tuple[int, int, int]], asked: list[int]
) -> None:
    wanted = set(some)
    for exchange, size, seed in exchanges:
        last_four = np.random.default_rng(seed).choice(10_000, size, replace=False)
        wanted.update((exchange * 10_000 + last_four).tolist())
    bits = pages.pack(np.array(sorted(wanted), dtype=np.uint32))
    assert pages.unpack(bits).tolist() == sorted(wanted)
    assert pages.count(bits) == len(wanted)
    encoded = list(pages.encode(bits))
    assert sum(len(blob) for _, blob in encoded) == pages.size(bits)
    assert np.array_equal(pages.decode(encoded), bits)
    question = np.array([*asked, *list(wanted)[:200]], dtype=np.uint32)
    blob_of = np.full(pages.PAGES, -1, dtype=np.int32)
    for index, (page, _) in enumerate(encoded):
        blob_of[page] = index
    hits = pages.contains([blob for _, blob in encoded], blob_of[question // 100_000], question)
    assert hits.tolist() == [number in wanted for number in question.tolist()]


def test_many_numbers_and_few_are_packed_alike() -> None:
    many = np.random.default_rng(1).integers(0, pages.AREA_NUMBERS, 60_000).astype(np.uint32)
    bits = pages.pack(many)
    few = sum((pages.pack(part) for part in np.array_split(np.unique(many), 4)), start=0 * bits)
    assert np.array_equal(bits, few)
    assert np.array_equal(pages.unpack(bits), np.unique(many))


def test_every_number_of_an_area_code_fits() -> None:
    bits = pages.pack(np.arange(pages.AREA_NUMBERS, dtype=np.uint32))
    assert pages.count(bits) == pages.AREA_NUMBERS
    assert np.array_equal(pages.decode(list(pages.encode(bits))), bits)


def test_exchanges_at_every_edge_of_a_page_are_held_and_found() -> None:
    """One number, the most that are held as a list, one more, and all, side by side."""
    sizes = {0: 1, 9: 625, 10: 626, 11: 1, 500: 10_000, 509: 624, 990: 626, 999: 625}
    rng = np.random.default_rng(4)
    held = {
        exchange: np.sort(rng.choice(10_000, size, replace=False))
        for exchange, size in sizes.items()
    }
    wanted = np.concatenate([exchange * 10_000 + last for exchange, last in held.items()])
    bits = pages.pack(wanted.astype(np.uint32))
    assert np.array_equal(pages.unpack(bits), wanted)
    assert pages.count(bits) == sum(sizes.values())
    encoded = list(pages.encode(bits))
    assert [page for page, _ in encoded] == [0, 1, 50, 99]
    assert [len(blob) for _, blob in encoded] == [1272, 1272, 20 + 1250 + 1248, 20 + 1250 + 1250]
    assert pages.size(bits) == sum(len(blob) for _, blob in encoded)
    assert np.array_equal(pages.decode(encoded), bits)
    blob_of = np.full(pages.PAGES, -1, dtype=np.int32)
    blob_of[[0, 1, 50, 99]] = range(4)
    asked = np.concatenate(
        [exchange * 10_000 + np.array([0, 1, 4_999, 9_998, 9_999]) for exchange in range(1_000)]
    )
    asked = np.concatenate([asked, wanted, wanted[wanted > 0] - 1]).astype(np.uint32)
    hits = pages.contains([blob for _, blob in encoded], blob_of[asked // 100_000], asked)
    assert np.array_equal(hits, np.isin(asked, wanted))
    nobody = pages.pack(wanted[:0].astype(np.uint32))
    assert (list(pages.encode(nobody)), pages.size(nobody), pages.count(nobody)) == ([], 0, 0)
    assert not pages.decode([]).any()
    assert not pages.contains([], np.full(3, -1, dtype=np.int32), asked[:3]).any()


@pytest.mark.parametrize("size", [1, 624, 625, 626, 10_000])
def test_an_exchange_alone_keeps_its_numbers(size: int) -> None:
    """Whether an area code has any list of numbers at all is asked once for all of it."""
    wanted = 5_550_000 + np.arange(size) * (10_000 // size)
    bits = pages.pack(wanted.astype(np.uint32))
    ((page, blob),) = pages.encode(bits)
    assert (page, len(blob)) == (55, pages.size(bits))
    assert np.array_equal(pages.unpack(pages.decode([(page, blob)])), wanted)
    asked = np.arange(5_540_000, 5_570_000, dtype=np.uint32)
    found = pages.contains([blob], np.where(asked // 100_000 == 55, 0, -1).astype(np.int32), asked)
    assert np.array_equal(asked[found], wanted)
