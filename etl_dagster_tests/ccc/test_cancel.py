"""Cancelling, crashing, and what they leave behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import RedisError

from etl_dagster.ccc import CccConfig, CccScrubber
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.resilience import Breaker, BreakerOpenError, RedisStore, SqliteStore
from etl_dagster.sandbox.ccc_faults import Fault
from etl_dagster_tests.ccc.conftest import Sandbox, leave_at_once, phones

Settings = Callable[..., CccConfig]


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C interrupts; whoever started the tests in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", ["slow", "hang", "drip", "drip_headers"])
def test_closing_the_iterator_cuts_off_what_is_under_way(
    settings: Settings, sandbox: Sandbox, kind: str
) -> None:
    sandbox.fault(kind, batches=range(8, 1_000), seconds=20.0)
    leave_at_once(settings(batch_size=10, read_timeout=30.0, answer_timeout=60.0))


def test_what_was_asked_before_redis_went_away_is_decided(
    settings: Settings, sandbox: Sandbox, redis_server: FakeServer, redis: FakeRedis
) -> None:
    sandbox.fault("slow", seconds=0.3)
    config = settings(batch_size=50, min_workers=4, read_timeout=2.0, answer_timeout=4.0)
    decided = list[int]()

    def decide(scrubber: CccScrubber) -> None:
        for checkpoint in scrubber.scrub(phones(1_000)):
            for batch in checkpoint:
                decided.extend(batch.phones[batch.verdicts != Verdict.UNKNOWN].tolist())

    def away() -> None:
        while sandbox.requests < 1 + config.min_workers:
            time.sleep(0.01)
        redis_server.connected = False

    goes = threading.Thread(target=away, daemon=True)
    with CccScrubber(config, breaker_store=RedisStore(redis, name="ccc")) as scrubber:
        goes.start()
        with pytest.raises(RedisError):
            decide(scrubber)
    assert len(decided) == config.min_workers * config.batch_size
    assert scrubber.summary.requests == sandbox.requests == 1 + config.min_workers


def test_a_connect_that_hangs_keeps_nobody(settings: Settings, sandbox: Sandbox) -> None:
    with socket.socket() as silent, contextlib.ExitStack() as stack:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(4):  # fill the queue of connections that nobody accepts
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - the socket's own signature
            filler.connect_ex(silent.getsockname())
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = settings(url=url, connect_timeout=30.0, answer_timeout=60.0, cancel_seconds=0.5)
        with CccScrubber(config) as scrubber:
            scrubber._verified = True  # as if the canary had been answered before
            stream = scrubber.scrub(phones(100))
            closer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
            closer.start()
            started = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                next(stream)
            assert time.monotonic() - started < 1.8
    assert sandbox.requests == 0


def test_an_error_of_the_consumer_cancels(settings: Settings, sandbox: Sandbox) -> None:
    sandbox.fault("slow", batches=range(8, 1_000), seconds=20.0)
    started = time.monotonic()

    def consume() -> None:
        config = settings(batch_size=10, read_timeout=30.0, answer_timeout=60.0)
        with CccScrubber(config) as scrubber:
            for _ in scrubber.scrub(phones(1_000)):
                raise OSError("the warehouse is away")

    with pytest.raises(OSError, match="away"):
        consume()
    assert time.monotonic() - started < 1.5
    asked = sandbox.requests
    time.sleep(0.1)
    assert sandbox.requests == asked


def test_waiting_for_a_retry_a_pause_or_room_is_cancelled_too(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    retry = {"retry_base_delay": 30.0}
    pause: dict[str, Any] = {}
    room = {"requests_per_minute": 5, "chunk_deadline": 500.0}
    for name, changes, fault in (
        ("retry", retry, Fault(kind="status", status=503, batches=tuple(range(5, 99)))),
        (
            "pause",
            pause,
            Fault(kind="status", status=429, retry_after="20", batches=tuple(range(5, 99))),
        ),
        ("room", room, None),
    ):
        sandbox.reset()
        if fault:
            sandbox.service.faults.add(fault)
        leave_at_once(settings(batch_size=10, state_dir=tmp_path / name, **changes))


def test_cancelling_frees_the_probe(settings: Settings, sandbox: Sandbox) -> None:
    config = settings(
        batch_size=10, breaker_failures=1, max_retries=0, read_timeout=30.0, answer_timeout=60.0
    )
    sandbox.fault("status", status=500, times=1)
    sandbox.fault("slow", seconds=20.0, batches=[3])
    with CccScrubber(config) as scrubber:
        list(scrubber.scrub(phones(10)))
        time.sleep(config.breaker_reset_seconds)
        scrubber.canary()  # the first probe
        stream = scrubber.scrub(phones(100))  # the second hangs
        started = time.monotonic()
        interrupt = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            list(stream)
        assert time.monotonic() - started < 0.8
        assert scrubber.summary.breaker_state == "half-open"
        scrubber.canary()  # may probe at once
        assert scrubber.summary.breaker_state == "closed"


CHILD = """
import json, os, sys
import numpy as np
from pathlib import Path
from etl_dagster.ccc import CccConfig, CccScrubber
settings, ledger, wanted = json.loads(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
settings["state_dir"] = Path(settings["state_dir"])
committed = [json.loads(line) for line in ledger.read_text().splitlines()]
missing = np.setdiff1d(np.array(wanted), np.array([p for line in committed for p in line]))
with CccScrubber(CccConfig(**settings)) as scrubber, ledger.open("a") as file:
    for checkpoint in scrubber.scrub(missing):
        phones = [p for b in checkpoint for p in b.phones[b.verdicts != 0].tolist()]
        file.write(json.dumps(phones) + chr(10))
        file.flush()
        os.fsync(file.fileno())
"""


def committed(ledger: Path) -> list[int]:
    return [phone for line in ledger.read_text().splitlines() for phone in json.loads(line)]


def start(config: CccConfig, ledger: Path, wanted: list[int]) -> subprocess.Popen[bytes]:
    values = {**vars(config), "state_dir": str(config.state_dir)}
    del values["source"]  # the default one
    command = [sys.executable, "-c", CHILD, json.dumps(values), str(ledger), json.dumps(wanted)]
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": root})


def test_what_is_committed_is_never_asked_again_after_a_kill(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.fault("slow", seconds=0.02)
    config = settings(batch_size=10)
    ledger, wanted = tmp_path / "ledger", phones(1_500).tolist()
    ledger.touch()
    for round_ in range(3):
        process = start(config, ledger, wanted)
        before = len(committed(ledger))
        deadline = time.monotonic() + 20
        while len(committed(ledger)) < before + 200 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(committed(ledger)) > before, f"nothing was committed in round {round_}"
        safe = set(committed(ledger))
        sandbox.service.repeated.clear()
    process = start(config, ledger, wanted)
    assert process.wait(timeout=30) == 0
    assert sorted(committed(ledger)) == wanted
    assert sandbox.service.repeated.isdisjoint(safe)
    # Per kill, at most one checkpoint and the work ahead of it, and the test numbers again.
    lost = int(sandbox.service.stats()["duplicates"])
    assert lost <= 3 * (10 * (3 + config.max_workers + 3) + 2)


PROBE = """
import sys, time
from pathlib import Path
from etl_dagster.resilience import Breaker, SqliteStore
breaker = Breaker(name="x", probe_seconds=1.0, reset_seconds=0.0,
                  store=SqliteStore(Path(sys.argv[1]), name="x"))
with breaker.attempt():
    print("probing", flush=True)
    time.sleep(60)
"""


def test_a_probe_whose_process_was_killed_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    store = SqliteStore(path, name="x", fresh_seconds=0)
    breaker = Breaker(name="x", failures=1, reset_seconds=0.0, successes=1, store=store)
    with pytest.raises(OSError, match="down"), breaker.attempt():
        raise OSError("down")
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(BreakerOpenError) as caught, breaker.attempt():
        pytest.fail("two probes")
    assert caught.value.probing
    process.kill()
    process.communicate()
    time.sleep(1.1)
    with breaker.attempt():
        pass
    assert breaker.state == "closed"


def test_a_state_file_that_is_no_database_is_a_clear_error(
    settings: Settings, tmp_path: Path
) -> None:
    from etl_dagster.resilience import SharedFileError  # noqa: PLC0415 - only here

    (tmp_path / "ccc.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(SharedFileError, match="can be deleted"):
        CccScrubber(settings())


def test_verdict_arrays_are_compact(settings: Settings) -> None:
    with CccScrubber(settings()) as scrubber:
        batch = next(iter(scrubber.scrub(phones(10))))[0]
    assert batch.phones.dtype == np.int64
    assert batch.verdicts.dtype == np.int8
