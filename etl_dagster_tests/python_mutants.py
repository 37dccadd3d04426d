"""Mutants of Python: one operator, name or constant is changed, and the tests have to notice.

Belongs here: choosing and running the tests for each mutant (`[tool.python_mutants]` in
pyproject.toml). Does not: making mutants (mutants_made.py), mutants of SQL.

`python -m etl_dagster_tests.python_mutants [MODULE...]`, as `dnc/segments`, names each mutant that
no test noticed; all of `only_mutate` of `[tool.mutmut]` if no module is named. Tests are collected
once, and each mutant runs in a fork of that session. What was found is kept in `mutants/`: a run
that was stopped goes on, and a mutant that survived is tried again once the tests have changed.
"""

import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from etl_dagster_tests.mutants_made import Mutant, changed, digest

CONFIG = tomllib.loads(Path("pyproject.toml").read_text())["tool"]
MODULES = [path.split("/", 1)[1][:-3] for path in CONFIG["mutmut"]["only_mutate"]]
HERE = Path("mutants")
FOUND, REACHED = Path("found.jsonl"), Path("reached.json")
"""What is kept of mutants and of tests."""
LONGEST, ALL = 3.0, 3.0
"""Seconds of a test that is run for mutants; of a module's own that run for one, and of others."""
MEMORY = 6 << 30
MEMORY_DISK = next((one for one in ("/dev/shm",) if Path(one).is_dir()), None)  # noqa: S108
COPIED = ("etl_dagster", "etl_dagster_tests", "campaigns", "docs")
OUTCOMES = ("left out", "killed", "timeout", "survived", "not reached")


class Mutation:
    """Runs tests for each mutant: the last killers first, then the module's own, then others."""

    def __init__(self, mutants: dict[str, list[Mutant]], settings: dict, tests: str) -> None:
        self.mutants = mutants
        self.own = settings.get("own", {})
        self.tests = tests
        self.sources = " ".join(one.digest for some in mutants.values() for one in some)
        self.found: dict[str, str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        FOUND.touch()
        for mutant, outcome, tests in map(json.loads, FOUND.read_text().splitlines()):
            if outcome in {"killed", "timeout"} or tests == self.tests:
                self.found[mutant] = outcome
        self.items = {item.nodeid: item for item in session.items}
        self.measure()
        gc.collect()
        gc.freeze()  # what a fork does not touch is not copied
        for module, mutants in self.mutants.items():
            counts = Counter(self.outcome_of(module, mutant) for mutant in mutants)
            row = " | ".join(str(counts[outcome]) for outcome in OUTCOMES)
            print(f"== | `{module}.py` | {len(mutants)} | {row} |", flush=True)
            session.testsfailed += counts["survived"]
        return True

    def measure(self) -> None:
        """How long each test takes, and which functions it reaches."""
        self.seconds: dict[str, float] = {}
        self.reaching: dict[str, list[str]] = defaultdict(list)
        self.killers: dict[str, Counter[str]] = defaultdict(Counter)
        set_mutant_under_test("stats")
        known = json.loads(REACHED.read_text()) if REACHED.exists() else {}
        measured = {}
        for name, item in self.items.items():
            key = f"{name} {digest(item.path.read_text() + self.sources)}"
            measured[key] = self.seconds[name], reached = known.get(key) or self.reached(item)
            for function in reached if self.seconds[name] <= LONGEST else ():
                self.reaching[function].append(name)
        REACHED.write_text(json.dumps(known | measured))
        print(f"== {len(self.items)} tests, {sum(self.seconds.values()):.0f} s", flush=True)

    @staticmethod
    def reached(item: pytest.Item) -> tuple[float, list[str]]:
        state()._stats.clear()
        started = time.process_time()
        reports = runtestprotocol(item, nextitem=None, log=False)
        seconds = time.process_time() - started
        assert not any(report.failed for report in reports), f"{item} fails without any mutant"
        return seconds, sorted(state()._stats)

    def outcome_of(self, module: str, mutant: Mutant) -> str:
        if mutant.only_words:
            return "left out"
        if not (outcome := self.found.get(mutant.digest)):
            tests = [*self.chosen(module, mutant)]
            outcome = self.run(mutant, tests) if tests else "not reached"
            with FOUND.open("a") as file:
                print(json.dumps([mutant.digest, outcome, self.tests]), file=file)
        if outcome != "killed":
            name = mutant.name.rpartition(".")[2]
            print(f"{outcome}: {module}:{name}: {mutant.text}", flush=True)
        return outcome

    def chosen(self, module: str, mutant: Mutant) -> Iterator[str]:
        """What killed before, what the module names as its own, and the quickest of the others."""
        own, kills = self.own.get(module.rpartition("/")[2], []), self.killers[mutant.function]
        places = {
            name: next((place for place, word in enumerate(own) if word in name), len(own))
            for name in self.reaching[mutant.function]
        }
        left = {True: ALL, False: ALL}
        for name in sorted(
            places, key=lambda one: (not kills[one], places[one], self.seconds[one])
        ):
            if left[is_own := places[name] < len(own)] > 0:
                left[is_own] -= self.seconds[name]
                yield name

    def run(self, mutant: Mutant, tests: list[str]) -> str:
        read, write = os.pipe()
        if not (child := os.fork()):
            self.run_here(mutant, tests, write)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):  # what the tests started
            os.killpg(child, signal.SIGKILL)
        with os.fdopen(read) as told:
            begun = told.read().splitlines()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGALRM}:
            return "timeout"
        if status == 0:
            return "survived"
        self.killers[mutant.function].update(begun[-1:])
        return "killed"

    def run_here(self, mutant: Mutant, tests: list[str], told: int) -> None:
        """Run the tests in this fork, which ends here."""
        status = 1
        try:
            os.setsid()
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            set_mutant_under_test(mutant.name)
            for name in tests:
                os.write(told, f"{name}\n".encode())
                most = int(time.process_time() + 3 + 6 * self.seconds[name])
                resource.setrlimit(resource.RLIMIT_CPU, (most, -1))
                signal.alarm(30 + int(20 * self.seconds[name]))
                reports = runtestprotocol(self.items[name], nextitem=None, log=False)
                if any(report.failed for report in reports):
                    return
            status = 0
        finally:
            os._exit(status)


