"""The litigator scrub at size, against a CCC sandbox in a process of its own.

usage: python -m benchmarks.ccc [--phones 1e5] [--many 1e6] [--rounds 5] [--json FILE] [--strict]

Every claim is a ratio or a limit measured in one run on one machine: the schedule that 16 workers
would keep if only the API took time, the same requests through pybreaker's own `call`, the memory
above the start, the seconds until full speed after a bad time. Answers are held against the truth.
Of several rounds the best counts, since whatever else the machine does can only add to a time.
"""

import contextlib
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pybreaker
from numpy.typing import NDArray

from benchmarks import measuring
from benchmarks.figures import about
from benchmarks.measuring import ROOT, Targets, in_process, peak_rss_mb, seconds
from etl_dagster.ccc import CccClient, CccConfig, CccScrubber, Checkpoint
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.ccc_answers import litigators
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY

LATENCY_SECONDS = 0.05
WORKERS = 16
BATCH = 1_000
Phones = NDArray[np.int64]

TARGETS: Targets = {
    "schedule_ratio": ("at most", 1.2),
    "times_faster_than_breaker_call": ("at least", 12.0),
    "many_mb_above_start": ("at most", 150.0),
    "recovery_429_seconds": ("at most", 5.0),
    "recovery_latency_seconds": ("at most", 5.0),
    "recovery_open_circuit_seconds": ("at most", 5.0),
    "sandbox_requests_per_second": ("at least", 2_000.0),
}


def made_up(count: int) -> Phones:
    """Distinct valid phones of one exchange per area code, then of the next."""
    areas = np.array([area for area in range(201, 990) if area % 100 != 11])
    exchanges = np.array([555, *(e for e in range(200, 1_000) if e % 100 != 11 and e != 555)])
    index = np.arange(count)
    line, place = index % 10_000, index // 10_000
    prefix = areas[place % len(areas)] * 1_000 + exchanges[place // len(areas)]
    return (prefix * 10_000 + line).astype(np.int64)


@contextlib.contextmanager
def sandbox(latency: float = LATENCY_SECONDS) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="ccc-bench-") as folder:
        command = [sys.executable, "-m", "etl_dagster.sandbox.ccc", "--home", folder]
        command += ["--latency-ms", str(latency * 1_000), "--jitter", "0", "--no-track-phones"]
        command += ["--requests-per-minute", "1000000"]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            while (found := sidecar.find("ccc", Path(folder))) is None:
                assert process.poll() is None, "the sandbox did not start"
                time.sleep(0.02)
            yield found.url, Path(folder)
        finally:
            process.terminate()
            process.wait()


def settings(url: str, folder: Path, **changes: Any) -> CccConfig:
    values: dict[str, Any] = {
        "batch_size": BATCH,
        "max_workers": WORKERS,
        "requests_per_minute": 100_000,
    }
    return CccConfig(url=url, api_key=SANDBOX_KEY, state_dir=folder, **{**values, **changes})


def right(checkpoints: Iterable[Checkpoint]) -> int:
    """Count phones, insisting that each verdict is the truth."""
    count = 0
    for checkpoint in checkpoints:
        for batch in checkpoint:
            listed = litigators(batch.phones)
            assert np.array_equal(batch.verdicts == Verdict.LISTED, listed)
            assert np.array_equal(batch.verdicts == Verdict.CLEAR, ~listed)
            count += batch.phones.size
    return count


def measure_schedule(count: int, rounds: int) -> dict[str, float]:
    phones = made_up(count)
    batches = math.ceil(count / BATCH)
    ideal = math.ceil(batches / WORKERS) * LATENCY_SECONDS
    took = []
    with sandbox() as (url, folder), CccScrubber(settings(url, folder)) as scrubber:
        for _ in range(rounds + 1):  # the first opens the connections
            scrubber.canary()
            taken: list[Checkpoint] = []
            started = time.perf_counter()
            taken.extend(scrubber.scrub(phones))
            took.append(time.perf_counter() - started)
            assert right(taken) == count
        slow = seconds(lambda: through_breaker_call(settings(url, folder), phones))
    best, usual = min(took[1:]), statistics.median(took[1:])
    return {
        "phones": count,
        "ideal_seconds": ideal,
        "seconds_best": best,
        "seconds_median": usual,
        "first_seconds": took[0],
        "schedule_ratio": best / ideal,
        "schedule_ratio_median": usual / ideal,
        "breaker_call_seconds": slow,
        "times_faster_than_breaker_call": slow / best,
    }


def through_breaker_call(config: CccConfig, phones: Phones) -> None:
    """The same requests by as many threads through pybreaker's `call`, and nothing else."""
    breaker, client = pybreaker.CircuitBreaker(), CccClient(config)
    batches = [phones[i : i + BATCH] for i in range(0, phones.size, BATCH)]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(partial(breaker.call, client.ask), batches))
    client.close()


