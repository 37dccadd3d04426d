"""Policies in words: what one says, and what another makes stricter or looser.

Belongs here: the words. Does not: printing them (`cli/policy.py`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from etl_dagster.leads.full_scrub import CODES
from etl_dagster.leads.hours import Hours, Window, format_window
from etl_dagster.leads.policy import Policy

ELSEWHERE: Final = "where a state has no window of its own"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a policy.

    Attributes:
        name: as in the file.
        value: what the policy says.
        means: what that does.
    """

    name: str
    value: str
    means: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between two policies.

    Attributes:
        looser: whether more may be called than before.
        says: what changes.
    """

    looser: bool
    says: str


def describe(policy: Policy) -> list[Key]:
    """What each key of a policy says and means."""
    return [
        Key(
            name="required_sources",
            value=", ".join(policy.required_sources),
            means="each of these must say CLEAR of a phone, and none of that may have run out",
        ),
        Key(
            name="ccc.ttl_days",
            value=f"{policy.ccc_ttl_days:g}",
            means="so many days an answer of the litigator scrub stays valid",
        ),
        *(
            [
                Key(
                    name="ccc_full.ttl_days",
                    value=f"{policy.ccc_full.ttl_days:g}",
                    means="so many days an answer of the full scrub stays valid",
                ),
                Key(
                    name="ccc_full.clear_codes",
                    value=", ".join(policy.ccc_full.clear_codes),
                    means="what it answers of a phone that may be called; all else blocks",
                ),
                Key(
                    name="ccc_full.block_line_types",
                    value=", ".join(policy.ccc_full.block_line_types) or "none",
                    means="kinds of line that are not called",
                ),
            ]
            if "ccc_full" in policy.required_sources
            else []
        ),
        Key(
            name="dnc.max_age_days",
            value=f"{policy.dnc_max_age_days}",
            means="a Do-Not-Call list that is older clears nobody; it still blocks",
        ),
        Key(
            name="dnc.lists",
            value=", ".join(policy.dnc_lists) or "none",
            means=(
                "without each of these, loaded and fresh, no phone is clear; lists that are not"
                " named block as well"
            ),
        ),
        Key(
            name="dnc.snapshot_max_age_hours",
            value=f"{policy.dnc_snapshot_max_age_hours:g}",
            means=(
                "a store that was fetched from another host clears nobody so long after it was"
                " exported there; it still blocks"
            ),
        ),
        Key(
            name="hours.default",
            value=format_window(policy.hours.default),
            means="when a call may be made, by the clock of the person called",
        ),
        *(
            Key(
                name=f"hours.states.{code}",
                value=format_window(window),
                means="the window of this state",
            )
            for code, window in sorted(policy.hours.states.items())
        ),
    ]


def compare(old: Policy, new: Policy) -> list[Change]:
    """What a new policy changes; what it makes looser comes first."""
    changes = [
        *_names(old.required_sources, new.required_sources, "clear a phone"),
        *_span(old.ccc_ttl_days, new.ccc_ttl_days, "an answer of CCC is valid for"),
        *_full(old, new),
        *_span(old.dnc_max_age_days, new.dnc_max_age_days, "a Do-Not-Call list may be as old as"),
        *_span(
            old.dnc_snapshot_max_age_hours,
            new.dnc_snapshot_max_age_hours,
            "a snapshot of the Do-Not-Call store is evidence for",
            unit="hours",
        ),
        *_names(old.dnc_lists, new.dnc_lists, "be loaded and fresh before a phone is clear"),
        *_hours(old.hours, new.hours),
    ]
    return sorted(changes, key=lambda change: not change.looser)


def _names(old: Collection[str], new: Collection[str], what: str) -> Iterator[Change]:
    for name in sorted(set(old) - set(new)):
        yield Change(looser=True, says=f"{name} need not {what} any more")
    for name in sorted(set(new) - set(old)):
        yield Change(looser=False, says=f"{name} must {what}")


def _span(old: float, new: float, what: str, *, unit: str = "days") -> Iterator[Change]:
    if old != new:
        yield Change(looser=new > old, says=f"{what} {new:g} {unit}, before {old:g}")


def _full(old: Policy, new: Policy) -> Iterator[Change]:
    """What changes of a source that both require; where one does not, that is the change."""
    if "ccc_full" not in {*old.required_sources} & {*new.required_sources}:
        return
    before, after = old.ccc_full, new.ccc_full
    yield from _span(before.ttl_days, after.ttl_days, "an answer of the full scrub is valid for")
    for code in sorted({*before.clear_codes} ^ {*after.clear_codes}):
        looser = code in after.clear_codes
        says = f"full scrub: {CODES[code]} ({code}) {'clears a phone' if looser else 'blocks'} now"
        yield Change(looser=looser, says=says)
    for kind in sorted({*before.block_line_types} ^ {*after.block_line_types}):
        looser = kind in before.block_line_types
        says = f"full scrub: {kind} lines are {'called' if looser else 'not called'} now"
        yield Change(looser=looser, says=says)


def _hours(old: Hours, new: Hours) -> Iterator[Change]:
    yield from _window(old.default, new.default, ELSEWHERE)
    for code in sorted({*old.states, *new.states}):
        before = old.states.get(code, old.default)
        yield from _window(before, new.states.get(code, new.default), f"in {code}")


def _window(old: Window, new: Window, where: str) -> Iterator[Change]:
    if old[0] != new[0]:
        says = f"calls {where} may begin at {new[0]:%H:%M}, before at {old[0]:%H:%M}"
        yield Change(looser=new[0] < old[0], says=says)
    if old[1] != new[1]:
        says = f"calls {where} may be made until {new[1]:%H:%M}, before until {old[1]:%H:%M}"
        yield Change(looser=new[1] > old[1], says=says)
