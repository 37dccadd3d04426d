"""Chance that can be asked again: pseudo-random numbers that are a pure function of a key.

Belongs here: turning keys into numbers. Does not: what is drawn. A person of the sample is a
number; everything about the person is drawn from it, so any day, list or test that meets the
same person again gets the same name, address and phones without anybody storing them.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Codes = NDArray[np.int64]

SEED: Final = 20_240_229
"""Another seed is another country of people."""


def _mix(keys: Keys, salt: str) -> Keys:
    """Scramble 64 bits by the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    offset = int.from_bytes(hashlib.sha256(f"{SEED} {salt}".encode()).digest()[:8], "big")
    bits = keys + np.uint64(offset)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Keys = bits ^ (bits >> np.uint64(31))
    return mixed


def fraction(keys: Keys, salt: str) -> NDArray[np.float64]:
    """Draw a number from 0 up to, but not including, 1 for each key.

    Args:
        keys: any shape.
        salt: what is drawn; different salts are independent of each other.
    """
    drawn: NDArray[np.float64] = (_mix(keys, salt) >> np.uint64(11)) / float(1 << 53)
    return drawn


def happens(keys: Keys, salt: str, share: float) -> NDArray[np.bool_]:
    """Draw True for `share` of the keys."""
    chance: NDArray[np.bool_] = fraction(keys, salt) < share
    return chance


def below(keys: Keys, salt: str, limit: int | Codes) -> Codes:
    """Draw an integer from 0 up to, but not including, `limit` (one, or one a key)."""
    return (fraction(keys, salt) * limit).astype(np.int64)


def weighted(keys: Keys, salt: str, weights: Sequence[float]) -> Codes:
    """Draw an index into `weights`, in their proportion."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges / edges[-1], fraction(keys, salt), side="right").astype(np.int64)
