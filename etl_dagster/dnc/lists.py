"""What a list is: its kind, its limits, and the defaults for a new one.

Belongs here: names, kinds and their rules. Does not: rows (catalog.py), numbers.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypedDict

from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.records import INTERNAL, KINDS, ListInfo, empty_state

if TYPE_CHECKING:
    from etl_dagster.dnc.writer import Write

MAX_AGE_DAYS: Final = 31
"""How old a list may be at the time of the call (16 CFR 310.4(b)(3)(iv))."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_STATES = frozenset(
    re.findall(
        "[a-z-]+",
        """
        al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh
        nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc alabama alaska arizona
        arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois
        indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota
        mississippi missouri montana nebraska nevada new-hampshire new-jersey new-mexico new-
        york north-carolina north-dakota ohio oklahoma oregon pennsylvania rhode-island south-
        carolina south-dakota tennessee texas utah vermont virginia washington west-virginia
        wisconsin wyoming
        """,
    )
)


class About(TypedDict, total=False):
    """What a caller may say of a list; see `ListSpec`."""

    kind: str | None
    max_age_days: int | None
    source: str | None
    states: str | None
    required: bool | None


@dataclass(frozen=True, kw_only=True)
class ListSpec:
    """What to make of a list; None keeps what it is, or takes the default of its kind.

    Attributes:
        name: lower-case letters, digits, `-` and `_`.
        kind: `national`, `state`, `internal` or `other`. By default from the name: `national`,
            `internal`, a state's name or postal code, else `other`.
        max_age_days: when it grows too old: 31 days by default, no limit for `internal`.
        source: where it comes from, for the record.
        states: which states it speaks for, for the record.
        required: False lets phones be CLEAR although an `other` or `state` list is too old.
    """

    name: str
    kind: str | None = None
    max_age_days: int | None = None
    source: str | None = None
    states: str | None = None
    required: bool | None = None


def find_or_add(work: "Write", spec: ListSpec) -> ListInfo:
    """Return the list, added if it is new, with what the caller wants changed."""
    info = work.catalog.lists.get(spec.name)
    if info is None:
        return _add(work.catalog, spec, work.now)
    if spec.kind not in {None, info.kind}:
        raise DncUsageError(f"list {info.name} is {info.kind}, not {spec.kind}: use another name")
    wanted = _with(info, spec)
    return info if wanted.columns == info.columns else work.catalog.replace_list(wanted)


def add_internal(catalog: Catalog, now: int) -> None:
    """Give a new store its list of opt-outs."""
    _add(catalog, ListSpec(name=INTERNAL), now)


def _add(catalog: Catalog, spec: ListSpec, now: int) -> ListInfo:
    if not _NAME.fullmatch(spec.name):
        raise DncUsageError(
            f"{spec.name!r} cannot name a list: use lower-case letters, digits, - and _"
        )
    kind = spec.kind or _kind(spec.name)
    if kind not in KINDS:
        raise DncUsageError(f"no kind of list {kind!r}: expected {', '.join(KINDS)}")
    info = ListInfo(
        id=0,
        name=spec.name,
        kind=kind,
        required=True,
        max_age_days=None if kind == "internal" else MAX_AGE_DAYS,
        source="",
        states="",
        created_at=now,
        version=0,
        chain=b"",
        floor=0,
        horizon=0,
        head=empty_state(),
    )
    return catalog.add_list(_with(info, spec))


def _with(info: ListInfo, spec: ListSpec) -> ListInfo:
    if spec.required is False and info.kind in {"national", "internal"}:
        raise DncUsageError(f"a list of kind {info.kind} cannot be optional")
    if spec.max_age_days is not None and spec.max_age_days < 1:
        raise DncUsageError("a list's maximum age is at least one day")
    if spec.max_age_days is not None and info.kind == "internal":
        raise DncUsageError("opt-outs never grow too old: an internal list has no maximum age")
    given = {
        name: value
        for name in ("max_age_days", "source", "states", "required")
        if (value := getattr(spec, name)) is not None
    }
    return replace(info, **given)


def _kind(name: str) -> str:
    if name in {"national", "internal"}:
        return name
    return "state" if name.replace("_", "-").removeprefix("state-") in _STATES else "other"
