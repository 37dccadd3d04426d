"""The Do-Not-Call store: who may not be called, by which list, as of when, and provably so."""

from etl_dagster.dnc.checks import Verification
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
from etl_dagster.dnc.explanation import Explanation, ListEvidence
from etl_dagster.dnc.lookup import Lookup
from etl_dagster.dnc.reports import ListStats, VersionRecord
from etl_dagster.dnc.retention import Compaction
from etl_dagster.dnc.store import DncStore
from etl_dagster.dnc.writer import LoadResult

__all__ = [
    "Compaction",
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
    "Explanation",
    "ListEvidence",
    "ListStats",
    "LoadResult",
    "Lookup",
    "Verification",
    "VersionRecord",
]
