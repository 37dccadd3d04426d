"""Any sequence of loads, changes, opt-outs and compactions, against plain Python sets."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_dagster.dnc import DncStore
from etl_dagster.leads.verdicts import Verdict
from etl_dagster_tests.dnc.support import NOW, Clock, write_changes, write_list

AREAS = (407, 321)
POOL = [area * 10**7 + last for area in AREAS for last in (5550100, 5550101, 5550199, 2000000)]
EVERYTHING = ["fewer-areas", "gap", "malformed", "older", "same", "shrink", "uncovered"]

phones = st.sets(st.sampled_from(POOL), min_size=1)
step = st.one_of(
    st.tuples(st.just("full"), phones),
    st.tuples(
        st.just("changes"),
        st.lists(st.tuples(st.sampled_from(POOL), st.integers(0, 5), st.booleans()), min_size=1),
    ),
    st.tuples(st.just("opt-out"), phones, st.integers(0, 48)),
    st.tuples(st.just("remove"), phones),
    st.tuples(st.just("compact"), st.integers(1, 4)),
)


class Model:
    """The same history as sets: what was in force from when on."""

    def __init__(self) -> None:
        self.national: list[tuple[datetime, dict[int, set[int]]]] = []
        self.requests: list[tuple[datetime, str, int]] = []

    def full(self, date: datetime, listed: set[int]) -> None:
        areas = {phone // 10**7 for phone in listed}
        new = {area: {p for p in listed if p // 10**7 == area} for area in areas}
        self.national.append((date, new))

    def changes(self, date: datetime, lines: list[tuple[int, int, bool]]) -> None:
        state = self.state(None)
        touched = {}
        # Listed wins where a phone is added and deleted at the same moment.
        for phone, _, add in sorted(lines, key=lambda line: (line[1], line[2])):
            area = touched.setdefault(phone // 10**7, set(state.get(phone // 10**7, set())))
            (area.add if add else area.discard)(phone)
        self.national.append((date, touched))

    def state(self, as_of: datetime | None) -> dict[int, set[int]]:
        out: dict[int, set[int]] = {}
        for date, areas in self.national:
            if as_of is None or date <= as_of:
                out.update(areas)
        return out

    def opted_out(self, as_of: datetime | None) -> set[int]:
        out: set[int] = set()
        for date, action, phone in self.requests:
            if as_of is None or date <= as_of:
                (out.add if action == "opt-out" else out.discard)(phone)
        return out

    def verdict(self, phone: int, as_of: datetime | None) -> Verdict:
        state = self.state(as_of)
        if phone in self.opted_out(as_of) or phone in state.get(phone // 10**7, ()):
            return Verdict.LISTED
        return Verdict.CLEAR if phone // 10**7 in state else Verdict.UNKNOWN


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=1, max_size=8), st.lists(st.integers(0, 200), max_size=3))
def test_any_history_answers_as_sets_do(steps: list[tuple[str, ...]], moments: list[int]) -> None:
    clock, model = Clock(NOW), Model()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DncStore.create(folder / "dnc.sqlite", clock=clock) as store:
            earliest = NOW
            for kind, *arguments in steps:
                clock.forward(hours=20)
                if kind == "compact":
                    store.compact(retention_days=arguments[0])
                    earliest = max(earliest, clock.now - timedelta(days=arguments[0]))
                else:
                    apply(kind, arguments, store, model, folder, clock.now)
                check(store, model, None)
            for hours in moments:
                if (as_of := NOW + timedelta(hours=hours)) >= earliest:
                    check(store, model, as_of)
            store.verify()


def apply(  # noqa: PLR0917 - a step and all that it acts on
    kind: str, arguments: list, store: DncStore, model: Model, folder: Path, now: datetime
) -> None:
    if kind == "full":
        store.add_list(
            "national", [write_list(folder / "f.txt", arguments[0])], as_of=now, allow=EVERYTHING
        )
        model.full(now, arguments[0])
    elif kind == "changes":
        covered = model.state(None).keys()
        lines = [line for line in arguments[0] if line[0] // 10**7 in covered]
        if lines:
            path = write_changes(
                folder / "c.txt",
                (
                    (phone, now - timedelta(minutes=9 - minute), "A" if add else "D")
                    for phone, minute, add in lines
                ),
            )
            store.apply_changes("national", [path], as_of=now, allow=EVERYTHING)
            model.changes(now, lines)
    elif kind == "opt-out":
        received = now - timedelta(hours=arguments[1])
        store.opt_out(sorted(arguments[0]), received=received)
        model.requests += [(received, "opt-out", phone) for phone in arguments[0]]
    elif there := arguments[0] & model.opted_out(None):
        store.remove_opt_out(sorted(there), reason="asked to be called", by="tests")
        model.requests += [(now, "removal", phone) for phone in there]


def check(store: DncStore, model: Model, as_of: datetime | None) -> None:
    answer = store.lookup(np.array(POOL, dtype=np.int64), as_of)
    if any(date <= (as_of or date) for date, _ in model.national):
        expected = [model.verdict(phone, as_of) for phone in POOL]
    else:
        opted_out = model.opted_out(as_of)
        expected = [Verdict.LISTED if p in opted_out else Verdict.UNKNOWN for p in POOL]
    assert answer.verdicts.tolist() == expected
    again = store.lookup(np.array(POOL, dtype=np.int64), as_of, versions=answer.list_versions)
    assert again.verdicts.tolist() == expected


def test_long_chains_of_changes_keep_every_moment(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    clock = Clock(NOW)
    listed = set((4070000000 + rng.integers(2_000_000, 9_999_999, 30_000)).tolist())
    history = [(NOW, frozenset(listed))]
    with DncStore.create(tmp_path / "dnc.sqlite", clock=clock) as store:
        store.add_list("national", [write_list(tmp_path / "f.txt", listed)], as_of=NOW)
        for _ in range(75):
            now = clock.forward(hours=1)
            gone = set(rng.choice(sorted(listed), 3).tolist())
            new = set((4070000000 + rng.integers(2_000_000, 9_999_999, 3)).tolist())
            lines = [(p, now, "D") for p in gone - new] + [(p, now, "A") for p in new]
            store.apply_changes("national", [write_changes(tmp_path / "c.txt", lines)])
            listed = (listed - gone) | new
            history.append((now, frozenset(listed)))
        everybody = np.array(sorted(frozenset().union(*(s for _, s in history))), dtype=np.int64)
        for moment, expected in [*history[::6], history[-1]]:
            answer = store.lookup(everybody, moment)
            assert set(everybody[answer.verdicts == Verdict.LISTED].tolist()) == expected
        store.verify()
        assert store.stats()[1].bytes < 4 * 30_000 * 2
