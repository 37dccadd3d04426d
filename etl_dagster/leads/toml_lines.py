"""On which line of a TOML text a key stands, which the standard library's parser does not tell.

Belongs here: that. Does not: what the keys mean.
"""

import tomllib
from typing import Any


def find_line(text: str, path: tuple[str, ...]) -> int | None:
    """Tell the line, counted from 1, on which a key or a table first appears.

    The parser itself is asked: the key is in the first statement after which a text that is cut
    off behind it has the key. A statement begins behind the last line at which cutting left TOML.

    Args:
        text: valid TOML.
        path: the key, from the outermost table on, such as `("dnc", "max_age_days")`.

    Returns:
        None where the text has no such key.
    """
    lines = text.split("\n")
    start = 1
    for number in range(1, len(lines) + 1):
        try:
            given = tomllib.loads("\n".join(lines[:number]) + "\n")
        except tomllib.TOMLDecodeError:
            continue  # within a statement of several lines
        if _has(given, path):
            return start
        start = number + 1
    return None


def _has(given: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(given, dict) or key not in given:
            return False
        given = given[key]
    return True
