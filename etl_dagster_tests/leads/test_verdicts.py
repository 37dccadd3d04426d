import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_dagster.leads.verdicts import Decision, Evidence, Verdict, decide

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def moment(offset: timedelta | None) -> np.datetime64:
    if offset is None:
        return np.datetime64("NaT", "us")
    return np.datetime64((NOW + offset).replace(tzinfo=None), "us")


LATER, EARLIER, NONE = timedelta(hours=1), timedelta(hours=-1), None
STATES = list(product(Verdict, (LATER, EARLIER, timedelta(0), NONE)))
SOURCES = ("ccc", "dnc", "other")


def evidence(states: list[tuple[Verdict, timedelta | None]]) -> Evidence:
    return Evidence(
        verdicts=np.array([verdict for verdict, _ in states], np.int8),
        valid_until=np.array([moment(offset) for _, offset in states], "datetime64[us]"),
    )


Phone = dict[str, tuple[Verdict, timedelta | None]]
"""What each source says of one phone, and for how long from now."""
CODES = {"listed": 1, "unknown": 2, "expired": 3, "missing": 4}


def oracle(said: Phone, required: tuple[str, ...]) -> tuple[str, dict[str, str], timedelta | None]:
    """The policy in words, one phone at a time: decision, causes, end of validity."""
    listing = {name: "listed" for name, (verdict, _) in said.items() if verdict.name == "LISTED"}
    if listing:
        return "BLOCKED", listing, None
    doubts, ends = {}, []
    for name in required:
        verdict, until = said.get(name, (None, None))
        if verdict is None:
            doubts[name] = "missing"
        elif verdict.name == "UNKNOWN":
            doubts[name] = "unknown"
        elif until is None or until <= timedelta(0):
            doubts[name] = "expired"
        else:
            ends.append(until)
    return ("UNKNOWN", doubts, None) if doubts else ("CALLABLE", {}, min(ends))


def some_of(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [few for size in (1, 2, 3) for few in combinations(names, size)]


@pytest.mark.parametrize("required", some_of(SOURCES))
@pytest.mark.parametrize("present", some_of(SOURCES))
def test_every_combination_of_up_to_three_sources(
    present: tuple[str, ...], required: tuple[str, ...]
) -> None:
    phones: list[Phone] = [
        dict(zip(present, states, strict=True)) for states in product(STATES, repeat=len(present))
    ]
    decided = decide(
        {name: evidence([phone[name] for phone in phones]) for name in present},
        required=required,
        moment=NOW,
    )
    wanted = [oracle(phone, required) for phone in phones]
    assert [Decision(code).name for code in decided.decisions.tolist()] == [
        one[0] for one in wanted
    ]
    assert set(decided.causes) == {*present, *required}
    for name, codes in decided.causes.items():
        assert codes.tolist() == [CODES.get(causes.get(name, ""), 0) for _, causes, _ in wanted]
    ends = [None if end is None else (NOW + end).replace(tzinfo=None) for *_, end in wanted]
    assert decided.callable_until.tolist() == ends
    counted = Counter(f"{name}:{why}" for _, causes, _ in wanted for name, why in causes.items())
    assert decided.counts() == counted


def test_a_verdict_of_no_meaning_clears_nobody() -> None:
    strange = Evidence(
        verdicts=np.array([3, -1], np.int8),
        valid_until=np.full(2, moment(LATER), "datetime64[us]"),
    )
    decided = decide({"ccc": strange}, required=("ccc",), moment=NOW)
    assert decided.decisions.tolist() == [Decision.UNKNOWN] * 2
    assert decided.counts() == {"ccc:unknown": 2}


def test_callable_until_is_the_earliest_end_of_the_required_sources() -> None:
    decided = decide(
        {
            "ccc": evidence([(Verdict.CLEAR, timedelta(days=7))]),
            "dnc": evidence([(Verdict.CLEAR, timedelta(days=2))]),
        },
        required=("ccc", "dnc"),
        moment=NOW,
    )
    assert decided.callable_until.tolist() == [(NOW + timedelta(days=2)).replace(tzinfo=None)]


def test_arrays_that_nobody_filled_in_dial_nobody() -> None:
    blank = Evidence(
        verdicts=np.zeros(3, np.int8), valid_until=np.full(3, moment(LATER), "datetime64[us]")
    )
    decided = decide({"ccc": blank, "dnc": blank}, required=("ccc", "dnc"), moment=NOW)
    assert decided.decisions.tolist() == [Decision.UNKNOWN] * 3


def test_a_decision_without_required_sources_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a decision needs at least one required source$"):
        decide({"ccc": evidence(STATES)}, required=(), moment=NOW)


def test_sources_that_speak_of_different_phones_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        decide(
            {"ccc": evidence(STATES), "dnc": evidence(STATES[:-1])},
            required=("ccc", "dnc"),
            moment=NOW,
        )
    # one end for all would be taken for the end of each
    short = Evidence(
        verdicts=evidence(STATES).verdicts,
        valid_until=evidence([(Verdict.CLEAR, LATER)]).valid_until,
    )
    with pytest.raises(ValueError, match="one length"):
        decide({"ccc": short, "dnc": evidence(STATES)}, required=("ccc",), moment=NOW)


def test_a_decision_is_of_its_moment_wherever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    states = evidence([(Verdict.CLEAR, LATER), (Verdict.CLEAR, EARLIER)])
    try:
        for zone in ("America/New_York", "Asia/Tokyo"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            for moment in (NOW, NOW.astimezone(), NOW.astimezone(ZoneInfo("Asia/Kolkata"))):
                decided = decide({"ccc": states}, required=("ccc",), moment=moment)
                assert decided.decisions.tolist() == [Decision.CALLABLE, Decision.UNKNOWN]
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.lists(st.sampled_from(STATES), min_size=1), st.integers(0, 2))
def test_losing_evidence_never_makes_a_phone_callable(
    states: list[tuple[Verdict, timedelta | None]], loss: int
) -> None:
    lost = [
        (Verdict.UNKNOWN, until) if loss == 0 else (verdict, NONE if loss == 1 else EARLIER)
        for verdict, until in states
    ]
    clear = evidence([(Verdict.CLEAR, LATER)] * len(states))
    before = decide({"ccc": evidence(states), "dnc": clear}, required=("ccc", "dnc"), moment=NOW)
    after = decide({"ccc": evidence(lost), "dnc": clear}, required=("ccc", "dnc"), moment=NOW)
    assert not (after.decisions == Decision.CALLABLE).any()
    assert before.decisions.shape == after.decisions.shape
