"""A CCC sandbox over real HTTP, and settings whose time scales suit tests."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from etl_dagster.ccc import CccConfig, CccScrubber
from etl_dagster.sandbox.ccc_faults import Fault
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster_tests.stand_ins import in_thread

QUICK: dict[str, Any] = {
    "connect_timeout": 1.0,
    "read_timeout": 0.25,
    "answer_timeout": 0.5,
    "retry_base_delay": 0.01,
    "retry_max_delay": 0.05,
    "max_workers": 4,
    "requests_per_minute": 100_000,
    "breaker_failures": 1_000,
    "breaker_reset_seconds": 0.3,
    "checkpoint_batches": 3,
    "checkpoint_seconds": 0.1,
    "chunk_deadline": 30.0,
    "cancel_seconds": 1.0,
}


def leave_at_once(config: CccConfig) -> None:
    """Scrub, and leave while requests are under way: that keeps nobody."""
    with CccScrubber(config) as scrubber:
        stream = scrubber.scrub(phones(1_000))
        next(stream)
        time.sleep(0.1)
        started = time.monotonic()
        stream.close()
        assert time.monotonic() - started < 1.5
    assert time.monotonic() - started < 1.5


def phones(count: int, start: int = 0) -> NDArray[np.int64]:
    """Generated numbers of the fictional exchange 555."""
    areas = [area for area in range(201, 990) if area % 100 != 11]
    index = np.arange(start, start + count)
    return (np.array(areas)[index // 10_000] * 10_000_000 + 5_550_000 + index % 10_000).astype(
        np.int64
    )


@dataclass
class Sandbox:
    service: CccSandbox
    url: str

    def fault(self, kind: str, **parameters: Any) -> None:
        self.service.faults.add(Fault(kind=kind, **parameters))

    def reset(self) -> None:
        """Forget everything, and wait for a port that a fault closed."""
        self.service.reset()
        while True:
            try:
                httpx.get(f"{self.url}/sandbox/stats")
            except httpx.TransportError:
                time.sleep(0.01)
            else:
                return

    @property
    def requests(self) -> int:
        return int(self.service.stats()["requests"])


@pytest.fixture(scope="session")
def _server() -> Iterator[Sandbox]:
    options = CccSandboxOptions(latency_ms=1.0, requests_per_minute=1_000_000)
    service = CccSandbox(options)
    with in_thread(service) as url:
        yield Sandbox(service, url)


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    _server.reset()
    return _server


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Callable[..., CccConfig]:
    def make(**changes: Any) -> CccConfig:
        values = {"url": sandbox.url, "api_key": SANDBOX_KEY, "state_dir": tmp_path}
        return CccConfig(**{**values, **QUICK, **changes})

    return make
