"""Calling windows: between which hours of the called person's day a call may be made.

Belongs here: what the policy says of them, and reading one from text. Does not: whose window counts
at which moment, which needs time zones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Final

Window = tuple[time, time]
"""From the first up to, and without, the second; local time of the called person."""

FEDERAL: Final[Window] = (time(8), time(21))
"""No call before 8 or after 21 o'clock at the called person's (47 CFR 64.1200(c)(1))."""

STATES: Final = frozenset(
    re.findall(
        "[A-Z]+",
        """
        AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC
        ND NE NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV WY
        """,
    )
)
"""States and territories by their postal codes."""

_WINDOW: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When a call may be made.

    Attributes:
        default: the window where a state has none of its own; within the federal one.
        states: postal code to the state's window; each within `default`.
    """

    default: Window = FEDERAL
    states: Mapping[str, Window] = field(default_factory=dict)

    @property
    def meaning(self) -> "Hours":
        """The same hours without states whose window is the default."""
        own = {code: window for code, window in self.states.items() if window != self.default}
        return replace(self, states=own)


def parse_window(text: str) -> Window | None:
    """Read a window such as `08:00-20:00`; None if the text is not one, or it never opens."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        return None
    hour, minute, end_hour, end_minute = map(int, found.groups())
    window = time(hour, minute), time(end_hour, end_minute)
    return window if window[0] < window[1] else None


def format_window(window: Window) -> str:
    """The text that `parse_window` reads as this window."""
    return f"{window[0]:%H:%M}-{window[1]:%H:%M}"
