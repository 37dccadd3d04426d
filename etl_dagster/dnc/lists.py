"""What a list is: its kind, its limits, and the defaults for a new one.

Belongs here: names, kinds and their rules. Does not: rows (catalog.py), numbers.
"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypedDict

from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.records import KINDS, ListInfo

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
        mississippi missouri montana nebraska nevada new-hampshire new-jersey new-mexico
        new-york north-carolina north-dakota ohio oklahoma oregon pennsylvania rhode-island
        south-carolina south-dakota tennessee texas utah vermont virginia washington west-virginia
        wisconsin wyoming
        """,
    )
)


class About(TypedDict, total=False):
    """What a caller may say of a list; None keeps what it is, or takes the default of its kind.

    Attributes:
        kind: `national`, `state`, `internal` or `other`. By default from the name: `national`,
            `internal`, a state's name or postal code, else `other`.
        max_age_days: when it grows too old: 31 days by default, no limit for `internal`.
        source: where it comes from, for the record.
        states: which states it speaks for, for the record.
        required: False lets phones be CLEAR although an `other` or `state` list is too old.
    """

    kind: str | None
    max_age_days: int | None
    source: str | None
    states: str | None
    required: bool | None


def find_or_add(work: "Write", name: str, about: About) -> ListInfo:
    """Return the list, added if it is new, with what the caller wants changed."""
    info = work.catalog.lists.get(name)
    if info is None:
        return add(work.catalog, name, about, work.now)
    if about.get("kind") not in {None, info.kind}:
        raise DncUsageError(
            f"list {info.name} is {info.kind}, not {about['kind']}: use another name"
        )
    wanted = _with(info, about)
    return info if wanted.columns == info.columns else work.catalog.replace_list(wanted)


def add(catalog: Catalog, name: str, about: About, now: int) -> ListInfo:
    """Add a list.

    Args:
        catalog: of the store.
        name: lower-case letters, digits, `-` and `_`.
        about: what it is.
        now: microseconds.
    """
    if not _NAME.fullmatch(name):
        raise DncUsageError(f"{name!r} cannot name a list: use lower-case letters, digits, - and _")
    kind = about.get("kind") or _kind(name)
    if kind not in KINDS:
        raise DncUsageError(f"no kind of list {kind!r}: expected {', '.join(KINDS)}")
    info = ListInfo(
        id=0,
        name=name,
        kind=kind,
        required=True,
        max_age_days=None if kind == "internal" else MAX_AGE_DAYS,
        source="",
        states="",
        created_at=now,
    )
    return catalog.add_list(_with(info, about))


def _with(info: ListInfo, about: About) -> ListInfo:
    if about.get("required") is False and info.kind in {"national", "internal"}:
        raise DncUsageError(f"a list of kind {info.kind} cannot be optional")
    most = about.get("max_age_days")
    if most is not None and most < 1:
        raise DncUsageError("a list's maximum age is at least one day")
    if most is not None and info.kind == "internal":
        raise DncUsageError("opt-outs never grow too old: an internal list has no maximum age")
    if unknown := about.keys() - About.__annotations__.keys():
        raise DncUsageError(f"a list has no {', '.join(sorted(unknown))}")
    given: dict[str, Any] = {key: value for key, value in about.items() if value is not None}
    return replace(info, **{**given, "kind": info.kind})


def _kind(name: str) -> str:
    if name in {"national", "internal"}:
        return name
    return "state" if name.replace("_", "-").removeprefix("state-") in _STATES else "other"
