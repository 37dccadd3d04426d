"""Where a phone or an address may be: its states, and every time zone that is possible.

Belongs here: the two reviewed tables beside this module, whose sources stand in their heads, and
the look-ups in them. Does not: hours, days.

A lead's address is looked up by state and ZIP prefix together: a pair that is not in the table,
such as a Florida address with a Californian ZIP, is nowhere. If one of the two is missing, the
other stands for all it may mean.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Final, Self


@dataclass(frozen=True)
class Place:
    """Where somebody may be.

    Attributes:
        states: postal codes of the states.
        zones: names of the time zones in the IANA database; all of them are possible.
    """

    states: frozenset[str]
    zones: frozenset[str]

    def or_in(self, other: Self) -> Self:
        """The place of somebody who may be in either."""
        return type(self)(self.states | other.states, self.zones | other.zones)


def _read(name: str) -> Iterator[tuple[str, Place]]:
    """Each number of a table with its place; a number may come for several states."""
    text = resources.files(__package__).joinpath(name).read_text("ascii")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        state, zones, *numbers = line.split()
        place = Place(frozenset({state}), frozenset(zones.split(",")))
        for part in numbers:
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield f"{number:03d}", place


def _addresses() -> Mapping[str, Place]:
    """Every key that an address may have: state and prefix, state alone, prefix alone."""
    found: dict[str, Place] = {}
    for prefix, place in _read("zip_prefixes.txt"):
        (state,) = place.states
        for key in (f"{state}-{prefix}", f"{state}-", f"-{prefix}"):
            found[key] = found.get(key, place).or_in(place)
    return MappingProxyType(found)


AREA_CODES: Final[Mapping[str, Place]] = MappingProxyType(dict(_read("area_codes.txt")))
"""Area code, three digits as text, to its place."""
ADDRESSES: Final = _addresses()
"""State and ZIP prefix (`FL-324`), state alone (`FL-`), prefix alone (`-324`) to their place.

`warehouse/sql/fragments/within_hours.sql` makes the same keys."""
