"""The ledger at size, on the embedded Snowflake: how long it takes to verify every digest.

usage: python -m benchmarks.ledger [--verdicts 1e5] [--rounds 3] [--json FILE] [--strict]

The figure that the documents quote is from `--verdicts 1e6`. The ledger is written as runs write
it: answers of CCC in batches of 1,000, forty of them an append, and one batch of the Do-Not-Call
store a chunk. What verifying takes is held against reading the same rows and doing nothing with
them. Of several rounds the best counts; memory is that of a process of its own.
"""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks import measuring
from benchmarks.figures import about
from benchmarks.measuring import Targets, in_process, peak_rss_mb, seconds
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.verdicts import Verdict
from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.warehouse import ledger
from etl_dagster.warehouse.ledger import LedgerBatch, Provenance
from etl_dagster.warehouse.session import Session, Warehouse, WarehouseConfig
from etl_dagster.warehouse.tables import create_tables
from etl_dagster.warehouse.verification import verify

CHUNKS = 4
BATCH = 1_000
BATCHES_AN_APPEND = 40
DAY = date(2026, 11, 20)
TARGETS: Targets = {"verify_seconds_a_million": ("at most", 30.0)}


def made_up(phones: np.ndarray, rng: np.random.Generator, versions: str) -> LedgerBatch:
    listed = rng.random(len(phones)) < 0.05
    until = np.datetime64("2026-11-27T06:00:00", "us")
    return LedgerBatch(
        batch_id=str(uuid.UUID(bytes=rng.bytes(16), version=4)),
        phones=phones,
        verdicts=np.where(listed, Verdict.LISTED, Verdict.CLEAR).astype(np.int8),
        reasons=np.where(listed, "litigator", "").tolist(),
        valid_until=np.full(len(phones), until),
        list_versions=versions,
        checked_at=datetime(2026, 11, 20, 6, tzinfo=UTC) + timedelta(seconds=int(phones[0] % 9999)),
        evidence_hash="" if versions else rng.bytes(32).hex(),
        endpoint="https://dataapi.dncscrub.com",
    )


def fill(session: Session, verdicts: int) -> None:
    """Half of the verdicts from CCC, half from the store; a quarter of each a chunk."""
    rng = np.random.default_rng(7)
    size = verdicts // (2 * CHUNKS)
    versions = "internal@12,national@2026-11-20,state_fl@2026-11-19"
    for number in range(CHUNKS):
        phones = 2_015_550_000 + CHUNKS * np.arange(size, dtype=np.int64) + number
        parts = [phones[at : at + BATCH] for at in range(0, size, BATCH)]
        made = [made_up(part, rng, "") for part in parts]
        for source, batches in (("ccc", made), ("dnc", [made_up(phones, rng, versions)])):
            origin = Provenance(
                chunk=Chunk(DAY, number),
                source=source,
                policy_hash=rng.bytes(32).hex(),
                run_id=str(uuid.uuid4()),
                deployment="local",
            )
            for at in range(0, len(batches), BATCHES_AN_APPEND):
                ledger.append(session, batches[at : at + BATCHES_AN_APPEND], origin=origin)


def read(session: Session) -> int:
    return sum(part.num_rows for part in session.arrow("SELECT * FROM PHONE_VERDICTS"))


def warehouse_of(host: str, port: int) -> Warehouse:
    return Warehouse(
        WarehouseConfig(
            account="embedded",
            user="embedded",
            password="embedded",  # noqa: S106  the embedded server asks nobody who they are
            database="BENCHMARK",
            schema="LEDGER",
            connection_args={"host": host, "port": port, "protocol": "http"},
        )
    )


def task_verify(session: Session) -> dict[str, float]:
    before = peak_rss_mb()
    found = verify(session)
    assert found.whole, found.flaws
    return {"rss_mb": peak_rss_mb(), "rss_above_start_mb": peak_rss_mb() - before}


def measure(host: str, port: int, verdicts: int, rounds: int) -> Iterator[tuple[str, float]]:
    warehouse = warehouse_of(host, port)
    warehouse.ensure_schema()
    with warehouse.session() as session:
        create_tables(session, chunks=CHUNKS)
        start = time.perf_counter()
        fill(session, verdicts)
        yield "write_seconds", time.perf_counter() - start
        rows = read(session)
        yield "verdicts", rows
        yield "batches", float(session.scalar("SELECT COUNT(*) FROM SCRUB_BATCHES"))
        reading = seconds(lambda: read(session), rounds)
        whole: Callable[[], object] = lambda: verify(session)  # noqa: E731
        verifying = seconds(whole, rounds)
        yield "read_seconds", reading
        yield "verify_seconds", verifying
        yield "verify_seconds_a_million", verifying * 1e6 / rows
        yield "verify_times_reading", verifying / reading
    task = in_process("ledger", host, port)
    for name, value in task.items():
        yield f"verify_{name}", value
    with warehouse.session() as session:
        first = "SELECT MIN(phone) FROM PHONE_VERDICTS WHERE verdict = 'LISTED'"
        where = f"source = 'ccc' AND phone = {session.scalar(first)}"
        session.execute(f"UPDATE PHONE_VERDICTS SET evidence_hash = 'x' WHERE {where}")
        assert [flaw.kind for flaw in verify(session).flaws] == ["digest"]


def main() -> None:
    parser = measuring.parser(__doc__, strict=True)
    parser.add_argument("--verdicts", type=float, default=1e5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.task:
        host, port = options.task
        with warehouse_of(host, int(port)).session() as session:
            print(json.dumps(task_verify(session)))
        return
    origin = about()
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as name:
        home = Path(name)
        try:
            server = start_snowflake(home)
            found = dict(measure(server.host, server.port, int(options.verdicts), options.rounds))
        finally:
            sidecar.stop(NAME, home)
    measuring.finish(options, origin, found, TARGETS)


if __name__ == "__main__":
    main()
