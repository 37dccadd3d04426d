"""What the lists say of many phones at once.

Belongs here: the answer's shape and the rule that turns lists into verdicts. Does not: how a
state is found (catalog.py), how numbers are stored (segments.py).

The rule, per phone: LISTED if any list has it, however old that list is. Otherwise UNKNOWN if it
is not a valid phone, if the store is a replica whose snapshot is too old or the phone was opted out
since, if there is no national list or one that must be there is missing or empty, or if a required
list is too old or does not cover its area code. Otherwise CLEAR. Freshness and coverage are per
list and area code, because lists come in files per area code, fetched on different days.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.moments import DAY
from etl_dagster.dnc.pages import AREA_NUMBERS
from etl_dagster.dnc.records import AREAS, ListInfo, State, tip
from etl_dagster.dnc.segments import BATCH_PHONES, Segments
from etl_dagster.leads.phones import valid_phones
from etl_dagster.leads.verdicts import Verdict

REASONS: Final = ("", "invalid", "no_list", "not_covered", "stale", "snapshot_stale", "opted_out")
"""Why a phone is UNKNOWN; the first is for those that are not."""
_INVALID, _NO_LIST, _NOT_COVERED, _STALE, _SNAPSHOT_STALE, _OPTED_OUT = range(1, 7)
NEVER: Final = np.iinfo(np.int64).max
"""End of validity where nothing limits it."""
_NAT: Final = np.iinfo(np.int64).min
"""How numpy stores "not a time"."""


@dataclass(frozen=True)
class Lookup:
    """What the lists say of each phone, in the order asked.

    Attributes:
        verdicts: int8 codes of `Verdict`.
        lists: uint64, bit i set if `list_names[i]` has the phone.
        list_names: the store's lists in bit order.
        reasons: int8 index into `reason_names`; 0 unless UNKNOWN.
        reason_names: what the codes mean.
        valid_until: datetime64[us] in UTC: when the first list that the verdict rests on grows
            too old. NaT where UNKNOWN, and where LISTED without a fresh required list.
        list_versions: every list and the version used, such as `internal@3;national@12`: with
            the moment of the look-up, enough to repeat it (`DncStore.repeat`).
    """

    verdicts: NDArray[np.int8]
    lists: NDArray[np.uint64]
    list_names: tuple[str, ...]
    reasons: NDArray[np.int8]
    reason_names: tuple[str, ...]
    valid_until: NDArray[np.datetime64]
    list_versions: str

    def names(self, index: int) -> tuple[str, ...]:
        """Name the lists that have the phone at this index."""
        mask = int(self.lists[index])
        return tuple(name for bit, name in enumerate(self.list_names) if mask >> bit & 1)


@dataclass(frozen=True)
class Moment:
    """One list as the look-up sees it.

    Attributes:
        info: its row.
        version: the newest version that counts.
        state: its area codes at that version.
        phones: all its numbers, ascending, where they do not follow from the state: those of an
            internal list as of the past.
    """

    info: ListInfo
    version: int
    state: State
    phones: NDArray[np.int64] | None = None


def look_up(  # noqa: PLR0913 - the policy's limits and what it is asked about
    phones: NDArray[np.int64],
    *,
    lists: Mapping[str, Moment],
    segments: Segments,
    now: int,
    max_age_days: int | None = None,
    must_have: Collection[str] = (),
    snapshot_stale: bool = False,
    heard: NDArray[np.int64] | None = None,
) -> Lookup:
    """Apply the rule to every phone.

    Args:
        phones: int64, any order, duplicates allowed.
        lists: every list of the store in bit order.
        segments: where their numbers are.
        now: the moment that freshness is judged at, microseconds.
        max_age_days: lists older than this are stale even if their own limit is higher.
        must_have: names of lists without which nobody is CLEAR; also where they are marked as not
            required, they must be fresh.
        snapshot_stale: whether the lists are of a replica that is no evidence of this moment.
        heard: phones, ascending, that asked to be left alone and are not on the lists yet.
    """
    area, local, valid = _split(phones)
    mask = _hits(phones, area, local, lists, segments)
    area_reason, area_until = _areas(lists, now, max_age_days, must_have)
    if snapshot_stale:
        area_reason[:], area_until[:] = _SNAPSHOT_STALE, _NAT
    asked_out = None if heard is None or not len(heard) else np.isin(phones, heard)
    verdicts = np.empty(len(phones), dtype=np.int8)
    reasons = np.empty(len(phones), dtype=np.int8)
    until = np.empty(len(phones), dtype=np.int64)
    for here in _blocks(len(phones)):
        listed = mask[here] != 0
        reason = np.where(valid[here], area_reason[area[here]], np.int8(_INVALID))
        if asked_out is not None:
            reason[asked_out[here]] = _OPTED_OUT
        reason[listed] = 0
        reasons[here] = reason
        verdicts[here] = np.where(reason == 0, np.int8(Verdict.CLEAR), np.int8(Verdict.UNKNOWN))
        verdicts[here][listed] = Verdict.LISTED
        until[here] = np.where(reason == 0, area_until[area[here]], _NAT)
    return Lookup(
        verdicts=verdicts,
        lists=mask,
        list_names=tuple(lists),
        reasons=reasons,
        reason_names=REASONS,
        valid_until=until.view("datetime64[us]"),
        list_versions=";".join(f"{name}@{lists[name].version}" for name in sorted(lists)),
    )


def _blocks(count: int) -> Iterator[slice]:
    """Split many phones so that numpy's temporary arrays stay in the processor's cache."""
    for start in range(0, count, BATCH_PHONES):
        yield slice(start, start + BATCH_PHONES)


def _split(
    phones: NDArray[np.int64],
) -> tuple[NDArray[np.int16], NDArray[np.uint32], NDArray[np.bool_]]:
    """Split phones into area code and 7 digits, and tell which are valid.

    What is not ten digits gets area code 0, which no list has.
    """
    area = np.empty(len(phones), dtype=np.int16)
    local = np.empty(len(phones), dtype=np.uint32)
    valid = np.empty(len(phones), dtype=np.bool_)
    for here in _blocks(len(phones)):
        block = phones[here]
        code = block // AREA_NUMBERS
        code[(code < 0) | (code >= AREAS)] = 0
        area[here] = code
        local[here] = np.where(code > 0, block - code * AREA_NUMBERS, 0)
        valid[here] = valid_phones(block)
    return area, local, valid


def _hits(
    phones: NDArray[np.int64],
    area: NDArray[np.int16],
    local: NDArray[np.uint32],
    lists: Mapping[str, Moment],
    segments: Segments,
) -> NDArray[np.uint64]:
    """Set bit i for each phone that the i-th list has."""
    mask = np.zeros(len(phones), dtype=np.uint64)
    order = np.argsort(area, kind="stable")
    local = local[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(area, minlength=AREAS))])
    for bit, moment in enumerate(lists.values()):
        if moment.phones is not None:
            mask |= np.isin(phones, moment.phones).astype(np.uint64) << np.uint64(bit)
            continue
        hit = np.zeros(len(phones), dtype=np.bool_)
        codes = np.flatnonzero((np.diff(starts) > 0) & (moment.state["tip"] > 0)).tolist()
        slices = [slice(starts[code], starts[code + 1]) for code in codes]
        parts = (
            (tip(moment.state[code]), code, local[here])
            for code, here in zip(codes, slices, strict=True)
        )
        for here, part in zip(slices, segments.contains_each(parts), strict=True):
            hit[here] = part
        mask[order[hit]] |= np.uint64(1 << bit)
    return mask


def _areas(
    lists: Mapping[str, Moment], now: int, max_age_days: int | None, must_have: Collection[str]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Work out per area code why a phone in it cannot be CLEAR, and until when it can."""
    reason = np.zeros(AREAS, dtype=np.int8)
    until = np.full(AREAS, NEVER, dtype=np.int64)
    for name, moment in lists.items():
        if not moment.info.required and name not in must_have:
            continue
        covered, end = fresh_until(moment, max_age_days)
        reason[covered & (end < now)] = _STALE
        until = np.where(covered, np.minimum(until, end), until)
    for moment in lists.values():
        if moment.info.required and moment.info.kind == "national":
            reason[moment.state["tip"] == 0] = _NOT_COVERED
    if missing(lists, must_have):
        reason[:] = _NO_LIST
    until[reason != 0] = _NAT
    until[until == NEVER] = _NAT
    return reason, until


