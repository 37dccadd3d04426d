"""Mutants of the verdicts' SQL: one word of a statement is changed, and the tests have to notice.

Belongs here: which words are changed into which, and running the tests of `[tool.sql_mutants]` in
pyproject.toml on a copy of the project. Does not: mutants of Python.

`python -m etl_dagster_tests.sql_mutants [STATEMENT[:LINE[-LINE]]...]` names each mutant that no
test of its statement's group noticed; all of `pyproject.toml` if no statement is named.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import sqlglot
from _pytest.runner import runtestprotocol

from etl_dagster.warehouse.errors import StatementError
from etl_dagster.warehouse.session import Warehouse
from etl_dagster.warehouse.statements import sql
from etl_dagster.warehouse.tables import create_tables

CONFIG = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["sql_mutants"]
FOLDER = Path(CONFIG["folder"])
TESTS = {name: group["tests"] for group in CONFIG["groups"] for name in group["statements"]}
"""The patterns of the tests that have to notice a change of a statement."""
WORDS = {
    "=": ["<>"],
    "<>": ["="],
    "<": ["<=", ">"],
    "<=": ["<", ">"],
    ">": [">=", "<"],
    ">=": [">", "<"],
    "+": ["-"],
    "-": ["+"],
    "AND": ["OR"],
    "OR": ["AND"],
    "NOT": [""],
    "IS": ["IS NOT"],
    "IN": ["NOT IN"],
    "UNION": ["UNION ALL"],
    "FULL": ["LEFT"],
    "LEFT": [""],
    "JOIN": ["LEFT JOIN"],
    "MIN": ["MAX"],
    "MAX": ["MIN"],
    "LEAST": ["GREATEST"],
    "GREATEST": ["LEAST"],
    "ASC": ["DESC"],
    "DESC": ["ASC"],
    "FIRST": ["LAST"],
    "DISTINCT": [""],
    "TRUE": ["FALSE"],
    "FALSE": ["TRUE"],
}
SKIPPED = {("OR", "REPLACE"), ("IS", "NOT"), ("LEFT", "("), ("LEFT", "OUTER")}
"""Words that mean something else before such a word."""


def mutants(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a mutant differs from a statement (start, end), and what it has there."""
    tokens = sqlglot.tokenize(text, read="snowflake")
    words = [text[token.start : token.end + 1] for token in tokens]
    for at, (token, word) in enumerate(zip(tokens, words, strict=True)):
        here, after, before = word.upper(), words[at + 1 : at + 2], words[at - 1].upper()
        span = token.start, token.end + 1
        if (here, *map(str.upper, after)) in SKIPPED or (here == "JOIN" and before != ")"
            and before in {"LEFT", "OUTER"}):  # fmt: skip
            continue
        for other in WORDS.get(here, []):
            yield *span, other
        if here in {"COALESCE", "IFF"}:
            end, parts = arguments(tokens, words, at + 1, text)
            for part in parts[1:] if here == "IFF" else parts[:1]:
                yield token.start, end, f"({part})"
        elif word.startswith("'"):
            yield *span, "''" if word != "''" else "'x'"
        elif word.isdigit():
            yield *span, str(int(word) + 1)
        elif found := re.fullmatch(r"(\w*[a-z]_?)([123])", word):
            yield *span, found[1] + str(int(found[2]) % 3 + 1)


def arguments(tokens: list, words: list[str], at: int, text: str) -> tuple[int, list[str]]:
    """Where a call ends whose bracket is at a token, and the texts of its arguments."""
    depth, parts, start = 0, [], tokens[at].end + 1
    for token, word in zip(tokens[at:], words[at:], strict=True):
        depth += (word == "(") - (word == ")")
        if (word == "," and depth == 1) or depth == 0:
            parts.append(text[start : token.start].strip())
            start = token.end + 1
        if depth == 0:
            return token.end + 1, parts
    raise ValueError("a bracket that does not close")


