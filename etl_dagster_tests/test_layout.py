"""The layout that a newcomer may rely on."""

import ast
import re

from etl_dagster.settings import PROJECT

PACKAGE = PROJECT / "etl_dagster"
TESTS = PROJECT / "etl_dagster_tests"
LONGEST = 250
STANDS_ALONE = PACKAGE / "evidence" / "verify.py"
"""Handed out as a script, so it is one file."""
OF_THE_PROJECT = {"benchmarks", "cluster", "e2e"}
"""Folders of tests that are of no package: they test what is around it, or all of it."""


def test_every_module_is_short_enough_to_be_read_at_once() -> None:
    lines = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
        if path != STANDS_ALONE
    }
    assert not {str(path): count for path, count in lines.items() if count > LONGEST}


def test_every_module_and_package_says_what_belongs_there() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert path.read_text(encoding="utf-8").startswith(('"""', "#!")), path


def test_a_map_of_a_package_has_each_of_its_modules() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        told = set(re.findall(r"(?<![\w/])(\w+)\.py\b", text))
        there = {one.stem for one in path.parent.glob("*.py")} - {"__init__"}
        assert told in (set(), there), path


def test_test_folders_mirror_the_packages() -> None:
    folders = {path.parent.name for path in TESTS.glob("*/__init__.py")}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - OF_THE_PROJECT <= packages
    assert packages - folders == {"settings"}  # its test is one module, `test_settings.py`
