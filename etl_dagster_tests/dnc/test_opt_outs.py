"""Requests to be left alone: dated, kept, never lost to a refresh."""

from datetime import UTC
from pathlib import Path

import pytest

from etl_dagster.dnc import DncFormatError, DncRefusedError, DncStore, DncUsageError, requests
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
    store.opt_out([PHONE + 1], received=ago(days=1))  # of later, though written down before
    store.opt_out([PHONE], received=ago(days=4))
    assert verdict(store, PHONE, ago(days=5)) == "CLEAR"
    assert verdict(store, PHONE, ago(days=4)) == "LISTED"
    assert numbers(store, "internal", ago(days=5)) == set()
    assert numbers(store, "internal", ago(days=4)) == {PHONE}
    assert numbers(store, "internal", ago(days=1)) == {PHONE, PHONE + 1}


def test_another_column_of_the_same_file_is_another_input(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text("mobile,landline\n4075550150,4075550151\n")
    assert store.opt_out_file(path, column="mobile").changed
    assert store.opt_out_file(path, column="landline").changed
    assert numbers(store, "internal") == {PHONE, PHONE + 1}


def test_each_opt_out_of_a_file_counts_from_its_own_date(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text("phone,received\n4075550150,2026-09-01\n4075550151,2026-09-14\n")
    store.opt_out_file(path)
    assert numbers(store, "internal", ago(days=4)) == {PHONE}
    assert verdict(store, PHONE, ago(days=4)) == "LISTED"
    assert verdict(store, PHONE + 1, ago(days=4)) == "CLEAR"


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
    assert verdict(store, PHONE) == verdict(store, PHONE, clock.now) == "CLEAR"
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
    told = [(row["source"], row["by"], row["received"][:10]) for row in first]
    assert told == [("letter", "ann", "2026-09-01")]
    assert [(row["by"], row["note"]) for row in second] == [("tests", "second thoughts")]
    plain = tmp_path / "plain.txt"
    plain.write_text("4075550160\n\n407-555-0161\n")
    assert store.opt_out_file(plain).numbers == 4
    assert numbers(store, "internal") >= {4075550160, 4075550161}


def test_every_phone_of_a_row_is_left_alone(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text(
        "name,Phone,phone_2,Mobile,phone_type,received\n"
        "A,4075550150,4075550151,,mobile,2026-09-01\n"
        "B,,(407) 555-0152,4075550152,none,\n"
        "C,n/a,,4075550153\n"
    )
    done = store.opt_out_file(path)
    assert (done.lines, done.malformed, done.numbers) == (3, 0, 4)
    assert numbers(store, "internal", ago(days=9)) == {PHONE, PHONE + 1}
    assert len(store.explain(PHONE + 2).lists[0].requests) == 1
    path.write_text("home number,Cell\n4075550154,\n,\n4075550155,40755501\n")
    with pytest.raises(DncRefusedError, match=r"1 of 2 lines.*opt-outs.csv:4"):
        store.opt_out_file(path)
    assert store.opt_out_file(path, column="home number").malformed == 0


def test_the_same_file_after_an_opt_in_may_be_somebody_who_asks_anew(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text("phone,received\n4075550150,\n4075550151,2026-09-01\n4075550152,\n")
    store.opt_out_file(path)
    store.remove_opt_out([4075550150, 4075550151], reason="asked", by="tests")
    clock.forward(hours=1)
    again = store.opt_out_file(path)
    assert (again.changed, again.added) == (True, 1)
    assert verdict(store, 4075550150) == "LISTED"
    assert verdict(store, 4075550151) == "CLEAR"  # its date says that it is the request of before
    assert len(store.explain(4075550152).lists[0].requests) == 1
    assert not store.opt_out_file(path).changed


def test_a_request_of_the_day_of_the_opt_in_or_later_is_heard_whatever_way_it_has_its_date(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    plain, dated = tmp_path / "plain.txt", tmp_path / "dated.csv"
    plain.write_text("4075550150\n")
    dated.write_text(f"phone,received\n4075550151,{clock.now:%Y-%m-%d}\n")
    store.opt_out_file(plain)
    store.opt_out_file(dated)
    store.remove_opt_out([4075550150, 4075550151], reason="asked", by="tests")
    clock.forward(hours=1)
    assert not store.opt_out_file(plain, received=ago(days=2)).changed
    assert store.opt_out_file(plain, received=clock.now).added == 1
    assert store.opt_out_file(dated).added == 1  # which came first of that day is not known
    assert numbers(store, "internal") >= {4075550150, 4075550151}


def test_an_opt_in_of_another_list_keeps_nobody_from_asking_anew(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text(f"phone,received\n4075550150,{clock.now:%Y-%m-%d}\n")
    for name in ("internal", "partner"):
        store.opt_out_file(path, name=name)
        store.remove_opt_out([PHONE], reason="asked", by="tests", name=name)
        clock.forward(days=3)
    assert store.opt_out_file(path).added == 1
    assert numbers(store, "internal") == {PHONE}


def test_who_asked_at_a_moment_that_cannot_be_read_is_heard(
    store: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "opt-outs.csv"
    rows = [f"{4075560000 + number}," for number in range(2_000)]
    rows += ["4075550150,last week", "4075550151,0001-01-01T00:00:00+05:00"]
    path.write_text("\n".join(["phone,received", *rows]) + "\n")
    with pytest.raises(DncRefusedError, match=r"2 of 2,002 lines .*csv:2002, opt-outs.csv:2003\. "):
        store.opt_out_file(path, received=ago(days=9))
    assert len(numbers(store, "internal")) == 2_002
    assert verdict(store, 4075550151) == "LISTED"
    assert verdict(store, 4075550150) == "LISTED"
    assert verdict(store, 4075550150, ago(days=1)) == "CLEAR"  # it counts from now on


def test_a_row_that_ends_early_says_no_more_than_it_has(store: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text("phone,source,note\n4075550150\n\n4075550151,letter\n")
    store.opt_out_file(path, source="file", by="tests")
    for phone, source in ((4075550150, "file"), (4075550151, "letter")):
        told = store.explain(phone).lists[0].requests
        assert [(row["source"], row["note"]) for row in told] == [(source, "")]
    path.write_text("source,phone\nletter,4075550152\nletter\n")
    with pytest.raises(DncRefusedError, match=r"1 of 2 lines.*opt-outs.csv:3"):
        store.opt_out_file(path)


def test_a_file_with_unreadable_opt_outs_is_refused_and_the_others_are_heard(
    store: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "opt-outs.txt"
    for few in (1, 2_000):
        phones = [4075560000 + number for number in range(few)]
        path.write_text("".join(f"{phone}\n" for phone in phones) + "40755501\n")
        for _ in range(2):  # until somebody deals with it
            with pytest.raises(DncRefusedError, match=rf"1 of {few + 1:,} lines.*txt:{few + 1}\. "):
                store.opt_out_file(path)
            assert numbers(store, "internal") == set(phones)
            assert len(store.explain(phones[-1]).lists[0].requests) == 1
    assert not store.opt_out_file(path, allow=["malformed"]).changed
    path.write_text("40755501\n")
    for allow in ([], ["malformed"]):
        with pytest.raises(DncRefusedError, match=r"1 of 1 lines.*opt-outs.txt:1"):
            store.opt_out_file(path, allow=allow)
    path.write_text("phone,received\n4075550160,last week\n")
    with pytest.raises(DncRefusedError, match=r"1 of 1 lines.*opt-outs.txt:2"):
        store.opt_out_file(path, allow=["same"])
    path.write_text("\n")
    with pytest.raises(DncFormatError, match="no phone"):
        store.opt_out_file(path)


@pytest.mark.parametrize(
    "text",
    ["4075550160,4075550161\n", "4075550160\n4075550161,,407-555-0162\n",
     "phone,note\n4075550160,asked,(407) 555-0161\n"],
)  # fmt: skip
def test_a_phone_beyond_the_columns_of_a_file_is_not_passed_over(
    store: DncStore, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text(text)
    with pytest.raises(DncFormatError, match=r"opt-outs.csv:[12] has a phone beyond") as refusal:
        store.opt_out_file(path)
    assert "555" not in str(refusal.value)
    path.write_text("4075550160,2026-09-01\n4075550161\n")
    assert store.opt_out_file(path).numbers == 2


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


def test_whose_requests_stand_and_since_when(store: DncStore) -> None:
    twice, lifted, again = PHONE, PHONE + 1, PHONE + 2
    store.opt_out([twice, lifted, again], received=ago(days=5))
    store.opt_out([twice], received=ago(days=9))  # written down later, asked earlier
    store.remove_opt_out([lifted, again], reason="asked", by="tests")
    store.opt_out([again], received=ago(days=2))
    phones, since = requests.standing(store.requests())
    assert phones.tolist() == [twice, again]
    assert [moment.replace(tzinfo=UTC) for moment in since.tolist()] == [ago(days=9), ago(days=2)]
    nobody, never = requests.standing([])
    assert (nobody.tolist(), never.tolist()) == ([], [])


def test_what_was_recorded_since_a_moment(store: DncStore, clock: Clock) -> None:
    store.opt_out([PHONE], received=ago(days=5))
    then = clock.forward(days=1)
    store.opt_out([PHONE + 1], received=ago(days=3))
    store.remove_opt_out([PHONE], reason="asked", by="tests")
    asked, recorded = requests.recorded(store.requests(), since=then)
    assert [one.replace(tzinfo=UTC) for one in asked.tolist()] == [ago(days=3)]
    assert [one.replace(tzinfo=UTC) for one in recorded.tolist()] == [then]
    assert len(requests.recorded(store.requests(), since=NOW)[0]) == 2
    assert len(requests.recorded(store.requests(), since=ago(days=-2))[0]) == 0


def test_only_the_first_lines_that_cannot_be_read_are_named(
    store: DncStore, tmp_path: Path
) -> None:
    path = tmp_path / "opt-outs.txt"
    path.write_text("1\n" * 12 + "4075550160\n")
    with pytest.raises(DncRefusedError, match="12 of 13 lines") as refusal:
        store.opt_out_file(path)
    assert "opt-outs.txt:10" in str(refusal.value)
    assert "opt-outs.txt:11" not in str(refusal.value)


def test_another_list_of_opt_outs_is_a_list_of_its_own(store: DncStore, tmp_path: Path) -> None:
    store.opt_out([PHONE], source="letter")
    with pytest.raises(DncUsageError, match="no maximum age"):
        store.add_list(
            "internal", [write_list(tmp_path / "a.txt", PHONES)], as_of=NOW, max_age_days=3
        )
    told = store.explain(PHONE, ago(days=-1)).lists[0].requests
    assert [row["source"] for row in told] == ["letter"]
    assert store.explain(PHONE, ago(days=1)).lists[0].requests == ()