def chosen(items: list[pytest.Item], patterns: list[str]) -> list[pytest.Item]:
    """The tests that patterns name, in their order."""
    folder = CONFIG["tests"]
    found = [
        [item for item in items if fnmatchcase(item.nodeid, f"{folder}/{pattern}")]
        for pattern in patterns
    ]
    assert all(found), f"a pattern of {patterns} names no test"
    return list(dict.fromkeys(item for some in found for item in some))


class Mutation:
    """Runs the tests that were collected once for each mutant, the last killer first."""

    warehouse: Warehouse

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.survived: list[str] = []

    @pytest.fixture(scope="session", autouse=True)
    @classmethod
    def _kept(cls, tables_warehouse: Warehouse) -> None:
        cls.warehouse = tables_warehouse

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for name, _, only in (name.partition(":") for name in self.names):
            items = chosen(session.items, TESTS[name])
            first, _, last = only.partition("-")
            lines = range(int(first), int(last or first) + 1) if only else None
            assert not self.killed(items), "a test fails without any mutant"
            file, started, count = FOLDER / f"{name}.sql", time.monotonic(), 0
            text = file.read_text()
            body = re.match(r"(--[^\n]*\n)*", text).end()
            before = len(self.survived)
            for start, end, other in mutants(text):
                line = text.count("\n", 0, start) + 1
                if start < body or line not in (lines or [line]):
                    continue
                count += 1
                file.write_text(text[:start] + other + text[end:])
                if not (self.renewed(name) and not self.killed(items)):
                    continue
                whole = " ".join(text.splitlines()[line - 1].split())
                changed = " ".join(text[start:end].split())
                self.survived.append(f"{name}:{line}: `{changed}` -> `{other}` in `{whole}`")
                print(self.survived[-1], flush=True)
            file.write_text(text)
            self.renewed(name)
            assert not self.killed(items), "by now a test fails without any mutant"
            lived, seconds = len(self.survived) - before, time.monotonic() - started
            print(f"== {name}: {count} mutants, {lived} survived, {seconds:.0f} s", flush=True)
        session._setupstate.teardown_exact(None)
        session.testsfailed = len(self.survived)
        return True

    def renewed(self, name: str) -> bool:
        """Whether the views can be made of what the files now say."""
        sql.cache_clear()
        if "/" not in name:
            return True
        with self.warehouse.session() as session:
            session.execute("DELETE FROM LEADS")  # whose chunks are checked, not what is meant here
            try:
                create_tables(session, chunks=1)
            except StatementError:
                return False
        return True

    @staticmethod
    def killed(items: list[pytest.Item]) -> bool:
        for item in items:
            reports = runtestprotocol(item, nextitem=item.session, log=False)
            if any(report.failed for report in reports):
                items.remove(item)
                items.insert(0, item)
                return True
        return False


def main() -> None:
    if "SQL_MUTANTS_HERE" not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("etl_dagster", "etl_dagster_tests"):
                shutil.copytree(name, Path(folder, name))
            shutil.copy("pyproject.toml", folder)
            here = {**os.environ, "SQL_MUTANTS_HERE": "1", "PYTHONPATH": folder}
            again = [sys.executable, "-m", "etl_dagster_tests.sql_mutants"]
            # each in a process of its own: the stories are of the hour in which it began
            done = [
                subprocess.run([*again, name], cwd=folder, env=here, check=False).returncode
                for name in sys.argv[1:] or TESTS
            ]
            sys.exit(max(done))
    names = sys.argv[1:]
    patterns = {pattern for name in names for pattern in TESTS[name.partition(":")[0]]}
    files = sorted({f"{CONFIG['tests']}/{pattern.partition('::')[0]}" for pattern in patterns})
    # nobody reads why a test fails, so that nothing is made of it
    quick = ["-q", "-s", "--assert=plain", "--tb=native", "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*quick, *files], plugins=[Mutation(names)]))


if __name__ == "__main__":
    main()
