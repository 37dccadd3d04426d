"""The CCC litigator scrub: client, errors and the scrubber that drives it.

An answer counts only if it is intact and about exactly what was asked; whatever else happens,
the phone is UNKNOWN with a reason, which is never callable.
"""

from etl_dagster.ccc.answer import Answer
from etl_dagster.ccc.client import CccClient
from etl_dagster.ccc.config import CccConfig
from etl_dagster.ccc.errors import (
    CccAuthError,
    CccCanaryError,
    CccConfigError,
    CccConnectionError,
    CccError,
    CccMalformedError,
    CccRateLimitedError,
    CccRefusedError,
    CccRejectedError,
    CccRequestError,
    CccStatusError,
    CccUnavailableError,
)
from etl_dagster.ccc.records import Checkpoint, ScrubbedBatch, ScrubProgress, ScrubSummary
from etl_dagster.ccc.scrubber import CccScrubber, requests_for

__all__ = [
    "Answer",
    "CccAuthError",
    "CccCanaryError",
    "CccClient",
    "CccConfig",
    "CccConfigError",
    "CccConnectionError",
    "CccError",
    "CccMalformedError",
    "CccRateLimitedError",
    "CccRefusedError",
    "CccRejectedError",
    "CccRequestError",
    "CccScrubber",
    "CccStatusError",
    "CccUnavailableError",
    "Checkpoint",
    "ScrubProgress",
    "ScrubSummary",
    "ScrubbedBatch",
    "requests_for",
]
