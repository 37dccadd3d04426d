"""Loads that look like a mistake: refused with counts and the flag that lets them pass."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from etl_dagster.dnc import DncFormatError, DncRefusedError, DncStore, DncUsageError
from etl_dagster.dnc.catalog import Catalog
from etl_dagster_tests.dnc.support import (
    NOW,
    PHONES,
    Clock,
    ago,
    ask,
    numbers,
    reason,
    verdict,
    write_changes,
    write_list,
)


def refused(store: DncStore, path: Path, as_of: datetime, flag: str, text: str) -> None:
    before = store.stats()
    with pytest.raises(DncRefusedError, match=text) as refusal:
        store.add_list("national", [path], as_of=as_of)
    assert refusal.value.flags == (flag,)
    assert f"--allow-{flag}" in str(refusal.value)
    assert store.stats() == before
    assert store.add_list("national", [path], as_of=as_of, allow=[flag]).changed
    assert store.history("national")[-1].allowed == (flag,)


def test_a_list_that_shrinks_is_refused(store: DncStore, tmp_path: Path) -> None:
    enough = write_list(tmp_path / "a.txt", PHONES[:18])
    assert store.add_list("national", [enough], as_of=ago(days=9)).removed == 2
    refused(store, write_list(tmp_path / "b.txt", PHONES[:16]), ago(days=8), "shrink", "18 to 16")
    assert numbers(store) == set(PHONES[:16])


def test_numbers_of_new_area_codes_do_not_make_up_for_lost_ones(
    store: DncStore, tmp_path: Path
) -> None:
    more = [3215550100 + i for i in range(30)]
    refused(
        store, write_list(tmp_path / "b.txt", PHONES[:15] + more), ago(days=1), "shrink", "20 to 15"
    )


def test_one_area_code_that_shrinks_in_a_large_list_is_refused(
    empty: DncStore, tmp_path: Path
) -> None:
    large = [4070000000 + i for i in range(200_000)]
    small = [3210000000 + i for i in range(10_000)]
    empty.add_list("national", [write_list(tmp_path / "a.txt", large + small)], as_of=ago(days=2))
    with pytest.raises(DncRefusedError, match=r"1 area codes by more than 10%: 321"):
        empty.add_list(
            "national", [write_list(tmp_path / "b.txt", large + small[:5000])], as_of=ago(days=1)
        )


def test_a_list_older_than_the_one_in_place_is_refused(store: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "a.txt", [*PHONES, 4075550150])
    refused(
        store, path, ago(days=11), "older", "2026-09-04 .* 1 of its area codes as of 2026-09-05"
    )
    assert verdict(store, 4075550150) == "LISTED"


def test_part_of_what_came_together_is_refused_and_the_rest_keeps_its_age(
    empty: DncStore, tmp_path: Path
) -> None:
    both = [*PHONES, 3215550100]
    empty.add_list("national", [write_list(tmp_path / "a.txt", both)], as_of=ago(days=30))
    part = write_list(tmp_path / "b.txt", PHONES)
    refused(empty, part, ago(days=1), "fewer-areas", r"lacks 1 .*\(321\)")
    assert verdict(empty, 3215550100) == "LISTED"
    assert verdict(empty, 3215550101) == "CLEAR"
    until = ask(empty, [3215550101, 4075550199]).valid_until
    assert until[0] < until[1]


def test_area_codes_in_files_of_their_own_are_not_missed(empty: DncStore, tmp_path: Path) -> None:
    for area in (407, 321, 407):
        phones = [area * 10**7 + 5550100 + i for i in range(30)]
        path = write_list(tmp_path / f"{area}.txt", phones)
        empty.add_list("national", [path], as_of=ago(days=3), allow=["same"])
    assert empty.stats()[1].area_codes == 2


def test_the_same_file_twice_changes_nothing(store: DncStore, tmp_path: Path) -> None:
    before = store.stats()
    copy = write_list(tmp_path / "another name.txt", PHONES)
    result = store.add_list("national", [copy], as_of=ago(days=1))
    assert (result.changed, result.version, result.as_of) == (False, 1, ago(days=10))
    assert store.stats() == before
    again = store.add_list("national", [copy], as_of=ago(days=1), allow=["same"])
    assert (again.changed, again.version, again.added, again.bytes) == (True, 2, 0, 0)


def test_the_same_file_read_another_way_is_another_input(empty: DncStore, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("phone,number\n4075550100,4075550101\n")
    for way in ({"column": "phone"}, {"column": "number"}, {"column": "number", "covers": [212]}):
        assert empty.add_list("partner", [path], as_of=NOW, **way).changed
        assert not empty.add_list("partner", [path], as_of=NOW, **way).changed
    assert numbers(empty, "partner") == {4075550101}
    assert empty.stats()[1].area_codes == 2


def test_a_list_that_goes_back_to_what_it_was_is_not_passed_over(
    store: DncStore, tmp_path: Path
) -> None:
    """It may have gone back, or an old file have come with a new date: somebody has to say."""
    other = write_list(tmp_path / "b.txt", [*PHONES[1:], 4075550150])
    elsewhere = write_list(tmp_path / "321.txt", [3215550100])
    store.add_list("national", [other], as_of=ago(days=5))
    store.add_list("national", [elsewhere], as_of=ago(days=4), allow=["fewer-areas"])
    old = tmp_path / "n.txt"
    assert not store.add_list("national", [old], as_of=ago(days=10)).changed
    assert not store.add_list("national", [other], as_of=ago(days=1)).changed
    for days in (5, 3):
        with pytest.raises(DncRefusedError, match=r"version 1 of .* and version 2 came") as told:
            store.add_list("national", [old], as_of=ago(days=days))
        assert told.value.flags == ("same",)
    store.add_list("national", [old], as_of=ago(days=3), allow=["same"])
    assert verdict(store, PHONES[0]) == "LISTED"
    assert not store.add_list("national", [old], as_of=ago(days=2)).changed


def test_what_is_delivered_again_with_its_date_is_passed_over(
    store: DncStore, tmp_path: Path
) -> None:
    old, day = tmp_path / "n.txt", ago(days=10)
    changes = write_changes(tmp_path / "c.txt", [(4075550150, day, "A")])
    store.apply_changes("national", [changes], as_of=day)
    for _ in range(2):
        assert not store.add_list("national", [old], as_of=day).changed
        assert not store.apply_changes("national", [changes], as_of=day).changed
    assert verdict(store, 4075550150) == "LISTED"
    assert store.stats()[1].version == 2


def test_changes_that_an_older_list_undid_are_not_passed_over(
    store: DncStore, tmp_path: Path
) -> None:
    changes = write_changes(tmp_path / "c.txt", [(4075550150, ago(days=5), "A")])
    store.apply_changes("national", [changes], allow=["gap"])
    older = write_list(tmp_path / "b.txt", PHONES[1:])
    store.add_list("national", [older], as_of=ago(days=6), allow=["older"])
    assert verdict(store, 4075550150) == "CLEAR"
    with pytest.raises(DncRefusedError, match="version 2 of list national, and version 3"):
        store.apply_changes("national", [changes])
    store.apply_changes("national", [changes], allow=["same"])
    assert verdict(store, 4075550150) == "LISTED"


def test_changes_that_a_full_list_of_their_day_undid_are_not_passed_over(
    store: DncStore, tmp_path: Path
) -> None:
    day = ago(days=5)
    changes = write_changes(tmp_path / "c.txt", [(4075550150, day, "A")])
    store.apply_changes("national", [changes], as_of=day, allow=["gap"])
    late = write_list(tmp_path / "b.txt", PHONES)
    store.add_list("national", [late], as_of=day, allow=["same"])
    assert verdict(store, 4075550150) == "CLEAR"
    with pytest.raises(DncRefusedError, match="version 2 of list national, and version 3"):
        store.apply_changes("national", [changes], as_of=day)
    store.apply_changes("national", [changes], as_of=day, allow=["same"])
    assert not store.apply_changes("national", [changes], as_of=day).changed
    assert verdict(store, 4075550150) == "LISTED"


def test_changes_of_its_day_hide_no_list_that_came_after_them(
    store: DncStore, tmp_path: Path
) -> None:
    old, day = tmp_path / "n.txt", ago(days=10)
    changes = write_changes(tmp_path / "c.txt", [(4075550150, day, "A")])
    store.apply_changes("national", [changes], as_of=day)
    other = write_list(tmp_path / "b.txt", [*PHONES[1:], 4075550150])
    store.add_list("national", [other], as_of=day)
    with pytest.raises(DncRefusedError, match="version 1 of list national, and version 3"):
        store.add_list("national", [old], as_of=day)


def test_a_list_that_goes_back_is_not_passed_over_when_its_past_was_compacted(
    empty: DncStore, tmp_path: Path, clock: Clock
) -> None:
    old, other = write_list(tmp_path / "a.txt", PHONES), write_list(tmp_path / "b.txt", PHONES[1:])
    third = write_list(tmp_path / "c.txt", PHONES[2:])
    for path in (old, other, third):
        empty.add_list("national", [path], as_of=clock.now, allow=["shrink"])
        clock.forward(days=60)
    empty.compact(retention_days=30)
    with pytest.raises(DncRefusedError, match="version 1 of list national"):
        empty.add_list("national", [old], as_of=clock.now)
    empty.add_list("national", [old], as_of=clock.now, allow=["same"])
    assert empty.history("national")[-1].allowed == ("same",)
    assert verdict(empty, PHONES[0]) == "LISTED"


def test_changes_to_a_list_that_speaks_everywhere_need_no_full_list_of_an_area_code(
    store: DncStore, tmp_path: Path
) -> None:
    store.add_list("partner", [write_list(tmp_path / "p.txt", PHONES[:3])], as_of=ago(days=4))
    changes = write_changes(tmp_path / "c.txt", [(9075550100, ago(days=1), "A")])
    store.apply_changes("partner", [changes])
    assert (verdict(store, 9075550100), verdict(store, 4075550199)) == ("LISTED", "CLEAR")


def test_a_date_in_the_future_is_refused_and_a_day_ahead_is_now(
    empty: DncStore, tmp_path: Path
) -> None:
    path = write_list(tmp_path / "a.txt", PHONES)
    with pytest.raises(DncUsageError, match="future"):
        empty.add_list("national", [path], as_of=ago(days=-2))
    assert empty.add_list("national", [path], as_of=ago(hours=-12)).as_of == NOW
    with pytest.raises(DncUsageError, match="time zone"):
        empty.add_list("national", [path], as_of=datetime(2026, 9, 1))  # noqa: DTZ001


def test_changes_that_begin_after_a_list_went_stale_are_refused(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    clock.forward(days=60)
    path = write_changes(tmp_path / "c.txt", [(PHONES[0], clock.now, "D")])
    with pytest.raises(DncRefusedError, match="over 31 days old") as refusal:
        store.apply_changes("national", [path], allow=["shrink"])
    assert refusal.value.flags == ("gap",)
    assert reason(store, 4075550199) == "stale"


DAY = ago(days=5, hours=12)
"""The first moment of a day, as which lists are dated."""


@pytest.mark.parametrize(
    ("dated", "first", "last", "missing"),
    [
        (None, 26, 50, False),  # hours after the list's date, which is the day's first moment
        (None, 47.9, 50, False),  # a day's one delivery, late
        (None, 24, 24, False),  # dates without a time of day
        (None, 48, 48, True),
        (None, 56, 56, True),  # one at eight o'clock each day
        (None, 500, 500, True),
        (24, 0, 23, False),  # a file of each day before
        (48, 24, 47, True),
        (48, 24, 49, False),
        (24, 30, 32, False),  # a file of its own day
    ],
)
def test_changes_after_some_that_never_came_are_refused(  # noqa: PLR0917 - a case each
    empty: DncStore,
    tmp_path: Path,
    clock: Clock,
    dated: float | None,
    first: float,
    last: float,
    *,
    missing: bool,
) -> None:
    """Else who is in those stays clear until the next full list."""
    empty.add_list("national", [write_list(tmp_path / "n.txt", PHONES)], as_of=DAY)
    clock.forward(days=30)
    at = {hours: DAY + timedelta(hours=hours) for hours in (first, last, dated or 0)}
    lines = [(4075550150, at[first], "A"), (4075550151, at[last], "A")]
    path = write_changes(tmp_path / "c.txt", lines)
    as_of = at[dated] if dated else None
    if missing:
        with pytest.raises(DncRefusedError, match="apply them first, or load the full") as told:
            empty.apply_changes("national", [path], as_of=as_of)
        assert told.value.flags == ("gap",)
        assert numbers(empty) == set(PHONES)
    allow = ["gap"] if missing else []
    assert empty.apply_changes("national", [path], as_of=as_of, allow=allow).changed
    assert empty.history("national")[-1].allowed == tuple(allow)


def test_an_area_code_that_does_not_change_each_day_has_come_as_far_as_the_others_of_its_list(
    empty: DncStore, tmp_path: Path
) -> None:
    def change(phone: int, days: int) -> bool:
        path = write_changes(tmp_path / "c.txt", [(phone, DAY + timedelta(days=days), "A")])
        return empty.apply_changes("national", [path]).changed

    for area in (407, 321):  # each in a file of its own, of the same day
        phones = [area * 10**7 + 5550100]
        empty.add_list("national", [write_list(tmp_path / "n.txt", phones)], as_of=DAY)
    apart = write_list(tmp_path / "n.txt", [2125550100])
    empty.add_list("national", [apart], as_of=DAY + timedelta(days=2))
    assert change(4075550101, 1)
    assert change(4075550102, 2)
    assert change(3215550101, 3)
    assert change(2125550101, 3)
    assert change(4075550103, 4)
    with pytest.raises(DncRefusedError, match="has come to 2026-09-13 00:00"):
        change(2125550102, 5)


def test_late_changes_never_undo_newer_ones(store: DncStore, tmp_path: Path) -> None:
    newer = write_changes(tmp_path / "b.txt", [(4075550150, ago(days=9), "A")])
    store.apply_changes("national", [newer])
    lines = [(4075550150, ago(days=9.5), "D"), (4075550151, ago(days=9.5), "A")]
    late = write_changes(tmp_path / "c.txt", lines)
    for allow in ((), ("older",)):
        with pytest.raises(DncRefusedError, match="changes could undo newer ones: load") as refusal:
            store.apply_changes("national", [late], allow=allow)
        assert refusal.value.flags == ()
    assert numbers(store) == {*PHONES, 4075550150}


def test_changes_to_an_area_code_without_a_full_list_never_make_it_clear(
    store: DncStore, tmp_path: Path
) -> None:
    path = write_changes(tmp_path / "c.txt", [(2125550100, ago(days=1), "A")])
    with pytest.raises(DncRefusedError, match=r"no full list of 1 area codes \(212\)"):
        store.apply_changes("national", [path])
    store.apply_changes("national", [path], allow=["uncovered"])
    assert verdict(store, 2125550100) == "LISTED"
    assert reason(store, 2125550101) == "stale"
    path = write_changes(tmp_path / "d.txt", [(2125550102, NOW, "A")])
    with pytest.raises(DncRefusedError, match=r"no full list of 1 area codes \(212\)") as refusal:
        store.apply_changes("national", [path])
    assert refusal.value.flags == ("uncovered",)
    store.apply_changes("national", [path], allow=["uncovered"])
    assert reason(store, 2125550101) == "stale"
    whole = write_list(tmp_path / "e.txt", [2125550100, 2125550102])
    store.add_list("national", [whole], as_of=NOW)
    assert verdict(store, 2125550101) == "CLEAR"


def test_changes_that_delete_too_much_are_refused(store: DncStore, tmp_path: Path) -> None:
    path = write_changes(tmp_path / "c.txt", [(p, ago(days=1), "D") for p in PHONES[:5]])
    with pytest.raises(DncRefusedError, match="20 to 15"):
        store.apply_changes("national", [path], allow=["gap"])
    assert numbers(store) == set(PHONES)


def test_changes_act_in_the_order_of_their_times(store: DncStore, tmp_path: Path) -> None:
    late, early = ago(days=1), ago(days=2)
    path = write_changes(
        tmp_path / "c.txt",
        [
            (PHONES[0], late, "A"),
            (PHONES[0], early, "D"),
            (PHONES[1], late, "D"),
            (PHONES[1], early, "A"),
            (PHONES[2], late, "A"),
            (PHONES[2], late, "D"),
        ],
    )
    result = store.apply_changes("national", [path], allow=["gap"])
    assert (result.as_of, result.added, result.removed) == (late, 0, 1)
    assert numbers(store) == set(PHONES) - {PHONES[1]}
    assert verdict(store, PHONES[1], ago(days=3)) == "LISTED"
    assert not store.apply_changes("national", [path]).changed


def test_changes_are_as_old_as_is_said_of_them(store: DncStore, tmp_path: Path) -> None:
    path = write_changes(tmp_path / "c.txt", [(4075550150, ago(days=2), "A")])
    assert store.apply_changes("national", [path], as_of=ago(days=6), allow=["gap"]).as_of == ago(
        days=6
    )
    assert ask(store, [4075550199]).valid_until[0] == np.datetime64("2026-10-10T12:00", "us")


def test_a_full_list_is_no_change_list(store: DncStore, tmp_path: Path) -> None:
    with pytest.raises(DncFormatError, match="dnc load"):
        store.apply_changes("national", [write_list(tmp_path / "a.txt", PHONES)])


def test_several_problems_are_told_at_once(store: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "a.txt", PHONES)
    path.write_text(path.read_text() + "x\n")
    with pytest.raises(DncRefusedError) as refusal:
        store.add_list("national", [path], as_of=ago(days=20))
    both = ("malformed", "older")
    assert refusal.value.flags == both
    store.add_list("national", [path], as_of=ago(days=20), allow=both)
    assert store.history("national")[-1].allowed == both


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "National"}, "lower-case"),
        ({"name": "x", "kind": "federal"}, "no kind"),
        ({"name": "national", "kind": "state"}, "is national, not state"),
        ({"name": "national", "required": False}, "cannot be optional"),
        ({"name": "internal", "required": False}, "cannot be optional"),
        ({"name": "x", "max_age_days": 0}, "at least one day"),
        ({"name": "x", "floor": 1, "max_age": 5}, "has no floor, max_age"),
        ({"name": "internal"}, "opt-outs are added"),
        ({"name": "x", "allow": ["everything"]}, "unknown allowance"),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    store: DncStore, tmp_path: Path, arguments: dict, text: str
) -> None:
    path = write_list(tmp_path / "a.txt", [*PHONES, 4075550177])
    with pytest.raises(DncUsageError, match=text):
        store.add_list(files=[path], as_of=ago(days=1), **arguments)


def test_canaries_follow_the_changes(store: DncStore, tmp_path: Path, clock: Clock) -> None:
    """Whatever is added and deleted, each area code keeps a listed and an absent number."""
    for turn in range(6):
        day = clock.forward(days=1) - timedelta(days=10)
        what = "DA"[turn % 2]
        path = write_changes(tmp_path / "c.txt", [(phone, day, what) for phone in PHONES])
        store.apply_changes("national", [path], as_of=day, allow=["shrink", "same"])
        assert numbers(store) == (set(PHONES) if what == "A" else set())
        DncStore.open(store.path, clock=clock).close()
        store.verify()


def test_input_that_is_no_file_is_named(store: DncStore, tmp_path: Path) -> None:
    for paths, text in (([tmp_path], "not a file"), ([], "no list file")):
        with pytest.raises(DncFormatError, match=text):
            store.add_list("national", paths, as_of=NOW)
    with pytest.raises(DncUsageError, match="use `dnc opt-out`"):
        store.apply_changes(
            "internal", [write_changes(tmp_path / "c.txt", [(PHONES[0], NOW, "D")])]
        )


def test_input_without_any_phone_is_refused(store: DncStore, tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.txt"
    nobody.write_text("area code,phone\n")
    with pytest.raises(DncFormatError, match="an empty list would clear everybody"):
        store.add_list("national", [nobody], as_of=NOW)
    nobody.write_text("\n")
    with pytest.raises(DncFormatError, match=r"nobody\.txt"):
        store.apply_changes("national", [nobody])
    assert numbers(store) == set(PHONES)


def test_no_list_replaces_or_changes_opt_outs(store: DncStore, tmp_path: Path) -> None:
    store.opt_out(PHONES[:1])
    with pytest.raises(DncUsageError, match="never replaces it"):
        store.add_list("internal", [write_list(tmp_path / "a.txt", PHONES[1:])], as_of=NOW)
    changes = write_changes(tmp_path / "c.txt", [(PHONES[0], ago(days=1), "D")])
    with pytest.raises(DncUsageError, match="internal"):
        store.apply_changes("internal", [changes])
    assert numbers(store, "internal") == {PHONES[0]}


def test_changes_that_change_nothing_still_move_the_date(store: DncStore, tmp_path: Path) -> None:
    path = write_changes(
        tmp_path / "c.txt", [(PHONES[0], ago(days=1), "A"), (4075550150, ago(days=1), "D")]
    )
    before = store.verify().segments
    result = store.apply_changes("national", [path], allow=["gap"])
    assert (result.added, result.removed, result.version) == (0, 0, 2)
    assert numbers(store) == set(PHONES)
    assert ask(store, [4075550150]).valid_until[0] == np.datetime64("2026-10-15T12:00", "us")
    assert store.verify().segments == before


@pytest.mark.parametrize("gone", [[], [PHONES[3]]])
def test_the_number_known_to_be_absent_follows_when_it_is_added(
    store: DncStore, tmp_path: Path, clock: Clock, gone: list[int]
) -> None:
    head = store_head(store)
    added = 4070000000 + int(head["absent"])
    lines = [(added, ago(days=9), "A"), *((phone, ago(days=9), "D") for phone in gone)]
    store.apply_changes("national", [write_changes(tmp_path / "c.txt", lines)])
    DncStore.open(store.path, clock=clock).close()
    absent = 4070000000 + int(store_head(store)["absent"])
    assert absent != added
    assert (verdict(store, added), verdict(store, absent)) == ("LISTED", "CLEAR")
    assert numbers(store) == {*PHONES, added} - set(gone)


def store_head(store: DncStore) -> np.void:
    """What the store says of area code 407 on the national list."""
    with closing(sqlite3.connect(store.path)) as connection:
        head: np.void = Catalog(connection).get("national").head[407]
        return head


def test_changes_that_another_process_applies_meanwhile_are_applied_once(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    path = write_changes(tmp_path / "c.txt", [(4075550150, ago(days=9), "A")])
    with DncStore.open(store.path, read_only=False, clock=clock) as other:
        done: list[int] = []

        def meanwhile(*_: int) -> None:
            if not done:
                done.append(other.apply_changes("national", [path]).version)

        result = store.apply_changes("national", [path], progress=meanwhile)
    assert (done, result.version, result.changed) == ([2], 2, False)
    assert len(store.history("national")) == 2
