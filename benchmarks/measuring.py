"""What benchmarks share: options, processes of their own, and what becomes of their figures.

Belongs here: how anything is timed, told and judged. Does not: what is measured; what a file of
figures says of where it comes from (`benchmarks/figures.py`).
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from benchmarks import figures

ROOT = Path(__file__).parents[1]
Targets = Mapping[str, tuple[Literal["at most", "at least"], float]]


def parser(doc: str | None, *, strict: bool = False) -> argparse.ArgumentParser:
    """The options of every benchmark, and `--strict` of one with targets."""
    made = argparse.ArgumentParser(description=doc)
    made.add_argument("--json", type=Path, help="write the figures here, too")
    made.add_argument("--task", nargs="+", help=argparse.SUPPRESS)  # see `in_process`
    if strict:
        made.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    return made


def seconds(work: Callable[[], object], repeat: int = 1) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def peak_rss_mb() -> float:
    """Tell the most memory this process ever held: not its parent's, as `getrusage` would."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def in_process(benchmark: str, *task: object) -> dict[str, float]:
    """Run a benchmark's task in a process of its own, for its memory and its cold start."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--task", *map(str, task)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def show(found: Mapping[str, float], targets: Targets | None = None, indent: str = "") -> bool:
    """Print figures, each with its target if it has one; tell whether all of these are met."""
    whole = True
    for name, value in found.items():
        kind, bound = (targets or {}).get(name, ("", 0.0))
        met = not kind or (value <= bound if kind == "at most" else value >= bound)
        verdict = f"  {kind} {bound:g}: {'met' if met else 'MISSED'}" if kind else ""
        print(f"{indent}{name:45} {value:>14,.3f}{verdict}", flush=True)
        whole = whole and met
    return whole


def finish(
    options: argparse.Namespace,
    origin: Mapping[str, Any],
    found: Mapping[str, float],
    targets: Targets | None = None,
) -> None:
    """Print figures, keep them where `--json` says, and judge them."""
    met = show(found, targets)
    if options.json:
        figures.keep(options.json, origin, found)
    if targets and options.strict and not met:
        raise SystemExit(1)
