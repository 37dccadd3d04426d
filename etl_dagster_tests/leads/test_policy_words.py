from dataclasses import replace

import pytest
from hypothesis import given

from etl_dagster.leads.full_scrub import FullRules
from etl_dagster.leads.policy import Policy
from etl_dagster.leads.policy_words import compare, describe
from etl_dagster_tests.leads.policies import POLICIES, text_of

BASE = """\
required_sources = ["ccc", "dnc"]
[ccc]
ttl_days = 7
[dnc]
max_age_days = 31
[dnc.lists]
state_fl = "everywhere"
[hours]
default = "09:00-20:30"
[hours.states]
FL = "09:00-20:00"
"""


@pytest.mark.parametrize(
    ("old", "new", "looser", "says"),
    [
        ('"ccc", ', "", True, "ccc need not clear a phone any more"),
        ("= 7", "= 8.5", True, "an answer of CCC is valid for 8.5 days, before 7"),
        ("= 7", "= 6", False, "an answer of CCC is valid for 6 days, before 7"),
        (
            "= 31",
            "= 31\nsnapshot_max_age_hours = 30.5",
            True,
            "a snapshot of the Do-Not-Call store is evidence for 30.5 hours, before 24",
        ),
        ("= 31", "= 30", False, "a Do-Not-Call list may be as old as 30 days, before 31"),
        (
            'state_fl = "everywhere"\n',
            "",
            True,
            "state_fl need not be loaded and fresh before a phone is clear any more",
        ),
        ("20:00", "19:45", False, "calls in FL may be made until 19:45, before until 20:00"),
        ("FL =", "GA =", True, "calls in FL may be made until 20:30, before until 20:00"),
        ("FL =", "GA =", False, "calls in GA may be made until 20:00, before until 20:30"),
        (
            "09:00-20:30",
            "08:30-20:30",
            True,
            "calls where a state has no window of its own may begin at 08:30, before at 09:00",
        ),
    ],
)
def test_a_change_is_told_in_words(old: str, new: str, looser: bool, says: str) -> None:  # noqa: FBT001
    assert old in BASE
    changes = compare(Policy.from_text(BASE), Policy.from_text(BASE.replace(old, new)))
    assert says in [change.says for change in changes if change.looser == looser]


@given(POLICIES, POLICIES)
def test_policies_differ_in_words_if_and_only_if_they_do_by_hash(old: Policy, new: Policy) -> None:
    assert (compare(old, new) == []) == (old.hash == new.hash)


@given(POLICIES, POLICIES)
def test_what_is_looser_one_way_is_stricter_the_other(old: Policy, new: Policy) -> None:
    there = [change.looser for change in compare(old, new)]
    back = [change.looser for change in compare(new, old)]
    assert there.count(True) == back.count(False)
    assert there.count(False) == back.count(True)
    assert there == sorted(there, reverse=True)


@given(POLICIES)
def test_a_policy_is_what_its_text_says(policy: Policy) -> None:
    if "dnc" not in policy.required_sources:
        policy = replace(policy, dnc_lists=())
    if "ccc_full" not in policy.required_sources:
        policy = replace(policy, ccc_full=FullRules())
    assert Policy.from_text(text_of(policy)) == policy
    assert Policy.from_text(text_of(policy)).hash == policy.hash


@given(POLICIES)
def test_limits_of_settings_never_make_a_policy_looser(policy: Policy) -> None:
    limited = policy.with_limits(ccc_ttl_days=3, dnc_max_age_days=10)
    assert not any(change.looser for change in compare(policy, limited))


def test_every_key_is_described() -> None:
    text = BASE.replace('"ccc", ', '"ccc", "ccc_full", ')
    said = {key.name: key.value for key in describe(Policy.from_text(text))}
    assert said == {
        "required_sources": "ccc, ccc_full, dnc",
        "ccc.ttl_days": "7",
        "ccc_full.ttl_days": "1",
        "ccc_full.clear_codes": "C",
        "ccc_full.block_line_types": "none",
        "dnc.max_age_days": "31",
        "dnc.lists": "state_fl",
        "dnc.snapshot_max_age_hours": "24",
        "hours.default": "09:00-20:30",
        "hours.states.FL": "09:00-20:00",
    }
