"""Policies drawn at random, and as text."""

from datetime import time

from hypothesis import strategies as st

from etl_dagster.leads.full_scrub import FullRules
from etl_dagster.leads.hours import Hours, format_window
from etl_dagster.leads.policy import Policy

STATES = ("FL", "GA", "TX")
_WINDOWS = st.tuples(
    st.builds(time, st.integers(10, 13), st.sampled_from([0, 30])),
    st.builds(time, st.integers(14, 19), st.sampled_from([0, 30])),
)
_DEFAULTS = st.tuples(
    st.builds(time, st.integers(8, 9), st.sampled_from([0, 30])),
    st.builds(time, st.just(20), st.sampled_from([0, 30])),
)
POLICIES = st.builds(
    Policy,
    required_sources=st.sampled_from([("ccc", "dnc"), ("ccc", "ccc_full", "dnc"), ("dnc",)]),
    ccc_ttl_days=st.sampled_from([0.5, 1.0, 7.0, 31.0]),
    ccc_full=st.builds(
        FullRules,
        ttl_days=st.sampled_from([0.5, 1.0]),
        clear_codes=st.sampled_from([("C",), ("C", "W"), ("C", "E", "G")]),
        block_line_types=st.sampled_from([(), ("voip",), ("voip", "wireless")]),
    ),
    dnc_max_age_days=st.sampled_from([1, 7, 31]),
    dnc_lists=st.sampled_from([(), ("national",), ("national", "state_fl"), ("state_fl",)]),
    dnc_snapshot_max_age_hours=st.sampled_from([1.5, 24.0, 168.0]),
    hours=st.builds(
        Hours, default=_DEFAULTS, states=st.dictionaries(st.sampled_from(STATES), _WINDOWS)
    ),
)
"""Policies of which some differ in one key only."""


def text_of(policy: Policy) -> str:
    """A policy file that says this policy."""
    full = policy.ccc_full
    rules = [
        "[ccc_full]",
        f"ttl_days = {full.ttl_days}",
        f"clear_codes = {_listed(full.clear_codes)}",
        f"block_line_types = {_listed(full.block_line_types)}",
    ]
    return "\n".join(
        [
            f"required_sources = {_listed(policy.required_sources)}",
            "[ccc]",
            f"ttl_days = {policy.ccc_ttl_days}",
            *(rules if "ccc_full" in policy.required_sources else []),
            "[dnc]",
            f"max_age_days = {policy.dnc_max_age_days}",
            f"snapshot_max_age_hours = {policy.dnc_snapshot_max_age_hours}",
            "[dnc.lists]",
            *(f'{name} = "everywhere"' for name in policy.dnc_lists),
            "[hours]",
            f'default = "{format_window(policy.hours.default)}"',
            "[hours.states]",
            *(f'{code} = "{format_window(one)}"' for code, one in policy.hours.states.items()),
            "",
        ]
    )


def _listed(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