def missing(lists: Mapping[str, Moment], must_have: Collection[str]) -> tuple[str, ...]:
    """Name the lists without which nobody is clear, and that are not there, or are empty.

    Opt-outs are there, also where there are none yet.
    """
    there = {name for name, m in lists.items() if m.info.kind == "internal" or m.state["tip"].any()}
    # of a list that speaks everywhere nothing is left to be stale before its first version
    wanted = {name for name, m in lists.items() if m.info.required and m.info.kind == "other"}
    lacking = wanted.union(must_have) - there
    if all(lists[name].info.kind != "national" for name in there):
        lacking.add("national")
    return tuple(sorted(lacking))


def fresh_until(
    moment: Moment, max_age_days: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tell per area code whether a list covers it and when what it has grows too old.

    Changes alone are no list. One of kind `other` covers all area codes, as of its oldest list.
    """
    covered, whole = moment.state["tip"] > 0, moment.state["full"] > 0
    as_of = np.where(whole, moment.state["as_of"], 0)
    if moment.info.kind == "other" and covered.any():
        as_of = np.where(whole, as_of, as_of[whole].min() if whole.any() else 0)
        covered = np.ones(AREAS, dtype=np.bool_)
    ages = [age for age in (moment.info.max_age_days, max_age_days) if age is not None]
    if not ages or moment.info.kind == "internal":
        return covered, np.full(AREAS, NEVER, dtype=np.int64)
    return covered, as_of + min(ages) * DAY
