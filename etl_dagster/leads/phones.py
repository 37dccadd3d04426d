"""One rule for what a valid US phone is, in Python; `warehouse/sql` states the same in SQL.

Belongs here: reading a phone from text, and judging 10-digit numbers. Does not: any opinion on
whether it may be called. A property test holds the two statements of the rule equal.
"""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

PATTERN: Final = (
    "[^0-9A-Za-z]*(1[^0-9A-Za-z]*)?"
    "[2-9][0-9]{2}[^0-9A-Za-z]*[2-9][0-9]{2}[^0-9A-Za-z]*[0-9]{4}"
    "([.]0+)?[^0-9A-Za-z]*((x|X|ext|Ext|EXT)[^0-9A-Za-z]*[0-9]{1,6}[^0-9A-Za-z]*)?"
)
"""What a phone may look like: an optional country code 1, ten digits grouped as people do with
anything that is neither letter nor digit, then what a spreadsheet (`.0`) or a person (`ext. 12`)
adds. The subset of regular expressions is one that Python, RE2 and Snowflake read alike."""

SUFFIX: Final = "([.]0+[^0-9A-Za-z]*|[.]0+[^0-9A-Za-z]*(x|X|ext|Ext|EXT).*|(x|X|ext|Ext|EXT).*)$"
"""The part of a valid phone after its ten digits; only applied to what `PATTERN` accepts."""

LOWEST_CODE: Final = 200
"""Area codes and exchanges start with 2 to 9."""
SERVICE: Final = 11
"""The last two digits of a service code (211, 411, 911...), never an area code or exchange."""
LOWEST: Final = 2_002_000_000
HIGHEST: Final = 9_999_999_999

_BETWEEN = "[^0-9A-Za-z]{0,3}"
_MENTIONED = re.compile(
    rf"(?<![0-9])(\+?1{_BETWEEN})?\(?[2-9][0-9]{{2}}{_BETWEEN}[2-9][0-9]{{2}}"
    rf"{_BETWEEN}[0-9]{{4}}(?![0-9])"
)
_VALID = re.compile(PATTERN)
_SUFFIX = re.compile(SUFFIX, re.DOTALL)
_NOT_DIGIT = re.compile("[^0-9]")


def parse_phone(raw: str) -> int | None:
    """Read a US phone number as people and exports write it.

    Args:
        raw: text such as `(407) 555-0123`, `+1 407.555.0123 ext 4` or `4075550123.0`.

    Returns:
        The ten digits as a number, or None where the text is not exactly one valid number.
        Area code and exchange follow the North American Numbering Plan: neither starts with
        0 or 1, and neither is a service code (N11). Source: NANPA, "About the NANP".
    """
    if not _VALID.fullmatch(raw):
        return None
    number = int(_NOT_DIGIT.sub("", _SUFFIX.sub("", raw))[-10:])
    return number if bool(valid_phones(np.array([number], dtype=np.int64))[0]) else None


def valid_phones(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which numbers are valid 10-digit US phones.

    Args:
        numbers: any shape; each a candidate phone as an integer.

    Returns:
        The same shape: True where area code and exchange are those of a subscriber's number.
    """
    area, exchange = numbers // 10_000_000, numbers // 10_000 % 1_000
    subscriber = (numbers >= LOWEST) & (numbers <= HIGHEST) & (exchange >= LOWEST_CODE)
    valid: NDArray[np.bool_] = subscriber & (area % 100 != SERVICE) & (exchange % 100 != SERVICE)
    return valid


def mask_phones(text: str) -> str:
    """Text with stars for whatever in it looks like a phone, for where people may read it."""
    return _MENTIONED.sub("***", text)
