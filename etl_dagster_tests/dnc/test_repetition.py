"""An earlier look-up repeated, whatever was loaded since, or refused if the store cannot tell."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_dagster.dnc import DncHistoryError, DncStore, DncUsageError, Lookup
from etl_dagster_tests.dnc.support import NOW, PHONES, Clock, ago, ask, write_changes, write_list

LISTED, CLEAR, ELSEWHERE = PHONES[0], 4075550150, 2125550150
POOL = np.array([*PHONES[:6], *range(4075550150, 4075550156), ELSEWHERE, 555], np.int64)


def assert_same(again: Lookup, before: Lookup) -> None:
    assert again.verdicts.tolist() == before.verdicts.tolist()
    assert again.valid_until.tolist() == before.valid_until.tolist()
    assert again.list_versions == before.list_versions
    for at in range(len(before.verdicts)):
        assert again.names(at) == before.names(at)
        reasons = [one.reason_names[int(one.reasons[at])] for one in (again, before)]
        assert reasons[0] == reasons[1]


def test_what_was_stale_then_is_stale_again_and_what_was_not_is_not(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    fresh = ask(store, POOL)
    clock.forward(days=22)  # the list is 32 days old
    stale, then = ask(store, POOL), clock.now
    new = write_list(tmp_path / "b.txt", [CLEAR, *PHONES[1:]])
    store.add_list("national", [new], as_of=clock.now)
    clock.forward(days=300)
    assert_same(store.repeat(POOL, fresh.list_versions, NOW)[0], fresh)
    assert_same(store.repeat(POOL, stale.list_versions, then)[0], stale)
    assert "stale" in {stale.reason_names[code] for code in stale.reasons.tolist()}


def test_a_list_that_came_later_says_nothing_of_what_was_before(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    before = ask(store, POOL)
    clock.forward(days=1)
    more = write_list(tmp_path / "w.txt", [ELSEWHERE])
    store.add_list("wireless", [more], as_of=clock.now, kind="national")
    assert ask(store, [CLEAR]).verdicts.tolist() == [0]  # it is required, and covers nothing here
    again, newer = store.repeat(POOL, before.list_versions, NOW)
    assert_same(again, before)
    assert newer == []


def test_a_version_that_was_passed_over_is_told(store: DncStore, clock: Clock) -> None:
    before = ask(store, POOL)
    clock.forward(hours=2)
    store.opt_out([CLEAR])
    later = clock.forward(minutes=30)
    assert store.repeat(POOL, before.list_versions, later)[1] == []  # it may have been loading
    later = clock.forward(hours=1)
    assert store.repeat(POOL, before.list_versions, later)[1] == ["internal@1"]
    assert store.repeat(POOL, "national@1", later)[1] == ["internal@1"]


def test_what_the_store_cannot_tell_is_refused(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    before = ask(store, POOL)
    for versions, says in (("national@7", "never recorded"), ("ga@1", "no list named ga")):
        with pytest.raises(DncHistoryError, match=says):
            store.repeat(POOL, versions, NOW)
    with pytest.raises(DncHistoryError, match="rebuilt or restored since"):
        store.repeat(POOL, before.list_versions, ago(minutes=2))  # before the list was loaded
    for days in (20, 60):
        clock.forward(days=days)
        path = write_list(tmp_path / f"{days}.txt", [*PHONES, CLEAR + days])
        store.add_list("national", [path], as_of=clock.now)
    store.compact(retention_days=30)
    with pytest.raises(DncHistoryError, match="compacted away"):
        store.repeat(POOL, before.list_versions, NOW)


def test_a_store_that_is_not_the_one_that_was_asked_is_refused_until_somebody_vouches_for_it(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    def refused(asked: dict[str, datetime]) -> str:
        with DncStore.open(store.path, clock=clock) as reader:
            try:
                reader.refuse_lost(asked)
            except DncHistoryError as error:
                return str(error)
            reader.stats()  # it is open still
            return ""

    store.opt_out([CLEAR])
    first = {ask(store, POOL).list_versions: clock.now}
    assert refused({}) == refused(first) == refused({"internal@0": ago(days=900)}) == ""
    lost = {"internal@2;national@1;ga@1": clock.forward(minutes=9)}
    assert f"internal@2 of {clock.now:%Y-%m-%d %H:%M} UTC, ga@1 of" in refused(first | lost)
    clock.forward(minutes=5)
    store.opt_out([CLEAR + 1])  # another one of that number
    more = write_list(tmp_path / "w.txt", [ELSEWHERE])
    store.add_list("ga", [more], as_of=clock.now, kind="state")
    assert "did not have internal@2 of" in refused(lost)
    assert "ga@1" in refused(lost)
    assert refused({ask(store, POOL).list_versions: clock.now}) == ""
    before = ask(store, POOL)
    clock.forward(minutes=5)
    for told in ({"reason": " ", "by": "ann"}, {"reason": "all loaded again", "by": ""}):
        with pytest.raises(DncUsageError, match="needs a reason and who says so"):
            store.restored(**told)
    store.restored(reason="all loaded again", by="ann")
    assert refused(lost) == ""
    assert "internal@9 of" in refused({"internal@9": clock.forward(minutes=1)})
    after = ask(store, POOL)
    assert after.verdicts.tolist() == before.verdicts.tolist()
    store.compact(retention_days=1)
    store.verify()
    told = store.history("internal")[-1]
    assert (told.kind, told.added, told.files[0]["name"]) == (
        "restored",
        0,
        "ann: all loaded again",
    )


EVENTS = st.one_of(
    st.tuples(st.just("list"), st.sets(st.sampled_from(POOL[:12].tolist()), min_size=1)),
    st.tuples(st.just("change"), st.sampled_from(POOL[:12].tolist())),
    st.tuples(st.just("opt out"), st.sampled_from(POOL[:12].tolist())),
    st.tuples(st.just("opt in"), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)


@settings(max_examples=25, deadline=None)
@given(events=st.lists(EVENTS, min_size=1, max_size=10))
def test_every_look_up_is_repeated_whatever_comes_after(events: list[tuple[str, object]]) -> None:
    clock, made = Clock(), []
    with TemporaryDirectory() as name, DncStore.create(Path(name) / "s", clock=clock) as store:
        opted_out: set[int] = set()
        for number, (kind, value) in enumerate(events):
            clock.forward(hours=2)
            path, allow = (
                Path(name) / f"{number}.txt",
                ("shrink", "gap", "uncovered", "older", "same"),
            )
            if kind == "list" and isinstance(value, set):
                listed = write_list(path, sorted(value))
                store.add_list("national", [listed], as_of=clock.now, covers=[407], allow=allow)
            elif kind == "change" and "national" in {one.list for one in store.stats()}:
                changes = write_changes(path, [(int(str(value)), clock.now, "A")])
                store.apply_changes("national", [changes], allow=allow)
            elif kind == "opt out":
                store.opt_out([int(str(value))], received=clock.now)
                opted_out.add(int(str(value)))
            elif kind == "opt in" and opted_out:
                store.remove_opt_out([opted_out.pop()], reason="asked", by="tests")
            elif kind == "wait":
                clock.forward(days=int(str(value)))
            clock.forward(minutes=1)
            made.append((clock.now, store.lookup(POOL, moment=clock.now)))
        for moment, before in made:
            again, newer = store.repeat(POOL, before.list_versions, moment)
            assert_same(again, before)
            assert newer == []
