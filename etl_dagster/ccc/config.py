"""Settings of the CCC scrub: validated once, frozen, the key never shown.

Belongs here: each tunable with its default and range. Does not: reading the environment.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from etl_dagster.ccc.errors import CccConfigError
from etl_dagster.ccc.source import LITIGATOR_SCRUB, Source
from etl_dagster.resilience import RetryPolicy

MOST_PHONES: Final = 10_000
"""Phones a call, at most. Source: docs.dncscrub.com, litigator API reference."""
_MAY_BE_ZERO: Final = (
    "max_retries",
    "retry_base_delay",
    "retry_max_delay",
    "breaker_reset_seconds",
    "bisect_requests",
)
"""Every other number is above zero."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True)
class CccConfig:
    """How to reach CCC, and how politely.

    Attributes:
        url: Address of the service, or of the endpoint itself; https, except on loopback.
        api_key: The vendor's ``loginId``; sent as a header only.
        state_dir: Folder on a local disk for the breaker's and the limiter's state, shared by all
            processes of the host.
        batch_size: Phones per request, 1 to 10,000.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds to wait for the next bytes.
        write_timeout: Seconds to send the next bytes.
        pool_timeout: Seconds to wait for a connection of the pool.
        answer_timeout: Seconds for a whole request, however steadily bytes trickle in.
        min_workers: See :func:`etl_dagster.resilience.calculate_workers`.
        max_workers: The same.
        workers_per_batch: The same.
        max_retries: Tries after the first.
        retry_base_delay: Seconds before the first retry; doubled for each further one.
        retry_max_delay: No doubling beyond.
        requests_per_minute: Over all processes of the host.
        breaker_failures: So many failures in a row open the circuit.
        breaker_reset_seconds: Seconds until a probe may pass.
        breaker_successes: So many probes in a row close it.
        chunk_deadline: Seconds for one call of ``scrub``; what is undecided then is UNKNOWN.
        checkpoint_batches: Batches per checkpoint. A crash loses at most the one that is being
            written and the one that is being gathered meanwhile.
        checkpoint_seconds: A checkpoint is due so long after the last, if anything is decided.
        bisect_requests: Extra requests, at most, to find the phones that make CCC refuse a batch.
        progress_seconds: Least time between two reports of progress.
        cancel_seconds: How long cancelling waits for threads that are in a call.
        source: Which of its services.

    Raises:
        CccConfigError: A setting is out of its range.
    """

    url: str
    api_key: str = field(repr=False)
    state_dir: Path
    batch_size: int = 1_000
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    write_timeout: float = 10.0
    pool_timeout: float = 10.0
    answer_timeout: float = 60.0
    min_workers: int = 2
    max_workers: int = 16
    workers_per_batch: float = 1.5
    max_retries: int = 4
    retry_base_delay: float = 1.0
    retry_max_delay: float = 30.0
    requests_per_minute: int = 1_000
    breaker_failures: int = 5
    breaker_reset_seconds: float = 60.0
    breaker_successes: int = 2
    chunk_deadline: float = 3_600.0
    checkpoint_batches: int = 64
    checkpoint_seconds: float = 5.0
    bisect_requests: int = 64
    progress_seconds: float = 1.0
    cancel_seconds: float = 1.5
    source: Source = LITIGATOR_SCRUB

    def __post_init__(self) -> None:
        """Check every setting."""
        self._check_address()
        printable = self.api_key.isascii() and self.api_key.isprintable()
        if not printable or self.api_key.strip() != self.api_key or not self.api_key:
            raise CccConfigError(
                "the CCC key is empty or holds blanks or characters that a header cannot carry; "
                "set CCC_API_KEY to the loginId exactly as the vendor issued it"
            )
        if not 1 <= self.batch_size <= MOST_PHONES:
            raise CccConfigError(f"batch_size must be 1 to {MOST_PHONES}, not {self.batch_size}")
        if not 1 <= self.min_workers <= self.max_workers:
            raise CccConfigError(
                "workers must satisfy 1 <= min_workers <= max_workers, not "
                f"{self.min_workers} and {self.max_workers}"
            )
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not value > 0:
                if name not in _MAY_BE_ZERO:
                    raise CccConfigError(f"{name} must be above 0, not {value}")
                if value != 0:
                    raise CccConfigError(f"{name} must not be negative, but is {value}")

    @property
    def endpoint(self) -> str:
        """The full address that batches are posted to; it holds no secret."""
        url = httpx.URL(self.url)
        return str(url.copy_with(path=self.source.path) if url.path in ("", "/") else url)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The retry settings as a policy."""
        return RetryPolicy(
            retries=self.max_retries,
            base_delay=self.retry_base_delay,
            max_delay=self.retry_max_delay,
        )

    def _check_address(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError):
            url = httpx.URL("")
        if url.query or url.fragment or url.userinfo or not url.host:
            raise CccConfigError(
                "the CCC address must be scheme, host and path alone, such as "
                "https://dataapi.dncscrub.com; set CCC_API_URL"
            )
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise CccConfigError(
                f"the CCC address must be https, except on loopback, not {url.scheme}; "
                "set CCC_API_URL"
            )
