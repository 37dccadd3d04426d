from datetime import UTC, datetime, timedelta
from itertools import product

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


def evidence(states: list[tuple[Verdict, timedelta | None]]) -> Evidence:
    return Evidence(
        verdicts=np.array([verdict for verdict, _ in states], np.int8),
        valid_until=np.array([moment(offset) for _, offset in states], "datetime64[us]"),
    )


def expected(
    states: dict[str, tuple[Verdict, timedelta | None]], required: tuple[str, ...]
) -> Decision:
    """The policy in words, one phone at a time."""
    if any(verdict is Verdict.LISTED for verdict, _ in states.values()):
        return Decision.BLOCKED
    for name in required:
        if name not in states:
            return Decision.UNKNOWN
        verdict, until = states[name]
        if verdict is not Verdict.CLEAR or until is None or until <= timedelta(0):
            return Decision.UNKNOWN
    return Decision.CALLABLE


@pytest.mark.parametrize("required", [("ccc",), ("dnc",), ("ccc", "dnc"), ("ccc", "dnc", "other")])
def test_every_combination_of_two_sources(required: tuple[str, ...]) -> None:
    combinations = list(product(STATES, STATES))
    decided = decide(
        {
            "ccc": evidence([ccc for ccc, _ in combinations]),
            "dnc": evidence([dnc for _, dnc in combinations]),
        },
        required=required,
        moment=NOW,
    )
    wanted = [expected({"ccc": ccc, "dnc": dnc}, required) for ccc, dnc in combinations]
    assert decided.decisions.tolist() == wanted
    until = decided.callable_until
    assert np.isnat(until[decided.decisions != Decision.CALLABLE]).all()
    assert (until[decided.decisions == Decision.CALLABLE] > moment(timedelta(0))).all()


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
    with pytest.raises(ValueError, match="at least one required source"):
        decide({"ccc": evidence(STATES)}, required=(), moment=NOW)


def test_sources_that_speak_of_different_phones_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        decide(
            {"ccc": evidence(STATES), "dnc": evidence(STATES[:-1])},
            required=("ccc", "dnc"),
            moment=NOW,
        )


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
