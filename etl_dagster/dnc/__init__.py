"""The Do-Not-Call store: who may not be called, by which list, as of when, and provably so."""

from etl_dagster.dnc.errors import (
    DncBusyError,
    DncCorruptError,
    DncError,
    DncForeignError,
    DncFormatError,
    DncHistoryError,
    DncMissingError,
    DncNotClearError,
    DncRefusedError,
    DncSchemaError,
    DncUsageError,
)
from etl_dagster.dnc.lookup import Lookup
from etl_dagster.dnc.reports import ListStats
from etl_dagster.dnc.store import DncStore
from etl_dagster.dnc.writer import LoadResult

__all__ = [
    "DncBusyError",
    "DncCorruptError",
    "DncError",
    "DncForeignError",
    "DncFormatError",
    "DncHistoryError",
    "DncMissingError",
    "DncNotClearError",
    "DncRefusedError",
    "DncSchemaError",
    "DncStore",
    "DncUsageError",
    "ListStats",
    "LoadResult",
    "Lookup",
]
