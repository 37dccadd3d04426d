"""The scrubs of CCC: what each asks and answers, client, errors, the scrubber that drives them.

An answer counts only if it is intact and about exactly what was asked; whatever else happens,
the phone is UNKNOWN with a reason, which is never callable. Errors:
:mod:`~etl_dagster.ccc.errors`.
"""

from etl_dagster.ccc.client import CccClient
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.errors import CccCanaryError, CccError
from etl_dagster.ccc.full import SOURCES
from etl_dagster.ccc.records import Checkpoint, ScrubbedBatch, ScrubProgress
from etl_dagster.ccc.scrubber import CccScrubber, requests_for
from etl_dagster.ccc.source import LITIGATOR_SCRUB, Source

__all__ = [
    "LITIGATOR_SCRUB",
    "SOURCES",
    "CccCanaryError",
    "CccClient",
    "CccConfig",
    "CccError",
    "CccScrubber",
    "Checkpoint",
    "ScrubProgress",
    "ScrubbedBatch",
    "Source",
    "requests_for",
]
