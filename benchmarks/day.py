"""A whole day at size, from `etl-dagster run` to published leads, all parts real and in one run.

usage: python -m benchmarks.day [--leads 1e4 ...] [--numbers 2e6] [--chunks 4] [--home FOLDER]
                                [--json FILE]

The figures that the documents quote are from `--leads 1e4 1e5 1e6 --numbers 2.5e8 --chunks 8`.
The sample campaigns run over the sample's tables in the embedded Snowflake, CCC is a sandbox that
takes 50 ms an answer, the Do-Not-Call store is of national size. A size is a day of its own.
Seconds of stages are Dagster's and our own (`seconds_*`, which Dagster keeps as metadata); what is
left of the wall time is the process's start, the lists' sensors, and Dagster.

`dagster_overhead_seconds` is all the time of that same run in which the main thread was in Dagster
and in no code of ours below it (`benchmarks/sampling.py`): its import, its definitions, its events.
`dagster_overhead_share` is that by the whole wall time, from the process's start to its end.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil

from benchmarks import figures, measuring
from benchmarks.ccc import sandbox
from benchmarks.world import make_store
from etl_dagster.connect import connect
from etl_dagster.sandbox import data, sidecar
from etl_dagster.settings import Settings

SPREAD = timedelta(days=8)
"""Days of a size lie so far apart that no person is on two of them."""


def environment(home: Path, ccc_url: str, chunks: int) -> dict[str, str]:
    return {
        **os.environ,
        "ETL_HOME": str(home),
        "ETL_CHUNKS": str(chunks),
        "ETL_START_DATE": "2020-01-01",
        "DNC_DB_PATH": str(home / "national.sqlite"),
        "CCC_API_URL": ccc_url,
        "CCC_REQUESTS_PER_MINUTE": "1000000",
    }


def day_of(leads: float) -> date:
    """The day of a size, the same in a home that is used again."""
    return datetime.now(UTC).date() - SPREAD * round(10 * math.log10(leads))


def load_day(settings: Settings, day: date, leads: int) -> None:
    """Give a day its sample rows, unless it has them."""
    with connect(settings).session() as session:
        days = f"{data.SCHEMA}.SAMPLE_DAYS"
        if session.scalar(f"SELECT COUNT(*) FROM {days} WHERE day = %(day)s", {"day": day}):
            return
        with session.transaction():
            for table, rows in (
                (data.PROPERTIES, data.sample_properties(day, leads_per_day=leads)),
                (data.CONTACTS, data.sample_contacts(day, leads_per_day=leads)),
            ):
                session.load(f"{data.SCHEMA}.{table}", rows)
            session.execute(f"INSERT INTO {days} VALUES (%(day)s)", {"day": day})


@contextmanager
def watched(server: int) -> Iterator[dict[str, float]]:
    """Note the most memory of our processes, and of the embedded server, while the body runs."""
    peak = {"rss_mb": 0.0, "cpu_seconds": 0.0, "server_rss_mb": 0.0}
    done = threading.Event()

    def look() -> None:
        own = psutil.Process()
        while not done.wait(0.1):
            for child in own.children(recursive=True):
                try:
                    command, cpu = child.cmdline(), child.cpu_times()
                    rss = child.memory_info().rss / 2**20
                except psutil.NoSuchProcess:
                    continue
                if "run" in command:
                    peak["rss_mb"] = max(peak["rss_mb"], rss)
                    peak["cpu_seconds"] = cpu.user + cpu.system
            peak["server_rss_mb"] = max(
                peak["server_rss_mb"], psutil.Process(server).memory_info().rss / 2**20
            )

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def run_day(env: Mapping[str, str], day: date, home: Path, server: int) -> dict[str, float]:
    out, shares = home / "day.json", home / "shares.json"
    command = [sys.executable, "-m", "benchmarks.sampling", str(shares), "run"]
    command += ["--date", f"{day}", "--json", str(out)]
    before = psutil.Process(server).cpu_times()
    with watched(server) as peak:
        start = time.perf_counter()
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, cwd=measuring.ROOT)
        took = time.perf_counter() - start
    after = psutil.Process(server).cpu_times()
    records = json.loads(out.read_text())
    dagster = json.loads(shares.read_text())["dagster_seconds"]
    steps = {f"{name}_seconds": value for name, value in records[0]["seconds"].items()}
    return {
        "day_seconds": took,
        **steps,
        "outside_steps_seconds": took - sum(steps.values()),
        "dagster_overhead_seconds": dagster,
        "dagster_overhead_share": dagster / took,
        "server_cpu_seconds": after.user + after.system - before.user - before.system,
        **peak,
        **{
            name: sum(record[name] for record in records)
            for name in ("extracted", "callable", "blocked", "unknown")
        },
    }


def timings(home: Path) -> dict[str, float]:
    """The parts of the steps, as Dagster keeps them."""
    wanted: dict[str, float] = {}
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        for asset in ("leads", "ccc_enriched", "dnc_filtered", "callable_leads"):
            event = instance.get_latest_materialization_event(dg.AssetKey(asset))
            assert event is not None
            found = event.asset_materialization.metadata
            for name, value in found.items():
                if name.startswith("seconds_"):
                    wanted[f"{asset}.{name.removeprefix('seconds_')}"] = float(value.value)
    return wanted


@contextmanager
def servers(home: Path, chunks: int) -> Iterator[tuple[dict[str, str], Settings]]:
    """A home folder's environment and settings, with a CCC sandbox; what runs is stopped."""
    home.mkdir(parents=True, exist_ok=True)
    with sandbox() as (url, _):
        env = environment(home, url, chunks)
        try:
            yield env, Settings.from_environment(env)
        finally:
            sidecar.stop("snowflake", home)


def measure_day(
    env: Mapping[str, str], settings: Settings, day: date, leads: int
) -> dict[str, float]:
    """Run a day of so many leads as a user does."""
    home = settings.home
    load_day(settings, day, leads)
    server = sidecar.find("snowflake", home)
    assert server is not None
    return run_day(env, day, home, server.pid) | timings(home)


def show(sizes: Mapping[str, Mapping[str, float]]) -> None:
    for leads, found in sizes.items():
        print(f"{leads} leads")
        measuring.show(found, indent="  ")


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--leads", type=float, nargs="+", default=[1e4])
    parser.add_argument("--numbers", type=float, default=2e6)
    parser.add_argument("--chunks", type=int, default=4)
    parser.add_argument("--home", type=Path, help="kept, and used again, if given")
    options = parser.parse_args()
    about = figures.about()
    with (
        tempfile.TemporaryDirectory(prefix="day-bench-") as folder,
        servers(options.home or Path(folder), options.chunks) as (env, settings),
    ):
        make_store(settings.dnc_store, int(options.numbers))
        sizes = {
            f"{leads:.0f}": measure_day(env, settings, day_of(leads), int(leads))
            for leads in options.leads
        }
    show(sizes)
    if options.json:
        setup = {"numbers": int(options.numbers), "chunks": options.chunks}
        figures.keep(options.json, about, {**setup, "sizes": sizes})


if __name__ == "__main__":
    main()
