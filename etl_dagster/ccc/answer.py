"""Whether an answer is intact: of the documented shape, about exactly what was asked.

Belongs here: strict decoding and reconciliation, by a source's description. Does not: how the
answer came. It is accepted in any order, with phones as numbers or text and with unknown fields
beside the documented ones; anything else is refused as a whole.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.ccc.source import LITIGATOR_SCRUB, Entry, Source

LEFT_OUT: Final = "leaves some of them out"
"""What is wrong with an answer that is intact but for phones that it says nothing of."""

_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_MANY: Final = b"0" * 640
"""As digits: so many some Python may not read as a number, by PYTHONINTMAXSTRDIGITS."""
_TEN_DIGITS: Final = re.compile("[0-9]{10}").fullmatch


@cache
def _decoder(entry: type[Entry]) -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder(list[entry])  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: an intact answer, or what stands for it where there is none.

    Attributes:
        verdicts: int8 codes of :class:`~etl_dagster.leads.verdicts.Verdict`, in the order asked.
        reasons: Why, one per phone.
        evidence_hash: SHA-256 of the JSON document, in hexadecimal; empty where none arrived.
        document: The JSON document; empty where it must not be kept.
    """

    verdicts: NDArray[np.int8]
    reasons: Sequence[str]
    evidence_hash: str
    document: bytes = field(default=b"", repr=False)


def reconcile(
    document: bytes, phones: NDArray[np.int64], source: Source = LITIGATOR_SCRUB
) -> tuple[str, NDArray[np.int8], list[str]]:
    """Hold an answer against what was asked.

    Args:
        document: The body of an answer with status 200.
        phones: What was asked about; int64, distinct.
        source: Who answered.

    Returns:
        What is wrong with it (empty if nothing is), and the verdicts and reasons in the order of
        ``phones``.
    """
    nothing = np.empty(0, dtype=np.int8)
    try:
        document.decode()  # fields that are not read are not decoded, and are evidence, too
        entries = _decoder(source.entry).decode(document)
        _read_again(document, len(entries), source.entry.__struct_fields__)
    except msgspec.ValidationError:
        return "does not have the documented shape and types", nothing, []
    except KeyError:
        return "names a key twice in one entry", nothing, []
    except (msgspec.DecodeError, ValueError, RecursionError):
        return "is not JSON", nothing, []
    received = _numbers([entry.Phone for entry in entries])
    order, wanted = np.argsort(received), np.argsort(phones)
    if not np.array_equal(received[order], phones[wanted]):
        if np.isin(received, phones).all() and np.unique(received).size == received.size:
            return LEFT_OUT, nothing, []
        return f"has {received.size} entries, and not one for each phone", nothing, []
    verdicts, reasons = source.judge(entries)
    asked = np.empty_like(order)
    asked[wanted] = order  # where the answer about each phone is
    said = np.array(verdicts, dtype=np.int8)
    return "", said[asked], [reasons[at] for at in asked.tolist()]


def _read_again(document: bytes, entries: int, keys: Collection[str]) -> None:
    """Read what may say something else, or nothing, to who proves the answer by `json`.

    Raises:
        KeyError: an object has a key twice: decoders take the last, as if it were alone.
        ValueError: it has a number that is too long.
    """
    named = all(document.count(f'"{key}"'.encode()) == entries for key in keys)
    plain = b"\\" not in document and _MANY not in document.translate(_AS_ZEROS)
    if not (named and plain):  # not each key once, or some spelled with escapes, or long numbers
        json.loads(document, object_pairs_hook=_keys_once)


def _keys_once(pairs: list[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise KeyError


def _numbers(phones: list[int | str]) -> NDArray[np.int64]:
    """Return phones as numbers; -1, which is no phone, where text is not 10 digits."""
    if str in set(map(type, phones)):
        phones = [int(phone) if _TEN_DIGITS(str(phone)) else -1 for phone in phones]
    return np.array(phones, dtype=np.int64)
