import numpy as np
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
