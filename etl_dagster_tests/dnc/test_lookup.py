"""The rule of a verdict, and the shape of an answer."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etl_dagster.dnc import DncHistoryError, DncStore, DncUsageError
from etl_dagster.dnc.lookup import Moment, fresh_until
from etl_dagster.dnc.moments import micros
from etl_dagster.dnc.records import ListInfo, empty_state
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.verdicts import Verdict
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

LISTED, CLEAR, ELSEWHERE = PHONES[0], 4075550199, 2125550100


def test_an_empty_store_clears_nobody(empty: DncStore) -> None:
    assert reason(empty, CLEAR) == "no_list"
    assert empty.check_phones_batch(["4075550199"]) == {"4075550199"}
    assert empty.check_phones_batch(iter(["4075550199"])) == {"4075550199"}
    empty.opt_out([LISTED])
    assert verdict(empty, LISTED) == "LISTED"
    assert verdict(empty, CLEAR) == "UNKNOWN"


def test_a_state_list_alone_clears_nobody(empty: DncStore, tmp_path: Path) -> None:
    for name in ("fl", "state-ga", "new_york", "south-carolina"):
        empty.add_list(name, [write_list(tmp_path / "fl.txt", PHONES)], as_of=NOW)
    assert [found.kind for found in empty.stats()[1:]] == ["state"] * 4
    assert (verdict(empty, LISTED), reason(empty, CLEAR)) == ("LISTED", "no_list")


def test_each_verdict_and_its_reason(store: DncStore, clock: Clock) -> None:
    nobody = [123, -1, 10**12, 4071110100, 10**10, 0, 10**7]
    answer = ask(store, [LISTED, CLEAR, ELSEWHERE, *nobody])
    assert answer.verdicts.tolist() == [2, 1, 0, *[0] * 7]
    reasons = [answer.reason_names[code] for code in answer.reasons.tolist()]
    assert reasons == ["", "", "not_covered", *["invalid"] * 7]
    until = np.datetime64("2026-10-06T12:00:00", "us")
    assert answer.valid_until[:2].tolist() == [until.item()] * 2
    assert np.isnat(answer.valid_until[2:]).all()
    assert answer.list_names == ("internal", "national")
    assert answer.list_versions == "internal@0;national@1"
    assert answer.names(0) == ("national",)
    assert answer.verdicts.dtype == np.int8
    assert answer.lists.dtype == np.uint64
    clock.forward(days=21)
    assert verdict(store, CLEAR) == "CLEAR"
    clock.forward(microseconds=1)
    assert (verdict(store, LISTED), reason(store, CLEAR)) == ("LISTED", "stale")


def test_a_stale_state_list_blocks_only_where_it_speaks(store: DncStore, tmp_path: Path) -> None:
    both = [*PHONES, 3215550100]
    store.add_list("national", [write_list(tmp_path / "n.txt", both)], as_of=ago(days=2))
    store.add_list("fl", [write_list(tmp_path / "fl.txt", [4075550150])], as_of=ago(days=40))
    assert (verdict(store, 4075550150), reason(store, CLEAR)) == ("LISTED", "stale")
    assert verdict(store, 3215550199) == "CLEAR"


def test_a_list_that_must_be_there_and_is_not_clears_nobody_and_others_still_block(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    with DncStore.open(store.path, must_have=["national", "fl"], clock=clock) as strict:
        assert (verdict(strict, LISTED), reason(strict, CLEAR)) == ("LISTED", "no_list")
        assert np.isnat(ask(strict, [CLEAR]).valid_until).all()
        store.add_list("fl", [write_list(tmp_path / "fl.txt", [4075550150])], as_of=NOW)
        assert verdict(strict, CLEAR) == "CLEAR"
        assert verdict(strict, 4075550150) == "LISTED"


def test_opt_outs_are_there_also_where_there_are_none_yet(store: DncStore, clock: Clock) -> None:
    with DncStore.open(store.path, must_have=["internal", "national"], clock=clock) as strict:
        assert verdict(strict, CLEAR) == "CLEAR"


def test_a_list_that_must_be_there_must_be_fresh_also_if_it_is_optional(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    path = write_list(tmp_path / "x.txt", [ELSEWHERE])
    store.add_list("partner", [path], as_of=ago(days=40), required=False)
    assert verdict(store, CLEAR) == "CLEAR"
    with DncStore.open(store.path, must_have=["partner"], clock=clock) as strict:
        assert reason(strict, CLEAR) == "stale"


def test_another_list_speaks_everywhere_unless_optional(store: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "x.txt", [ELSEWHERE])
    store.add_list("partner", [path], as_of=ago(days=40))
    assert (verdict(store, ELSEWHERE), reason(store, CLEAR)) == ("LISTED", "stale")
    store.add_list("partner", [path], as_of=ago(days=40), allow=["same"], required=False)
    assert (verdict(store, ELSEWHERE), verdict(store, CLEAR)) == ("LISTED", "CLEAR")


def test_before_its_first_version_another_list_is_not_there(
    store: DncStore, tmp_path: Path
) -> None:
    path = write_list(tmp_path / "x.txt", [ELSEWHERE])
    store.add_list("partner", [path], as_of=ago(days=2))
    assert verdict(store, CLEAR) == "CLEAR"
    asked = np.array([CLEAR], dtype=np.int64)
    assert store.lookup(asked, versions="internal@0;national@1").reasons.tolist() == [2]
    assert verdict(store, CLEAR, ago(days=3)) == "CLEAR"
    store.add_list("partner", [path], as_of=ago(days=2), allow=["same"], required=False)
    assert store.lookup(asked, versions="internal@0;national@1").reasons.tolist() == [0]


@pytest.mark.parametrize("kind", ["national", "state", "other"])
def test_what_is_known_by_changes_alone_is_never_fresh(kind: str) -> None:
    """Whatever date is on record of it, as stores of earlier versions may have one."""
    state, recorded = empty_state(), micros(NOW)
    state["tip"][[212, 407]], state["as_of"][[212, 407]], state["full"][407] = 1, recorded, 1
    info = ListInfo(
        id=1, name="a", kind=kind, required=True, max_age_days=31, source="", states="", chain=b"",
        created_at=0, version=2, floor=0, horizon=0, head=state,
    )  # fmt: skip
    covered, until = fresh_until(Moment(info, 2, state), None)
    assert covered[[212, 407]].all()
    alone = state.copy()
    alone["full"] = 0  # as before the first full list
    assert (fresh_until(Moment(info, 1, alone), None)[1] < recorded).all()
    assert until[407] > recorded
    if kind == "other":  # a full list of that kind speaks of every area code
        assert (until == until[407]).all()
    else:
        assert recorded > until[212]


def test_covered_area_codes_without_a_number_are_clear(empty: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "n.txt", PHONES)
    empty.add_list("national", [path], as_of=NOW, covers=[212])
    assert verdict(empty, ELSEWHERE) == "CLEAR"


def test_the_store_may_be_stricter_than_the_list(store: DncStore, clock: Clock) -> None:
    with DncStore.open(store.path, max_age_days=10, clock=clock) as strict:
        assert verdict(strict, CLEAR) == "CLEAR"
        clock.forward(seconds=1)
        assert reason(strict, CLEAR) == "stale"
    with DncStore.open(store.path, max_age_days=90, clock=clock) as lax:
        clock.forward(days=25)
        assert reason(lax, CLEAR) == "stale"


def test_a_policy_says_how_old_lists_may_be_and_which_must_be_there(
    store: DncStore, clock: Clock
) -> None:
    policy = replace(Policy.load(), dnc_lists=("national",), dnc_max_age_days=10)
    for limits, says in (
        ({}, ""),
        ({"dnc_max_age_days": 9}, "stale"),
        ({"dnc_lists": ("national", "fl")}, "no_list"),
    ):
        with DncStore.open_under(store.path, replace(policy, **limits), clock=clock) as scrubbed:
            assert reason(scrubbed, CLEAR) == says


def test_as_of_a_moment_judges_lists_and_ages_of_that_moment(
    store: DncStore, tmp_path: Path
) -> None:
    other = [*PHONES[1:], 4075550150]
    store.add_list("national", [write_list(tmp_path / "b.txt", other)], as_of=ago(days=3))
    assert verdict(store, LISTED) == "CLEAR"
    assert verdict(store, LISTED, ago(days=3, seconds=1)) == "LISTED"
    assert reason(store, LISTED, ago(days=11)) == "no_list"
    assert verdict(store, 4075550150, ago(days=4)) == "CLEAR"
    assert verdict(store, 4075550150, ago(days=3)) == "LISTED"
    assert reason(store, CLEAR, ago(days=-40)) == "stale"


def test_a_look_up_is_repeated_from_its_versions(store: DncStore, tmp_path: Path) -> None:
    before = ask(store, [LISTED, CLEAR])
    path = write_changes(tmp_path / "c.txt", [(LISTED, ago(days=1), "D"), (CLEAR, NOW, "A")])
    store.apply_changes("national", [path], allow=["gap"])
    store.opt_out([CLEAR], received=ago(days=9))
    assert ask(store, [LISTED, CLEAR]).verdicts.tolist() == [1, 2]
    asked = np.array([LISTED, CLEAR], dtype=np.int64)
    again = store.lookup(asked, NOW, versions="national@1;internal@0")
    assert again.verdicts.tolist() == [2, 1]
    again = store.lookup(asked, NOW, versions=before.list_versions)
    assert again.verdicts.tolist() == before.verdicts.tolist() == [2, 1]
    assert again.list_versions == before.list_versions
    unnamed = store.lookup(asked, NOW, versions="internal@0")  # as before its first load
    assert unnamed.verdicts.tolist() == [0, 0]
    with pytest.raises(DncHistoryError, match="never recorded"):
        store.lookup(asked, versions="national@7")
    with pytest.raises(DncHistoryError, match="no list named"):
        store.lookup(asked, versions="ga@1")
    for text in ("national", "national@0;internal@0;national@1"):
        with pytest.raises(DncUsageError, match="not of the form"):
            store.lookup(asked, versions=text)


def test_phones_as_people_write_them_come_back_as_given(store: DncStore) -> None:
    given = ["(407) 555-0100", "4075550101", "+1 407 555 0199", "4075550199", "nobody", ""]
    assert store.check_phones_batch(given) == {"(407) 555-0100", "4075550101", "nobody", ""}
    assert store.check_phones_batch([]) == set()


def test_an_array_of_something_else_is_refused(store: DncStore) -> None:
    with pytest.raises(DncUsageError, match="int64"):
        store.lookup(np.array([4075550100.0]))
    with pytest.raises(DncUsageError, match="one-dimensional"):
        store.lookup(np.array([[4075550100]]))
    assert len(store.lookup(np.array([], dtype=np.int64)).verdicts) == 0


def test_explain_names_list_version_file_and_dates(store: DncStore, tmp_path: Path) -> None:
    path = write_changes(tmp_path / "c.txt", [(4075550150, ago(days=1), "A")])
    store.apply_changes("national", [path], allow=["gap"])
    store.opt_out([4075550150], received=ago(days=5), source="letter", by="tests")
    told = store.explain(4075550150)
    internal, national = told.lists
    assert (told.verdict, told.list_versions) == ("listed", "internal@1;national@2")
    assert (national.version, national.since_version, national.full_version) == (2, 2, 1)
    assert [name for name, _ in national.files] == ["n.txt", "c.txt"]
    assert (national.as_of, national.recorded_at) == (ago(days=1), NOW)
    assert internal.requests[0]["source"] == "letter"
    earlier = store.explain(4075550150, ago(days=4))
    assert earlier.lists[1].listed is False
    assert earlier.lists[0].listed is True
    assert store.explain(ELSEWHERE).reason == "not_covered"


def test_threads_share_a_store_while_lists_change(store: DncStore, tmp_path: Path) -> None:
    path = store.path
    failures: list[object] = []
    done = threading.Event()
    even, odd = [*PHONES, 4075550150], [*PHONES, 4075550151]

    def read(reader: DncStore) -> None:
        while not done.is_set():
            answer = ask(reader, [4075550150, 4075550151, LISTED]).verdicts.tolist()
            if answer not in ([1, 1, 2], [2, 1, 2], [1, 2, 2]):
                failures.append(answer)

    with DncStore.open(path, clock=Clock()) as reader:
        threads = [threading.Thread(target=read, args=(reader,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(10):
            file = write_list(tmp_path / "t.txt", odd if turn % 2 else even)
            store.add_list("national", [file], as_of=NOW, allow=["same"])
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    with pytest.raises(DncUsageError, match="closed"):
        ask(reader, [LISTED])


def test_verdict_codes_are_the_projects(store: DncStore) -> None:
    assert ask(store, [LISTED]).verdicts[0] == Verdict.LISTED


def test_many_phones_are_answered_in_batches(empty: DncStore, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    areas = np.array([321, 407, 727], dtype=np.int64) * 10**7
    listed = np.unique(rng.choice(areas, 150_000) + rng.integers(2_000_000, 2_200_000, 150_000))
    empty.add_list("national", [write_list(tmp_path / "n.txt", listed.tolist())], as_of=NOW)
    gone = listed[::1000]
    changes = write_changes(tmp_path / "c.txt", [(p, NOW, "D") for p in gone.tolist()])
    empty.apply_changes("national", [changes], as_of=NOW)
    asked = rng.choice(areas, 200_000) + rng.integers(2_000_000, 2_200_000, 200_000)
    answer = empty.lookup(asked)
    expected = np.isin(asked, np.setdiff1d(listed, gone))
    assert np.array_equal(answer.verdicts == Verdict.LISTED, expected)


def test_a_store_holds_at_most_64_lists(store: DncStore, tmp_path: Path) -> None:
    path = write_list(tmp_path / "x.txt", PHONES[:1])
    for index in range(62):
        store.add_list(f"list-{index}", [path], as_of=NOW)
    with pytest.raises(DncUsageError, match="at most 64"):
        store.add_list("one-more", [path], as_of=NOW)
    mask = int(ask(store, PHONES[:1]).lists[0])
    assert mask == (1 << 64) - 1 - 1
    with pytest.raises(DncUsageError, match="no list named 'ga'"):
        list(store.export("ga"))


def test_stats_of_earlier_versions_are_those_of_then(
    store: DncStore, clock: Clock, tmp_path: Path
) -> None:
    later = clock.forward(days=1)
    changes = write_changes(tmp_path / "c.txt", [(CLEAR, later, "A")])
    store.apply_changes("national", [changes], as_of=later, allow=["gap"])
    before, now = (
        next(one for one in found if one.list == "national")
        for found in (store.stats(NOW, versions="internal@0;national@1"), store.stats())
    )
    assert (before.version, before.versions, before.numbers) == (1, 1, len(PHONES))
    assert (now.version, now.versions, now.numbers) == (2, 2, len(PHONES) + 1)
    assert (before.as_of, before.recorded_at) == (ago(days=10), NOW)
    assert before.stale_area_codes == 0
    stale = store.stats(NOW.replace(year=2027), versions="internal@0;national@1")
    assert stale[1].stale_area_codes == 1
    assert store.stats(versions="internal@0;national@2") == store.stats()
    with pytest.raises(DncHistoryError):
        store.stats(versions="national@3")


def test_since_when_a_phone_is_listed_begins_again_after_it_was_off(
    store: DncStore, tmp_path: Path
) -> None:
    for days, what, other in ((5, "D", "A"), (4, "A", "D"), (3, "A", "A")):
        when = ago(days=days)
        path = write_changes(tmp_path / f"{days}.txt", [(LISTED, when, what), (CLEAR, when, other)])
        store.apply_changes("national", [path], allow=["gap"])
    national = store.explain(LISTED).lists[1]
    assert (national.listed, national.since_version, national.since) == (True, 3, ago(days=4))
    assert national.version == 4
    then = store.explain(LISTED, ago(days=6)).lists[1]
    assert (then.listed, then.since_version) == (True, 1)
    assert store.explain(LISTED, versions="internal@0;national@2").lists[1].listed is False
    before = store.explain(LISTED, versions="internal@0;national@1").lists[1]
    assert (before.listed, before.since_version) == (True, 1)


def test_what_a_look_up_rested_on_is_explained_as_it_was(store: DncStore, clock: Clock) -> None:
    before, then = ask(store, [CLEAR]), clock.now
    clock.forward(hours=3)
    store.opt_out([CLEAR], received=ago(days=1))
    told = store.explain(CLEAR, then, versions=before.list_versions)
    assert (told.verdict, told.list_versions) == ("clear", before.list_versions)
    assert told.lists[0].requests == ()
    assert store.explain(CLEAR, then).verdict == "listed"
    with pytest.raises(DncHistoryError, match="rebuilt or restored"):
        store.explain(CLEAR, then, versions="internal@1;national@1")


def test_a_store_without_sample_lists_is_let_pass(store: DncStore) -> None:
    store.refuse_sample()
    assert verdict(store, LISTED) == "LISTED"


def test_a_store_is_the_samples_as_long_as_one_area_code_is(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    """Its numbers are invented, so that real ones would be clear."""

    def load(name: str, phones: list[int], **about: Any) -> bool:
        path = write_list(tmp_path / name, phones)
        allow = ["fewer-areas", "shrink"]
        store.add_list("national", [path], as_of=clock.now, allow=allow, **about)
        return next(one.is_sample for one in store.stats() if one.list == "national")

    assert load("s.txt", [3215550100, 9045550100], source="national.sample.zip")
    assert load("b.txt", [7275550100], source="the registry")
    with (
        DncStore.open(store.path, clock=clock) as asked,
        pytest.raises(DncUsageError, match="holds sample lists"),
    ):
        asked.refuse_sample()
    assert load("c.txt", [9045550101], source="the registry")
    changes = write_changes(tmp_path / "d.txt", [(3215550102, clock.now, "A")])
    store.apply_changes("national", [changes], as_of=clock.now)
    assert load("s.sample.txt", [9045550103], source="the registry")
    assert load("e.txt", [3215550101], source="the registry")
    assert not load("f.txt", [9045550102], source="the registry")
    store.refuse_sample()


def test_a_list_that_came_later_is_not_missed_before(
    store: DncStore, tmp_path: Path, clock: Clock
) -> None:
    then = clock.now
    before = ask(store, [CLEAR])
    clock.forward(days=8)
    partner = write_list(tmp_path / "p.txt", [LISTED])
    store.add_list("partner", [partner], as_of=clock.now)
    assert verdict(store, CLEAR) == verdict(store, CLEAR, then) == "CLEAR"
    assert ask(store, [CLEAR], then).list_versions == before.list_versions
    told = store.explain(CLEAR, then)
    assert (told.verdict, told.missing, len(told.lists)) == ("clear", (), 2)
    assert numbers(store, "partner", then) == set()
    told = store.explain(CLEAR, ago(days=11))
    assert (told.reason, told.missing) == ("no_list", ("national",))
    with DncStore.open(store.path, must_have=["partner"], clock=clock) as strict:
        assert verdict(strict, CLEAR) == "CLEAR"
        told = strict.explain(CLEAR, then)
        assert (told.reason, told.missing) == ("no_list", ("partner",))


def test_every_list_that_has_a_phone_is_named_whatever_other_lists_say(
    store: DncStore, tmp_path: Path
) -> None:
    """Also of the past, where the lists of opt-outs are asked by their dated requests."""
    store.add_list("fl", [write_list(tmp_path / "fl.txt", [*PHONES[:2], CLEAR])], as_of=ago(days=9))
    store.opt_out([LISTED, PHONES[2]], received=ago(days=9))
    store.opt_out([LISTED, PHONES[3], CLEAR + 1], received=ago(days=9), name="partners")
    asked = [CLEAR + 2, CLEAR, PHONES[3], LISTED, PHONES[2], CLEAR + 1, PHONES[1]]
    expected = [
        (),
        ("fl",),
        ("national", "partners"),
        ("internal", "national", "fl", "partners"),
        ("internal", "national"),
        ("partners",),
        ("national", "fl"),
    ]
    for moment in (None, ago(days=8)):
        answer = ask(store, asked, moment)
        assert [answer.names(at) for at in range(len(asked))] == expected
        assert answer.verdicts.tolist() == [Verdict.CLEAR, *[Verdict.LISTED] * 6]


def test_a_number_is_listed_in_its_own_area_code_alone(empty: DncStore, tmp_path: Path) -> None:
    areas = (212, 407, 408, 727)
    same = [area * 10**7 + 5550100 for area in areas]
    empty.add_list("national", [write_list(tmp_path / "n.txt", [same[1]])], as_of=NOW, covers=[727])
    for asked in (same, same[::-1], [*same, *same]):
        answer = ask(empty, asked)
        found = {
            phone // 10**7: code
            for phone, code in zip(asked, answer.verdicts.tolist(), strict=True)
        }
        assert found == {212: 0, 407: Verdict.LISTED, 408: 0, 727: Verdict.CLEAR}


def test_a_state_list_bounds_only_where_it_speaks(store: DncStore, tmp_path: Path) -> None:
    both = [*PHONES, 3215550100]
    store.add_list("national", [write_list(tmp_path / "n.txt", both)], as_of=ago(days=2))
    store.add_list("fl", [write_list(tmp_path / "fl.txt", [4075550150])], as_of=ago(days=30))
    until = ask(store, [CLEAR, 3215550199]).valid_until
    assert until.tolist() == [
        np.datetime64("2026-09-16T12:00", "us").item(),
        np.datetime64("2026-10-14T12:00", "us").item(),
    ]


def test_opt_outs_never_grow_too_old(store: DncStore, tmp_path: Path, clock: Clock) -> None:
    store.opt_out([LISTED, CLEAR])
    clock.forward(days=30)
    path = write_list(tmp_path / "n.txt", [*PHONES, 4075550150])
    store.add_list("national", [path], as_of=clock.now)
    with DncStore.open(store.path, max_age_days=25, must_have=["internal"], clock=clock) as strict:
        assert verdict(strict, CLEAR + 1) == "CLEAR"
        assert verdict(strict, CLEAR) == "LISTED"
        clock.forward(days=26)
        assert (verdict(strict, CLEAR), reason(strict, CLEAR + 1)) == ("LISTED", "stale")


def test_opt_outs_have_no_end_of_their_own(store: DncStore, clock: Clock) -> None:
    """No newer list of them comes: who has asked has asked, whatever the policy's limit."""
    store.opt_out([CLEAR])
    with DncStore.open(store.path, max_age_days=31, clock=clock) as limited:
        clock.forward(days=60)
        assert limited.explain(CLEAR).lists[0].fresh_until is None
        assert limited.stats()[0].fresh_until is None


def test_another_list_is_as_old_as_what_it_has_of_an_area_code(
    store: DncStore, tmp_path: Path
) -> None:
    """Where it has no number, as its oldest part: it came in files, and says nothing of more."""
    path = write_list(tmp_path / "n.txt", [*PHONES, 3215550100, ELSEWHERE])
    store.add_list("national", [path], as_of=NOW)
    for days, area in ((20, 321), (5, 407)):
        path = write_list(tmp_path / f"{area}.txt", [area * 10**7 + 5550150])
        store.add_list("partner", [path], as_of=ago(days=days))
    until = ask(store, [CLEAR, 3215550199, ELSEWHERE + 1]).valid_until.astype("M8[D]")
    assert until.astype(str).tolist() == ["2026-10-11", "2026-09-26", "2026-09-26"]
