"""The text of a policy file: what each key may say, and where what is wrong stands.

Belongs here: reading and checking the text. Does not: files, and what a policy is (`policy.py`).
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Final, TypedDict

from etl_dagster.leads.hours import (
    FEDERAL,
    STATES,
    Hours,
    Window,
    format_window,
    parse_window,
    within,
)
from etl_dagster.leads.toml_lines import find_fault, find_line

SOURCES: Final = ("ccc", "dnc")
"""Every source of evidence; a policy may require some or all of them."""
FEDERAL_MAX_AGE_DAYS: Final = 31
"""No list may be older than this at the time of a call (47 CFR 64.1200(c)(2)(i)(D))."""
SNAPSHOT_MAX_AGE_HOURS: Final = 24.0
"""How old a snapshot of the store may be, where the policy does not say: opt-outs must be heard."""
MOST_SNAPSHOT_HOURS: Final = 168
"""A week; opt-outs are due within ten business days (47 CFR 64.1200(d)(3))."""
EVERYWHERE: Final = "everywhere"
"""What a list of `[dnc.lists]` says of where it blocks."""

_LIST_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
"""As the Do-Not-Call store names its lists."""
_SHOWN: Final = 60
_MOST_PROBLEMS: Final = 50
"""Told of one text."""


class Said(TypedDict):
    """What a policy file says, checked; the fields are `Policy`'s."""

    required_sources: tuple[str, ...]
    ccc_ttl_days: float
    dnc_max_age_days: int
    dnc_lists: tuple[str, ...]
    dnc_snapshot_max_age_hours: float
    hours: Hours


class TextError(ValueError):
    """A text is no policy.

    Attributes:
        problems: line (None where something is missing) and sentence, in the order of the file.
    """

    def __init__(self, problems: Collection[tuple[int | None, str]]) -> None:
        super().__init__("; ".join(says for _, says in problems))
        self.problems = sorted(problems, key=lambda one: one[0] or 0)


def read_text(text: str) -> Said:
    """Read what a policy file says.

    Raises:
        TextError: it is not TOML, or says something that a policy cannot.
    """
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits are no TOMLDecodeError
        raise TextError([(find_fault(text, error), f"not TOML: {error}")]) from error
    reader = _Reader(text)
    said = reader.read(given)
    if reader.problems:
        raise TextError(reader.problems)
    return said


