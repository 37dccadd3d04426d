"""Mutants of Python as mutmut makes them, and which of them change only words.

Belongs here: making a module one that has all its mutants, and comparing them with what it was.
Does not: running tests for them (python_mutants.py).
"""

import ast
import hashlib
import re
from functools import cache
from itertools import takewhile
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents

TEXTS = {"text", "hint", "what", "says", "title", "also", "known_as"}
"""Variables that hold words for people."""
WORDED = ("_corrupt", "_refuse", "_some", "_day")
"""Functions that make words for people of what they are given."""
AROUND = 60
"""Characters that are shown before and after what changed."""
SQL = re.compile(r"(?i)\b(SELECT|INSERT|PRAGMA|UPDATE|REPLACE|DELETE|BEGIN|COMMIT|WHERE)\b")


class Worded(ast.NodeTransformer):
    """A function without what it says to people, and without the spelling of SQL and codecs."""

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id in TEXTS:
            node.value = ast.Constant("")
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in WORDED or name.endswith("Error"):
            return node.func
        if name in {"encode", "decode", "read_text"}:
            return ast.parse(ast.unparse(node).lower())
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and SQL.search(node.value) and "'" not in node.value:
            return ast.Constant(node.value.lower())
        return node


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def read(function: ast.FunctionDef) -> tuple[str, str]:
    """The text of a function, and what it is without words."""
    function.name = "f"
    return ast.unparse(function), ast.dump(Worded().visit(function))


def alike(one: str, other: str) -> int:
    """How many characters are the same at the start of both."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


class Mutant:
    """A function with one thing changed; `text` says what into what, and where."""

    def __init__(self, name: str, was: ast.FunctionDef, now: ast.FunctionDef) -> None:
        self.name = name
        self.function = name.rpartition("__mutmut_")[0]
        (before, plain), (after, other) = read(was), read(now)
        start = alike(before, after)
        same = alike(before[start:][::-1], after[start:][::-1])
        end = len(before) - same
        around = " ".join(before[max(start - AROUND, 0) : end + AROUND].split())
        self.text = f"`{before[start:end]}` -> `{after[start : len(after) - same]}` in `{around}`"
        self.digest = digest(f"{self.function} {before.splitlines()} {after.splitlines()}")
        self.only_words = plain == other or self.function.endswith(WORDED)


def changed(module: str) -> list[Mutant]:
    """The mutants of a module, whose file is made one that has them all."""
    path = Path("etl_dagster", f"{module}.py")
    text = path.read_text()
    kept = Path("made", digest(text))
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(mutate_file_contents(str(path), text).code)
    path.write_text(made := kept.read_text())
    found = {
        node.name: node
        for node in ast.walk(ast.parse(made))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }
    dotted = f"etl_dagster.{module.replace('/', '.')}"
    return [
        Mutant(f"{dotted}.{name}", found[name.rpartition("__mutmut_")[0] + "__mutmut_orig"], node)
        for name, node in found.items()
        if not name.endswith("_orig")
    ]
