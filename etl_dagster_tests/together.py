"""Work that several threads do at the same time."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(work: Callable[[T], R], of: Collection[T]) -> list[R]:
    """Do it for all of these at once; what any of them raises is raised."""
    with ThreadPoolExecutor(len(of)) as pool:
        return list(pool.map(work, of))