def measure_many(count: int) -> dict[str, float]:
    """Memory and CPU, in a process of its own."""
    with sandbox() as (url, folder):
        return in_process("ccc", url, folder, count)


def task_many(url: str, folder: str, count: str) -> dict[str, float]:
    phones = made_up(int(count))
    with CccScrubber(settings(url, Path(folder))) as scrubber:
        right(scrubber.scrub(phones[:BATCH]))
        start_mb, cpu = peak_rss_mb(), time.process_time()
        took = seconds(lambda: right(scrubber.scrub(phones)))
        cpu = time.process_time() - cpu
        summary = scrubber.summary
    return {
        "many_phones": phones.size,
        "many_seconds": took,
        "many_phones_per_second": phones.size / took,
        "many_start_mb": start_mb,
        "many_mb_above_start": peak_rss_mb() - start_mb,
        "cpu_seconds_per_million": cpu / phones.size * 1e6,
        "latency_ms_p50": summary.latency_ms_p50,
        "latency_ms_p99": summary.latency_ms_p99,
    }


def measure_recovery() -> dict[str, float]:
    """Seconds until full speed, from when the bad time is over (or a probe is allowed)."""
    out = {}
    bad = {"after": 2.0, "until": 4.0}
    faults = {
        "429": {"kind": "status", "status": 429, "retry_after": "1", **bad},
        "latency": {"kind": "slow", "seconds": 0.5, **bad},
    }
    for name, fault in faults.items():
        with sandbox() as (url, folder):
            config = settings(url, folder, batch_size=100)
            with CccScrubber(config) as scrubber:
                scrubber.canary()
                httpx.post(f"{url}/sandbox/faults", json=fault).raise_for_status()
                since = time.time()
                times = answered_at(scrubber.scrub(made_up(250_000)))
        full = sum(since + 0.5 <= t < since + 1.5 for t in times)
        out[f"recovery_{name}_seconds"] = regained(times, since + bad["until"], full)
    with sandbox() as (url, folder):
        config = settings(url, folder, batch_size=100, breaker_reset_seconds=1.0)
        outage: dict[str, Any] = {"kind": "status", "status": 503, "until": 3.0}
        with CccScrubber(config) as scrubber:
            scrubber.canary()
            httpx.post(f"{url}/sandbox/faults", json=outage).raise_for_status()
            over = time.time() + outage["until"] + config.breaker_reset_seconds
            for _ in scrubber.scrub(made_up(10_000)):
                pass
            assert scrubber.summary.breaker_state != "closed"
            time.sleep(max(over - time.time(), 0))
            since = time.time()
            times = answered_at(scrubber.scrub(made_up(100_000)))
        full = sum(max(times) - 1.5 <= t < max(times) - 0.5 for t in times)
        out["recovery_open_circuit_seconds"] = regained(times, since, full)
    return out


def answered_at(checkpoints: Iterable[Checkpoint]) -> list[float]:
    return sorted(
        batch.checked_at.timestamp()
        for checkpoint in checkpoints
        for batch in checkpoint
        if batch.evidence_hash
    )


def regained(times: list[float], since: float, full: int) -> float:
    """Seconds from ``since`` to the first half second at 90% of ``full`` answers a second."""
    for start in np.arange(since, max(times), 0.05).tolist():
        if sum(start <= t < start + 0.5 for t in times) >= 0.9 * full / 2:
            return float(start - since)
    return float("inf")


def measure_sandbox(seconds: float = 3.0) -> dict[str, float]:
    """Answers of 1,000 phones that the sandbox gives to a client that does nothing with them."""
    body = json.dumps({"PhoneList": ",".join(map(str, made_up(BATCH).tolist()))}).encode()
    head = f"POST /v1.5/Scrub/litigator HTTP/1.1\r\nHost: x\r\nloginId: {SANDBOX_KEY}\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with sandbox(latency=0) as (url, _), contextlib.ExitStack() as stack:
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(8)]
        connections[0].sendall(request)
        time.sleep(0.2)
        length = len(connections[0].recv(1_000_000, socket.MSG_PEEK))
        connections[0].recv(length)
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                assert len(connection.recv(length, socket.MSG_WAITALL)) == length
            count += len(connections)
        took = time.perf_counter() - started
    return {"sandbox_requests_per_second": count / took, "sandbox_answer_bytes": length}


def main() -> None:
    parser = measuring.parser(__doc__, strict=True)
    parser.add_argument("--phones", type=float, default=1e5)
    parser.add_argument("--many", type=float, default=1e6)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(task_many(*options.task)))
        return
    origin = about()
    found = measure_schedule(int(options.phones), options.rounds)
    found |= measure_many(int(options.many))
    found |= measure_recovery()
    found |= measure_sandbox()
    measuring.finish(options, origin, found, TARGETS)


if __name__ == "__main__":
    main()
