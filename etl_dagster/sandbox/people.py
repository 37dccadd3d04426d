"""The sample's people: who number N is, where N lives, which phones N has.

Belongs here: identities and their spelling. Does not: loans, tables, days. Nobody here exists:
names are drawn from lists, phones are of the exchange 555, e-mails of reserved domains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_dagster.sandbox import draws, lists
from etl_dagster.sandbox.draws import Codes, Keys
from etl_dagster.sandbox.geography import AREA_CODES, STATES
from etl_dagster.sandbox.names import FIRST_NAMES, LAST_NAMES, STREETS, UNITS

CITIES: Final = [city for state in STATES for city in state.cities]

SHARE_CORESIDENT: Final = 0.12
"""Of pairs of people who live at one address; most of them share the last name too."""
SHARE_MOVED: Final = 0.12
"""Of phones whose area code is not of the state that their owner lives in."""
SHARE_OFFICE: Final = 0.015
"""Of phones that are an office's, shared by people who have nothing else in common."""
HOUSEHOLD_RANK: Final = 2
"""The rank under which a person's contacts give the phone of the whole household."""

_AREA_CODES = np.array([code for state in STATES for code in state.area_codes], dtype=np.int64)
_ALL_AREA_CODES = np.array(AREA_CODES, dtype=np.int64)
_CITY_COUNT = np.array([len(state.cities) for state in STATES])
_CITY_START = np.cumsum(_CITY_COUNT) - _CITY_COUNT
_CODE_COUNT = np.array([len(state.area_codes) for state in STATES])
_CODE_START = np.cumsum(_CODE_COUNT) - _CODE_COUNT
_ZIP_FIRST = np.array([state.zip_prefixes[0] * 100 for state in STATES])
_ZIP_COUNT = np.array([(s.zip_prefixes[1] - s.zip_prefixes[0] + 1) * 100 for s in STATES])


@dataclass(frozen=True)
class People:
    """People in columns: one entry a person, as indexes into the lists of this module.

    Attributes:
        ids: who; every other column follows from it.
        first: index into FIRST_NAMES.
        last: index into LAST_NAMES.
        number: of the house.
        street: index into STREETS.
        unit: index into UNITS, or -1.
        state: index into STATES.
        city: index into CITIES.
        zip: the five digits as a number.
    """

    ids: Keys
    first: Codes
    last: Codes
    number: Codes
    street: Codes
    unit: Codes
    state: Codes
    city: Codes
    zip: Codes


def home_of(ids: Keys) -> Keys:
    """Say which household each person lives in; some neighbours by number share one."""
    pair = ids >> np.uint64(1)
    together = draws.happens(pair, "coresident", SHARE_CORESIDENT)
    return np.where(together, pair << np.uint64(1), ids)


def state_of(ids: Keys) -> Codes:
    """Say which state each person lives in, as an index into STATES."""
    return draws.weighted(home_of(ids), "state", [state.residents for state in STATES])


def people(ids: Keys) -> People:
    """Describe the people with these numbers."""
    home = home_of(ids)
    state = state_of(ids)
    family = np.where(draws.happens(home, "family", 0.7), home, ids)
    unit = draws.below(home, "unit", len(UNITS))
    return People(
        ids=ids,
        first=draws.below(ids, "first", len(FIRST_NAMES)),
        last=draws.below(family, "last", len(LAST_NAMES)),
        number=1 + draws.below(home, "number", 9_999),
        street=draws.below(home, "street", len(STREETS)),
        unit=np.where(draws.happens(home, "flat", 0.15), unit, -1),
        state=state,
        city=_CITY_START[state] + draws.below(home, "city", _CITY_COUNT[state]),
        zip=_ZIP_FIRST[state] + draws.below(home, "zip", _ZIP_COUNT[state]),
    )


def phones(ids: Keys, rank: Codes) -> NDArray[np.int64]:
    """Give each person's phone of that rank: mostly an own one, some a household's or office's.

    Args:
        ids: who.
        rank: 1 is the best.

    Returns:
        Ten-digit numbers.
    """
    own = ids * np.uint64(16) + rank.astype(np.uint64)
    office = draws.happens(own, "office", SHARE_OFFICE)
    owner = np.where(office, (ids >> np.uint64(8)) << np.uint64(8), home_of(ids))
    shared = office | (rank == HOUSEHOLD_RANK)
    key = np.where(shared, owner * np.uint64(16) + np.where(office, 15, 14).astype(np.uint64), own)
    state = state_of(np.where(shared, owner, ids))
    local = _AREA_CODES[_CODE_START[state] + draws.below(key, "area", _CODE_COUNT[state])]
    anywhere = _ALL_AREA_CODES[draws.below(key, "moved area", len(_ALL_AREA_CODES))]
    moved = draws.happens(key, "moved", SHARE_MOVED)
    return lists.draw_phones(np.where(moved, anywhere, local), key)


def spell(words: Sequence[str], codes: Codes) -> pa.Array:
    """Turn indexes into text; -1 becomes the empty text."""
    return pa.array([*words, ""], pa.string()).take(pa.array(codes % (len(words) + 1)))


def addresses(who: People) -> pa.Array:
    """Write each person's street address, as a person would."""
    number = pa.array(who.number).cast(pa.string())
    street = pc.binary_join_element_wise(number, spell(STREETS, who.street), " ")
    return pc.binary_join_element_wise(street, spell(UNITS, who.unit), "")


def zips(who: People, *, plus_four: NDArray[np.bool_]) -> pa.Array:
    """Write each person's ZIP with its leading zeros, as ZIP+4 where asked."""
    five = pc.utf8_lpad(pa.array(who.zip).cast(pa.string()), 5, "0")
    four = pa.array(1_000 + draws.below(home_of(who.ids), "plus four", 9_000)).cast(pa.string())
    return pc.if_else(pa.array(plus_four), pc.binary_join_element_wise(five, four, "-"), five)
