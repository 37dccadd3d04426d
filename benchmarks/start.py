"""How long a process takes before it does anything, and how much memory that takes.

usage: python -m benchmarks.start [--rounds 5] [--json FILE] [--strict]

`help`: `etl-dagster --help`, from the process's start to its end. `definitions`: what a code
location loads, `definitions.py` with everything that it defines. `first_sql`: `etl-dagster
retract`, which is a run through Dagster, up to the first statement that is handed to the Snowflake
connector, the servers being up; `first_sql_plain`: the same of `etl-dagster sql`, which needs no
Dagster. Beside them stand `import dagster`, `import snowflake.connector`, both with a Dagster
instance open (`both`: what any run of anybody's holds) and Python itself. Memory
is the most that the process ever held till then, resident and with what it shares. Of several
rounds the best counts, since whatever else the machine does can only add to a time; the processor's
seconds (`_cpu_seconds`) hardly depend on it.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import measuring
from benchmarks.day import servers
from benchmarks.figures import about
from benchmarks.measuring import ROOT, Targets
from benchmarks.world import make_store
from etl_dagster.connect import connect

TARGETS: Targets = {
    "help_seconds": ("at most", 0.5),
    "definitions_seconds": ("at most", 3.0),
    "first_sql_seconds": ("at most", 2.5),
    "first_sql_mb": ("at most", 150.0),
}
NUMBERS = 100_000
# Each is the whole program of a process: an import of this module would be measured, too.
HELD = """
import atexit, sys, time
told = []
def tell():
    if not told:
        held = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
        told.append(f"told {time.time()} {time.process_time()} {int(held) / 1024}")
atexit.register(lambda: print(told[0], file=sys.stderr))
atexit.register(tell)
"""
COMMAND = "from etl_dagster.cli import main; main(prog_name='etl-dagster')"
FIRST_SQL = f"""
from snowflake.connector.cursor import SnowflakeCursor
execute = SnowflakeCursor.execute
def first(*arguments, **named):
    tell()
    return execute(*arguments, **named)
SnowflakeCursor.execute = first
{COMMAND}
"""
BOTH = """
import tempfile
import dagster, snowflake.connector
folder = tempfile.TemporaryDirectory()
with folder as home, dagster.DagsterInstance.local_temp(home) as instance:
    instance.get_runs(limit=1)
    tell()
"""
PROGRAMS = {
    "python": ("",),
    "import_dagster": ("import dagster",),
    "import_connector": ("import snowflake.connector",),
    "both": (BOTH,),
    "help": (COMMAND, "--help"),
    "definitions": ("import etl_dagster.definitions as d; d.build_defs().get_repository_def()",),
    "first_sql_plain": (FIRST_SQL, "sql", "SELECT 1"),
    "first_sql": (FIRST_SQL, "retract"),
}


def measure(name: str, env: Mapping[str, str], rounds: int) -> dict[str, float]:
    code, *arguments = PROGRAMS[name]
    found: dict[str, float] = {}
    for _ in range(rounds):
        start = time.time()
        done = subprocess.run(
            [sys.executable, "-c", HELD + code, *arguments],
            env=env, cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        moment, processor, held = map(float, done.stderr.split()[-3:])
        seen = {"seconds": moment - start, "cpu_seconds": processor, "mb": held}
        found = {unit: min(value, found.get(unit, value)) for unit, value in seen.items()}
    return {f"{name}_{unit}": value for unit, value in found.items()}


def measure_all(folder: Path, rounds: int) -> dict[str, float]:
    found: dict[str, float] = {}
    with servers(folder, chunks=1) as (env, settings):
        make_store(settings.dnc_store, NUMBERS)
        connect(settings).close()  # so that the servers are up
        for name in PROGRAMS:
            found |= measure(name, env, rounds)
    found["definitions_times_import_dagster"] = (
        found["definitions_seconds"] / found["import_dagster_seconds"]
    )
    return found


def main() -> None:
    parser = measuring.parser(__doc__, strict=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    origin = about()
    with tempfile.TemporaryDirectory(prefix="start-bench-") as folder:
        found = measure_all(Path(folder), options.rounds)
    measuring.finish(options, origin, found, TARGETS)


if __name__ == "__main__":
    main()
