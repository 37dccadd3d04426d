"""The sample's Do-Not-Call lists: files in the formats of the real ones.

Belongs here: which invented phones are on which list, and writing that down. Does not: reading
lists, which is the store's work.

All phones are of the exchange 555. In each area code the ten thousand numbers are put in an order
of the area code's own (an affine permutation, hence invertible); the national list is the first
so many of that order, so membership is arithmetic, and a phone can be drawn as listed or not.
"""

import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from etl_dagster.sandbox import draws
from etl_dagster.sandbox.draws import Codes, Keys
from etl_dagster.sandbox.geography import AREA_CODES, STATES

Phones = NDArray[np.int64]

NATIONAL: Final = "national"
STATE: Final = "state_fl"
INTERNAL: Final = "internal"

NUMBERS: Final = 2_000_000
"""On the national list, unless another size is asked for."""
UNCOVERED: Final = frozenset({505, 605, 802})
"""Area codes that the national list lacks: their phones are not clean but unknown."""
SHARE_NATIONAL: Final = 0.30
"""Of the phones that `draw_phones` draws; a list of another size than NUMBERS hits fewer."""
SHARE_STATE: Final = 0.45
"""Of Florida's phones; with its share of the country, some 3% of all."""
SHARE_INTERNAL: Final = 0.005

_EXCHANGE: Final = 555
_SUBSCRIBERS: Final = 10_000
_COVERED: Final = tuple(code for code in AREA_CODES if code not in UNCOVERED)
_STATE_CODES: Final = next(state.area_codes for state in STATES if state.code == "FL")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""Written into the zip instead of now, so that the same list is the same file, byte for byte."""


@dataclass(frozen=True)
class SampleList:
    """One written list.

    Attributes:
        name: under which the store keeps it.
        kind: what it is to the law; `internal` are the company's own opt-outs.
        path: the file.
        as_of: the day that it shows.
        covers: area codes about which it says anything.
    """

    name: str
    kind: Literal["national", "state", "internal"]
    path: Path
    as_of: date
    covers: frozenset[int]


def _depth(numbers: int) -> int:
    """How many numbers of each covered area code a list of this size holds, rounded up."""
    depth = -(-numbers // len(_COVERED))
    if not 0 < depth < _SUBSCRIBERS:
        most = len(_COVERED) * (_SUBSCRIBERS - 1)
        raise ValueError(f"a sample list has 1 to {most:,} numbers, not {numbers:,}")
    return depth


def _at(area_codes: Codes, position: Codes) -> Phones:
    """The phones at these places of their area codes' orders.

    A multiplier that ends in 1 is coprime to 10,000; so the order meets each number once.
    """
    inverse = [pow(1 + 10 * (37 * code % 997), -1, _SUBSCRIBERS) for code in range(1_000)]
    undone = np.array(inverse, dtype=np.int64)[area_codes]
    subscriber = undone * (position - 7_919 * area_codes) % _SUBSCRIBERS
    phones: Phones = area_codes * 10_000_000 + _EXCHANGE * _SUBSCRIBERS + subscriber
    return phones


def draw_phones(area_codes: Codes, keys: Keys) -> Phones:
    """Draw one phone a key, SHARE_NATIONAL of them on the national list.

    Args:
        area_codes: of each phone.
        keys: the same key draws the same phone.
    """
    depth = _depth(NUMBERS)
    listed = draws.happens(keys, "national", SHARE_NATIONAL)
    first = np.where(listed, 0, depth)
    room = np.where(listed, depth, _SUBSCRIBERS - depth)
    return _at(area_codes, first + draws.below(keys, "position", room))


def _drawn(phones: Phones, salt: str, share: float) -> Phones:
    """A share of these phones."""
    return phones[draws.happens(phones.astype(np.uint64), salt, share)]


def _every(area_codes: tuple[int, ...], *, depth: int) -> Phones:
    """The first `depth` phones of each of these ascending area codes' orders, ascending."""
    area = np.array(area_codes, dtype=np.int64)[:, np.newaxis]
    return np.sort(_at(area, np.arange(depth, dtype=np.int64)[np.newaxis, :]), axis=1).ravel()


def _digits(width: int) -> NDArray[np.uint8]:
    """Every number of that many digits as ASCII, one a row."""
    numbers = "".join(f"{number:0{width}d}" for number in range(10**width))
    return np.frombuffer(numbers.encode(), dtype=np.uint8).reshape(-1, width)


def _lines(phones: Phones, *, comma: bool) -> bytes:
    """One phone a line: `407,5551234` or `4075551234`."""
    text = np.full((len(phones), 12), ord("\n"), dtype=np.uint8)
    text[:, :3] = _digits(3)[phones // 10_000_000]
    text[:, 3] = ord(",")
    text[:, 4:7] = _digits(3)[phones // _SUBSCRIBERS % 1_000]
    text[:, 7:11] = _digits(4)[phones % _SUBSCRIBERS]
    return (text if comma else np.delete(text, 3, axis=1)).tobytes()


def _xml(phones: Phones, as_of: date) -> str:
    lines = [
        "<?xml version='1.0' encoding='UTF-8'?>",
        f"<list type='full' level='state' val='FL' date='{as_of}'>",
    ]
    for area_code in np.unique(phones // 10_000_000).tolist():
        local = phones[phones // 10_000_000 == area_code] % 10_000_000
        entries = "".join(f"<ph val='{number}'/>" for number in local.tolist())
        lines.append(f"<ac val='{area_code}'>{entries}</ac>")
    return "\n".join([*lines, "</list>", ""])


def write_dnc_lists(folder: Path, *, as_of: date, numbers: int = NUMBERS) -> list[SampleList]:
    """Write the sample's lists; the same arguments give the same bytes.

    Args:
        folder: made where it does not exist; files of the same names are replaced.
        as_of: the day that the lists show, part of the file names.
        numbers: on the national list, rounded up to a whole number in each area code.

    Returns:
        National, state and internal list, in this order.

    Raises:
        ValueError: `numbers` is not between 1 and what the exchange 555 can hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    national = folder / f"{NATIONAL}_{as_of:%Y-%m-%d}.zip"
    member = zipfile.ZipInfo(f"{NATIONAL}_{as_of:%Y-%m-%d}.txt", date_time=_EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(national, "w", compresslevel=1) as archive:
        archive.writestr(member, _lines(_every(_COVERED, depth=_depth(numbers)), comma=True))
    state = folder / f"{STATE}_{as_of:%Y-%m-%d}.xml"
    floridian = _drawn(_every(_STATE_CODES, depth=_SUBSCRIBERS), "state list", SHARE_STATE)
    state.write_text(_xml(floridian, as_of), encoding="utf-8")
    internal = folder / f"{INTERNAL}_{as_of:%Y-%m-%d}.txt"
    opted_out = _drawn(_every(AREA_CODES, depth=_SUBSCRIBERS), "opt-out", SHARE_INTERNAL)
    internal.write_bytes(_lines(opted_out, comma=False))
    return [
        SampleList(NATIONAL, "national", national, as_of, frozenset(_COVERED)),
        SampleList(STATE, "state", state, as_of, frozenset(_STATE_CODES)),
        SampleList(INTERNAL, "internal", internal, as_of, frozenset(AREA_CODES)),
    ]
