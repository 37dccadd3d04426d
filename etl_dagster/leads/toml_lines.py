"""On which line of a TOML text something stands, which the standard library's parser does not tell.

Belongs here: that, of keys and of what is no TOML. Does not: what the keys mean.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Final

_AT_LINE: Final = re.compile(r"\(at line ([0-9]+), ")


def find_line(text: str, path: tuple[str, ...]) -> int | None:
    """Tell the line, counted from 1, on which a key or a table first appears.

    The parser itself is asked: a text that is cut off behind some line either is no TOML, because
    the cut is within a statement, or it has the key or has not. The key's statement is what lies
    between the last cut without it and the first with it.

    Args:
        text: valid TOML.
        path: the key, from the outermost table on, such as `("dnc", "max_age_days")`.

    Returns:
        None where the text has no such key.
    """
    lines = text.split("\n")
    without, beyond = 0, len(lines)
    if not _has(_parsed(lines, beyond), path):
        return None
    while True:
        middle = (without + beyond) // 2
        cuts = (*range(max(middle, without + 1), beyond), *range(middle - 1, without, -1))
        readable = ((cut, given) for cut in cuts if (given := _parsed(lines, cut)) is not None)
        cut, given = next(readable, (0, None))
        if not cut:
            return without + 1
        if _has(given, path):
            beyond = cut
        else:
            without = cut


def find_fault(text: str, error: Exception) -> int:
    """Tell the line on which a text is no TOML.

    Args:
        text: what `tomllib` refused.
        error: with what it did so.
    """
    lines = text.split("\n")
    if isinstance(error, tomllib.TOMLDecodeError):
        found = _AT_LINE.search(str(error))
        return int(found[1]) if found else len(lines)  # it says "at end of document"
    for number in range(1, len(lines)):
        try:
            tomllib.loads("\n".join(lines[:number]) + "\n")
        except tomllib.TOMLDecodeError:
            continue  # within a statement of several lines
        except (ValueError, RecursionError):
            return number
    return len(lines)


def _parsed(lines: Sequence[str], cut: int) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines[:cut]) + "\n")
    except (ValueError, RecursionError):
        return None


def _has(given: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(given, dict) or key not in given:
            return False
        given = given[key]
    return True