def run_group(folder: str, modules: list[str]) -> int:
    """Run the mutants of a folder's modules, in the copy of the project that is here."""
    settings = CONFIG["python_mutants"][folder]
    files = [file for one in settings["tests"] for file in sorted(Path().glob(one))]
    tests = digest("".join(file.read_text() for file in files))
    mutants = {module: changed(module) for module in modules}
    # nobody reads why a test fails, so that nothing is made of it
    quick = ["-q", "-s", "--assert=plain", "--tb=native", "-p", "no:cacheprovider"]
    chosen = ["-o", "timeout=0", "-o", "tmp_path_retention_policy=none"]
    chosen += ["-m", "not slow and not browser and not cluster", "-k", settings.get("only", "test")]
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as base:
        arguments = [*quick, *chosen, f"--basetemp={base}/tests", *map(str, files)]
        return int(pytest.main(arguments, plugins=[Mutation(mutants, settings, tests)]))


def main() -> None:
    asked = sys.argv[1:] or MODULES
    if "PYTHON_MUTANTS_HERE" in os.environ:
        sys.exit(run_group(asked[0].partition("/")[0], asked))
    HERE.mkdir(exist_ok=True)
    for name in COPIED:
        shutil.rmtree(HERE / name, ignore_errors=True)
        shutil.copytree(name, HERE / name)
    shutil.copy("pyproject.toml", HERE)
    here = {**os.environ, "PYTHON_MUTANTS_HERE": "1", "PYTHONPATH": str(HERE.absolute())}
    again = [sys.executable, "-m", "etl_dagster_tests.python_mutants"]
    done = [
        subprocess.run([*again, *group], cwd=HERE, env=here, check=False).returncode
        for _, group in groupby(asked, lambda module: module.partition("/")[0])
    ]
    sys.exit(max(done))


if __name__ == "__main__":
    main()
