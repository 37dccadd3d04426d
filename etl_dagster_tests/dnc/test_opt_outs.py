"""Requests to be left alone: dated, kept, never lost to a refresh."""

from pathlib import Path

import pytest

from etl_dagster.dnc import DncFormatError, DncRefusedError, DncStore, DncUsageError
from etl_dagster_tests.dnc.support import NOW, PHONES, Clock, ago, numbers, verdict, write_list

PHONE = 4075550150


def test_an_opt_out_acts_at_once_and_survives_every_refresh(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    with DncStore.open(store.path, clock=clock) as reader:
        assert verdict(reader, PHONE) == "CLEAR"
        store.opt_out([PHONE])
        assert verdict(reader, PHONE) == "LISTED"
        new = write_list(tmp_path / "b.txt", [*PHONES, 4075550160])
        store.add_list("national", [new], as_of=ago(days=1))
        clock.forward(days=4000)
        store.compact()
        assert verdict(reader, PHONE) == "LISTED"
        assert numbers(store, "internal") == {PHONE}


def test_an_opt_out_counts_from_when_it_was_received(store: DncStore) -> None:
    store.opt_out([PHONE], received=ago(days=4))
    assert verdict(store, PHONE, ago(days=5)) == "CLEAR"
    assert verdict(store, PHONE, ago(days=4)) == "LISTED"
    assert numbers(store, "internal", ago(days=5)) == set()


def test_a_removal_needs_a_reason_and_is_kept_beside_the_request(
    store: DncStore, clock: Clock
) -> None:
    store.opt_out([PHONE, 4075550151], source="call", by="tests", note="angry")
    clock.forward(hours=1)
    with pytest.raises(DncUsageError, match="reason"):
        store.remove_opt_out([PHONE], reason=" ", by="tests")
    with pytest.raises(DncUsageError, match="nothing was removed"):
        store.remove_opt_out([PHONE, 4075550152], reason="asked", by="tests")
    store.remove_opt_out([PHONE], reason="asked to be called", by="tests")
    assert verdict(store, PHONE) == "CLEAR"
    assert verdict(store, PHONE, NOW) == "LISTED"
    told = store.explain(PHONE).lists[0].requests
    assert [row["action"] for row in told] == ["opt-out", "removal"]
    assert told[1]["note"] == "asked to be called"
    assert store.stats()[0].requests == 3


def test_what_is_no_phone_is_refused_without_naming_it(store: DncStore) -> None:
    with pytest.raises(DncUsageError, match="number 2 of 2 is not a phone") as error:
        store.opt_out(["4075550150", "4075O50151"])
    assert "50151" not in str(error.value)
    with pytest.raises(DncUsageError, match="no phone given"):
        store.opt_out([])
    with pytest.raises(DncUsageError, match="future"):
        store.opt_out([PHONE], received=ago(days=-2))
    assert numbers(store, "internal") == set()


def test_a_file_of_opt_outs_is_taken_once(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text(
        "Phone,received,source,by,note\n"
        "(407) 555-0150,2026-09-01,letter,ann,\n"
        "4075550151,,,,second thoughts\n\n"
    )
    result = store.opt_out_file(path, source="file", by="tests")
    assert (result.numbers, result.lines) == (2, 2)
    assert not store.opt_out_file(path, source="file", by="tests").changed
    first = store.explain(4075550150).lists[0].requests
    second = store.explain(4075550151).lists[0].requests
    assert [(row["source"], row["received"][:10]) for row in first] == [("letter", "2026-09-01")]
    assert [(row["by"], row["note"]) for row in second] == [("tests", "second thoughts")]
    plain = tmp_path / "plain.txt"
    plain.write_text("4075550160\n407-555-0161\n")
    assert store.opt_out_file(plain).numbers == 4


def test_a_file_with_unreadable_opt_outs_is_refused(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.txt"
    path.write_text("4075550160\n40755501\n")
    with pytest.raises(DncRefusedError, match=r"1 of 2 lines.*opt-outs.txt:2"):
        store.opt_out_file(path)
    path.write_text("phone,received\n4075550160,last week\n")
    with pytest.raises(DncRefusedError, match=r"1 of 1 lines.*opt-outs.txt:2"):
        store.opt_out_file(path, allow=["same"])
    path.write_text("\n")
    with pytest.raises(DncFormatError, match="no phone"):
        store.opt_out_file(path)


def test_many_single_opt_outs_cost_little(store: DncStore) -> None:
    before = store.path.stat().st_size
    for index in range(100):
        store.opt_out([4075550000 + index])
    assert numbers(store, "internal") == {4075550000 + index for index in range(100)}
    assert store.path.stat().st_size - before < 100 * 1500
    store.verify()


def test_a_store_opened_for_reading_records_nothing(store: DncStore) -> None:
    with (
        DncStore.open(store.path, clock=Clock()) as reader,
        pytest.raises(DncUsageError, match="read-only"),
    ):
        reader.opt_out([PHONE])
