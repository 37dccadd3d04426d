"""Phones as text to 10-digit numbers, quickly where the text is plain.

Belongs here: conversion of many strings. Does not: the rule of what a phone is, which is
`etl_dagster.leads.phones`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etl_dagster.leads.phones import parse_phone

NOT_A_PHONE: Final = -1
_DIGITS: Final = 10
_NINE: Final = 9
_BLOCK: Final = 16_384
"""Rows read at once: as many as keep numpy's temporary arrays in the processor's cache."""


def digits(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read rows of ten ASCII digits; a row with anything else becomes `NOT_A_PHONE`.

    Args:
        text: shape (n, 10 or more), best contiguous; columns from the eleventh on do not matter.
    """
    numbers: NDArray[np.int64] = np.empty(len(text), dtype=np.int64)
    for start in range(0, len(text), _BLOCK):
        here = slice(start, start + _BLOCK)
        value = text[here] - np.uint8(ord("0"))
        value[:, _DIGITS:] = 0
        numbers[here] = _eight(value) * 100 + value[:, 8] * np.int64(10) + value[:, 9]
        if value.max() > _NINE:
            numbers[here][(value > _NINE).any(axis=1)] = NOT_A_PHONE
    return numbers


def _eight(value: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the first eight digits of each row.

    A row is one 64-bit word with a digit in each byte. Each step multiplies so that neighbours
    add up in one place: digits to pairs, pairs to fours, fours to eights.
    """
    word = np.ascontiguousarray(value[:, :8]).view("<u8")[:, 0]
    word = ((word * np.uint64(10 * 2**8 + 1)) >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    word = ((word * np.uint64(100 * 2**16 + 1)) >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    word = (word * np.uint64(10_000 * 2**32 + 1)) >> np.uint64(32)
    return word.view(np.int64)


def _read_plain(lines: str, count: int) -> NDArray[np.int64]:
    """Read lines of ten digits; if there is any other line, leave them all to be read singly."""
    if len(lines) == (_DIGITS + 1) * count and lines.isascii():
        rows = np.frombuffer(lines.encode(), dtype=np.uint8).reshape(-1, _DIGITS + 1)
        # With a newline at the end of each row, and no more of them, each row is one line.
        if (rows[:, _DIGITS] == ord("\n")).all():
            return digits(rows)
    return np.full(count, NOT_A_PHONE, dtype=np.int64)


def read_phones(texts: Sequence[str]) -> NDArray[np.int64]:
    """Read phones as people write them; what is not one becomes `NOT_A_PHONE`."""
    numbers = _read_plain("\n".join(texts) + "\n", len(texts))
    for index in np.flatnonzero(numbers == NOT_A_PHONE).tolist():
        text = texts[index]
        plain = len(text) == _DIGITS and text.isascii() and text.isdigit()
        number = int(text) if plain else parse_phone(text)
        numbers[index] = NOT_A_PHONE if number is None else number
    return numbers
