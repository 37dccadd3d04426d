"""Sample lists, which clear nobody in production.

Belongs here: how they are told from real ones. Does not: making them (`sandbox/lists.py`).
"""

from typing import Final

from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.reports import ListStats
from etl_dagster.dnc.store import DncStore

SAMPLE_MARK: Final = ".sample"
"""Stands in the names of sample list files, and so in the source of what is loaded from them."""


def is_sample(stats: ListStats) -> bool:
    """Whether a list of a store was loaded from the sample."""
    return SAMPLE_MARK in stats.source


def refuse_sample(store: DncStore) -> None:
    """See that a store is no sample's.

    Raises:
        DncUsageError: it holds sample lists; it is closed.
    """
    if any(is_sample(found) for found in store.stats()):
        store.close()
        raise DncUsageError(f"{store.path} holds sample lists, which clear nobody in production")
