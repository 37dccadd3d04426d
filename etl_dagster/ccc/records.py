"""What scrubbing gives: batches with verdicts, checkpoints of them, progress, a summary.

Belongs here: frozen records. Does not: any request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ScrubbedBatch:
    """Phones whose verdicts come from one answer, or share the reason for having none.

    Attributes:
        batch_id: A uuid.
        phones: int64, distinct.
        verdicts: int8 codes of :class:`~etl_dagster.leads.verdicts.Verdict`, one per phone.
        reasons: One per phone: why it is listed or unknown; if clear, what else its source says.
        checked_at: UTC.
        evidence_hash: SHA-256 of the answer's JSON document; empty where none arrived.
        endpoint: Who was asked; no secret in it.
        document: The body whose hash that is; empty where none arrived or it must not be kept.
    """

    batch_id: str
    phones: NDArray[np.int64]
    verdicts: NDArray[np.int8]
    reasons: list[str]
    checked_at: datetime
    evidence_hash: str
    endpoint: str
    document: bytes = field(default=b"", repr=False)


Checkpoint = list[ScrubbedBatch]
"""What has been decided since the last one, never nothing; write it before asking for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubSummary:
    """Counts since the scrubber was made; a snapshot.

    Attributes:
        requests: Sent, retries and parts of bisected batches and canaries included.
        retries: Requests that repeated a failed one.
        rate_limited: Answers 429.
        bisects: Batches split because CCC refused them.
        breaker_openings: How often the circuit was seen to open.
        breaker_state: ``closed``, ``open`` or ``half-open``.
        verdicts: Phones by verdict name.
        phones_per_second: Over the time spent scrubbing.
        latency_ms_p50: Of the last 10,000 answers; 0 without any.
        latency_ms_p95: The same.
        latency_ms_p99: The same.
        workers: Calls that may be in flight now.
        degraded: The circuit was open, the canary could not be asked or time ran out: phones are
            UNKNOWN that a later run can decide.
    """

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    bisects: int = 0
    breaker_openings: int = 0
    breaker_state: str = "closed"
    verdicts: Mapping[str, int] = field(default_factory=dict)
    phones_per_second: float = 0.0
    latency_ms_p50: float = 0.0
    latency_ms_p95: float = 0.0
    latency_ms_p99: float = 0.0
    workers: int = 0
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class ScrubProgress:
    """How far a scrub is.

    Attributes:
        done: Phones decided.
        total: Phones of this scrub.
        summary: The counts.
    """

    done: int
    total: int
    summary: ScrubSummary
