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
_POWERS: Final = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)


def digits(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read rows of ten ASCII digits; a row with anything else becomes `NOT_A_PHONE`.

    Args:
        text: shape (n, 10).
    """
    value = text - np.uint8(ord("0"))
    numbers: NDArray[np.int64] = np.zeros(len(text), dtype=np.int64)
    for column, power in enumerate(_POWERS.tolist()):
        numbers += value[:, column].astype(np.int64) * power
    numbers[(value > 9).any(axis=1)] = NOT_A_PHONE  # noqa: PLR2004 - the highest digit
    return numbers


def read_phones(texts: Sequence[str]) -> NDArray[np.int64]:
    """Read phones as people write them; what is not one becomes `NOT_A_PHONE`."""
    joined = "".join(texts)
    if len(joined) == _DIGITS * len(texts) and joined.isascii() and set(map(len, texts)) <= {10}:
        numbers = digits(np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, _DIGITS))
        odd = np.flatnonzero(numbers == NOT_A_PHONE).tolist()
    else:
        numbers, odd = np.empty(len(texts), dtype=np.int64), range(len(texts))
    for index in odd:
        text = texts[index]
        plain = len(text) == _DIGITS and text.isascii() and text.isdigit()
        number = int(text) if plain else parse_phone(text)
        numbers[index] = NOT_A_PHONE if number is None else number
    return numbers
