"""What the CCC sandbox knows: which phones are litigators', and how the vendor writes that down.

Belongs here: the truth (also the oracle of tests), reading a phone list, rendering an answer.
Does not: HTTP, faults. Both directions work on whole arrays, so that an answer for 1,000 phones
costs tens of microseconds and the sandbox never is what a benchmark measures.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.leads.phones import valid_phones

KNOWN_LITIGATORS: Final = frozenset({2675466417, 5039367187})
KNOWN_CLEAN: Final = frozenset({7075276405, 5039367189})
"""The vendor's published test numbers. Source: docs.dncscrub.com, litigator API reference."""

LITIGATORS_ONE_IN: Final = 50

_KNOWN = [(n, True) for n in KNOWN_LITIGATORS] + [(n, False) for n in KNOWN_CLEAN]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbours get unrelated answers
_DIGITS = 10
_POWERS = 10.0 ** np.arange(_DIGITS - 1, -1, -1)
_ENTRY = np.frombuffer(b'{"Phone":0000000000,"IsLitigator":false},', dtype=np.uint8)
_PHONE_AT = slice(9, 9 + _DIGITS)
_FLAG_AT = slice(34, 39)
_TRUE = np.frombuffer(b"true ", dtype=np.uint8)  # padded: JSON ignores the blank


def litigators(phones: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which phones belong to litigators: the test numbers, else 1 in 50 by a hash."""
    mixed = (phones.astype(np.uint64) * _MIX) >> np.uint64(40)
    listed: NDArray[np.bool_] = mixed % np.uint64(LITIGATORS_ONE_IN) == 0
    for number, known in _KNOWN:
        listed[phones == number] = known
    return listed


class ScrubRequest(msgspec.Struct):
    """The documented body; what is optional there is read and ignored."""

    PhoneList: str
    CampaignId: int | None = None
    ProjId: str | None = None
    OutputFormat: str | None = None


class PhoneList(NamedTuple):
    """A phone list as it was read.

    Attributes:
        numbers: The phones.
        text: Their ASCII digits, one row per phone.
    """

    numbers: NDArray[np.int64]
    text: NDArray[np.uint8]


def read_phones(text: str) -> PhoneList | None:
    """Read a comma-separated list of 10-digit phones; None if any of them is not valid."""
    raw = np.frombuffer(text.encode() + b",", dtype=np.uint8)
    if raw.size % (_DIGITS + 1):
        return None
    rows = raw.reshape(-1, _DIGITS + 1)
    digits = rows[:, :_DIGITS] - np.uint8(ord("0"))
    if digits.max() > 9 or (rows[:, _DIGITS] != ord(",")).any():  # noqa: PLR2004
        return None
    # Exact: below 2^53.
    numbers = (digits.astype(np.float64) @ _POWERS).astype(np.int64)
    return PhoneList(numbers, rows[:, :_DIGITS]) if valid_phones(numbers).all() else None


def render(phones: PhoneList) -> bytes:
    """Write the vendor's JSON array, one object per phone, in the order asked."""
    table = np.empty((phones.numbers.size, _ENTRY.size), dtype=np.uint8)
    table[:] = _ENTRY
    table[:, _PHONE_AT] = phones.text
    table[litigators(phones.numbers), _FLAG_AT] = _TRUE
    return b"[" + table.tobytes()[:-1] + b"]"
