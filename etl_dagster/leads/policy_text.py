"""The text of a policy file: what each key may say, and where what is wrong stands.

Belongs here: reading and checking the text. Does not: files, and what a policy is (`policy.py`).
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Final, TypedDict

from etl_dagster.leads.full_scrub import CLEARABLE, LINES, FullRules
from etl_dagster.leads.hours import FEDERAL, STATES, Hours, Window, format_window, parse_window
from etl_dagster.leads.policy_reader import Reader, shown
from etl_dagster.leads.toml_lines import find_fault

APIS: Final = ("ccc", "ccc_full")
"""The sources that are services asked about phones; `etl_dagster.ccc` describes each."""
ALWAYS: Final = ("ccc", "dnc")
"""The sources that every run asks; the others only where the policy requires them."""
SOURCES: Final = (*APIS, "dnc")
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


class Said(TypedDict):
    """What a policy file says, checked; the fields are `Policy`'s."""

    required_sources: tuple[str, ...]
    ccc_ttl_days: float
    ccc_full: FullRules
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


class _Reader(Reader):
    """Reads a policy."""

    def read(self, given: Mapping[str, object]) -> Said:
        self.known(given, (), {"required_sources", *SOURCES, "hours"})
        ccc = self.table(given, ("ccc",), {"ttl_days"})
        full = self.table(given, ("ccc_full",), {one.name for one in fields(FullRules)})
        dnc = self.table(given, ("dnc",), {"max_age_days", "lists", "snapshot_max_age_hours"})
        hours = self.table(given, ("hours",), {"default", "states"})
        sources = self.names(
            given.get("required_sources"), ("required_sources",), SOURCES, example='["ccc", "dnc"]'
        )
        return Said(
            required_sources=sources,
            ccc_ttl_days=self._days(ccc.get("ttl_days"), ("ccc", "ttl_days")),
            ccc_full=self._full(full, sources),
            dnc_max_age_days=int(
                self._days(
                    dnc.get("max_age_days"), ("dnc", "max_age_days"), "a whole number of days"
                )
            ),
            dnc_lists=self._lists(self.table(dnc, ("dnc", "lists")), sources),
            dnc_snapshot_max_age_hours=self.number(
                dnc.get("snapshot_max_age_hours", SNAPSHOT_MAX_AGE_HOURS),
                ("dnc", "snapshot_max_age_hours"),
                "a number of hours",
                most=MOST_SNAPSHOT_HOURS,
                example="24",
            ),
            hours=self._hours(hours),
        )

    def _full(self, table: Mapping[str, object], sources: tuple[str, ...]) -> FullRules:
        if table and "ccc_full" not in sources:
            self.wrong(
                ("ccc_full",),
                "rules for a source that nobody asks, because required_sources leaves it out;"
                " require ccc_full, or take the table out",
            )
        default = FullRules()
        days = table.get("ttl_days", default.ttl_days)
        codes = table.get("clear_codes", list(default.clear_codes))
        lines = table.get("block_line_types", [])
        return FullRules(
            ttl_days=self._days(days, ("ccc_full", "ttl_days")),
            clear_codes=self.names(codes, ("ccc_full", "clear_codes"), CLEARABLE, example='["C"]'),
            block_line_types=self.names(
                lines, ("ccc_full", "block_line_types"), tuple(LINES.values()), example="[]"
            ),
        )

    def _days(self, value: object, path: tuple[str, ...], kind: str = "a number of days") -> float:
        return self.number(value, path, kind, most=FEDERAL_MAX_AGE_DAYS, example="7")

    def _lists(self, table: Mapping[str, object], sources: tuple[str, ...]) -> tuple[str, ...]:
        for name, where in table.items():
            path = ("dnc", "lists", name)
            if not _LIST_NAME.fullmatch(name):
                self.wrong(path, "no name of a list: lower-case letters, digits, - and _")
            elif where != EVERYWHERE:
                self.wrong(
                    path,
                    f'expected "{EVERYWHERE}", found {shown(where)}. A list cannot be limited to'
                    " states: a verdict is of a phone, which people take with them when they move;"
                    f' write {name} = "{EVERYWHERE}"',
                )
        if table and "dnc" not in sources:
            self.wrong(
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
        for code, value in self.table(table, ("hours", "states")).items():
            path = ("hours", "states", code)
            if code not in STATES:
                self.wrong(path, "no state; expected its postal code, such as FL")
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
        if window and outer[0] <= window[0] and window[1] <= outer[1]:
            return window
        self.wrong(
            path,
            f'expected {example} = "{format_window(outer)}", found {shown(value)};'
            " hours can be made stricter, never looser",
        )
        return outer
