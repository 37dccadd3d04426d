"""Markdown that holds whatever names it is given: a table stays a table, text stays text.

Belongs here: escaping, tables, how numbers are written. Does not: any section of the page.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

NONE: Final = "—"
"""In place of a number that there is none of."""

# Entities, which neither a table nor a link takes for its own characters; an underscore inside a
# word means nothing in Markdown and stays legible.
_ESCAPES: Final = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*[]<>|&!#~"}
_OUTER_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def text(raw: str) -> str:
    """A name as Markdown that shows exactly it, on one line."""
    flat = "".join(mark if mark.isprintable() else " " for mark in raw)
    return _OUTER_UNDERSCORE.sub("&#95;", flat.translate(_ESCAPES))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "") -> str:
    """A table.

    Args:
        heads: one a column.
        rows: cells as Markdown: names have gone through `text`.
        align: `l` or `r` a column; by default the first is left, the others are numbers.
    """
    align = align or "l".ljust(len(heads), "r")
    rule = ["---:" if side == "r" else "---" for side in align]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, rule, *rows])


def count(number: int) -> str:
    """A number of leads or phones."""
    return f"{number:,}"


def share(part: int, whole: int) -> float | None:
    """A part of a whole, in percent; None where there is no whole."""
    return 100 * part / whole if whole else None


def percent(value: float | None) -> str:
    """A share in percent."""
    return NONE if value is None else f"{value:.1f}%"


def signed(difference: float, digits: int = 0) -> str:
    """A difference with its sign; none for what rounds to nothing."""
    rounded = round(difference, digits)
    return f"{rounded:+,.{digits}f}" if rounded else f"{0:.{digits}f}"