class _Reader:
    """Reads key after key; what is wrong is noted, and the reading goes on.

    What a wrong key is read as does not matter: with a problem noted there is no policy.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.problems: list[tuple[int | None, str]] = []

    def read(self, given: Mapping[str, object]) -> Said:
        self._known(given, (), {"required_sources", "ccc", "dnc", "hours"})
        ccc = self._table(given, ("ccc",), {"ttl_days"})
        dnc = self._table(given, ("dnc",), {"max_age_days", "lists", "snapshot_max_age_hours"})
        hours = self._table(given, ("hours",), {"default", "states"})
        sources = self._sources(given.get("required_sources"))
        return Said(
            required_sources=sources,
            ccc_ttl_days=self._days(ccc, ("ccc", "ttl_days")),
            dnc_max_age_days=int(self._days(dnc, ("dnc", "max_age_days"), whole=True)),
            dnc_lists=self._lists(self._table(dnc, ("dnc", "lists")), sources),
            dnc_snapshot_max_age_hours=self._snapshot_hours(dnc),
            hours=self._hours(hours),
        )

    def _wrong(self, path: tuple[str, ...], says: str) -> None:
        """Note a problem of a key, at its line or, where it is missing, its table's.

        Of very many the first are enough.
        """
        if len(self.problems) == _MOST_PROBLEMS:
            return
        line = next(
            (
                found
                for depth in range(len(path), 0, -1)
                if (found := find_line(self._text, path[:depth]))
            ),
            None,
        )
        self.problems.append((line, f"{_printable('.'.join(path))}: {says}"))

    def _known(
        self, table: Mapping[str, object], path: tuple[str, ...], known: Collection[str]
    ) -> None:
        for key in table:
            if key not in known:
                expected = ", ".join(".".join((*path, name)) for name in sorted(known))
                says = f"unknown key; there are {expected}. Correct it or take it out"
                self._wrong((*path, key), says)

    def _table(
        self,
        given: Mapping[str, object],
        path: tuple[str, ...],
        known: Collection[str] | None = None,
    ) -> Mapping[str, object]:
        """The table at a path; empty if there is none that can be read."""
        name = ".".join(path)
        value = given.get(path[-1])
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(path, f"expected a table [{name}], found {_shown(value)}")
            return {}
        if known is not None:
            self._known(value, path, known)
        return value

    def _sources(self, value: object) -> tuple[str, ...]:
        if (
            isinstance(value, list)
            and value
            and all(isinstance(name, str) and name in SOURCES for name in value)
        ):
            return tuple(sorted(set(value)))
        self._wrong(
            ("required_sources",),
            f"expected a list of at least one of {', '.join(SOURCES)}, found {_shown(value)};"
            ' write required_sources = ["ccc", "dnc"]',
        )
        return SOURCES

    def _days(
        self, table: Mapping[str, object], path: tuple[str, ...], *, whole: bool = False
    ) -> float:
        value = table.get(path[-1])
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 < value <= FEDERAL_MAX_AGE_DAYS
            and not (whole and value != int(value))
        ):
            return float(value)
        kind = "a whole number of days" if whole else "a number of days"
        self._wrong(
            path,
            f"expected {kind} above 0 and at most {FEDERAL_MAX_AGE_DAYS}, found"
            f" {_shown(value)}; write for example {path[-1]} = 7 under [{path[0]}]",
        )
        return 1

    def _snapshot_hours(self, table: Mapping[str, object]) -> float:
        value = table.get("snapshot_max_age_hours", SNAPSHOT_MAX_AGE_HOURS)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 < value <= MOST_SNAPSHOT_HOURS
        ):
            return float(value)
        self._wrong(
            ("dnc", "snapshot_max_age_hours"),
            f"expected a number of hours above 0 and at most {MOST_SNAPSHOT_HOURS}, found"
            f" {_shown(value)}; write for example snapshot_max_age_hours = 24 under [dnc]",
        )
        return SNAPSHOT_MAX_AGE_HOURS

    def _lists(self, table: Mapping[str, object], sources: tuple[str, ...]) -> tuple[str, ...]:
        for name, where in table.items():
            path = ("dnc", "lists", name)
            if not _LIST_NAME.fullmatch(name):
                self._wrong(path, "no name of a list: lower-case letters, digits, - and _")
            elif where != EVERYWHERE:
                self._wrong(
                    path,
                    f'expected "{EVERYWHERE}", found {_shown(where)}. A list cannot be limited to'
                    " states: a verdict is of a phone, which people take with them when they move;"
                    f' write {name} = "{EVERYWHERE}"',
                )
        if table and "dnc" not in sources:
            self._wrong(
                ("dnc", "lists"),
                "names lists that no phone waits for, because required_sources leaves out dnc;"
                " require dnc, or take the lists out",
            )
        return tuple(sorted(table))

    def _hours(self, table: Mapping[str, object]) -> Hours:
        default = self._window(
            table.get("default"), ("hours", "default"), FEDERAL, "the federal hours"
        )
        states = {}
        for code, value in self._table(table, ("hours", "states")).items():
            path = ("hours", "states", code)
            if code not in STATES:
                self._wrong(path, "no state; expected its postal code, such as FL")
                continue
            states[code] = self._window(value, path, default, "hours.default")
        return Hours(default=default, states=dict(sorted(states.items())))

    def _window(
        self, value: object, path: tuple[str, ...], outer: Window, outer_name: str
    ) -> Window:
        """A window that lies within another, which it is where it is not said."""
        if value is None:
            return outer
        window = parse_window(value) if isinstance(value, str) else None
        example = f"a window within {outer_name} such as {path[-1]}"
        if window is not None and within(window, outer):
            return window
        self._wrong(
            path,
            f'expected {example} = "{format_window(outer)}", found {_shown(value)};'
            " hours can be made stricter, never looser",
        )
        return outer


def _shown(value: object) -> str:
    """A value as a message quotes it."""
    if value is None:
        return "nothing"
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')
    except (ValueError, RecursionError):  # of numbers with 5,000 digits, of very deep lists
        return "something too long to show"
    text = _printable(text.lower() if isinstance(value, bool) else text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _printable(text: str) -> str:
    """A text on one line, with whatever a terminal would not show, or would obey, written out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
