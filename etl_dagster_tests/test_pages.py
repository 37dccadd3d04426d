"""Every command in the pages for people runs as it stands there, or says why it cannot here.

A page's ```sh blocks are one script, run in a folder of its own. The README's come first, and what
they leave in the fresh home serves the others. A block after `<!-- not run: why -->` is only held
against the commands and their options, as are the commands that stand within sentences.
"""

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_dagster.settings import PROJECT
from etl_dagster_tests.cli.test_cli import clean_environment
from etl_dagster_tests.test_docs import commands

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {"README.md": 1, "operations.md": 2, "your_snowflake.md": 3}
"""Blocks that need what is not here: another is a decision, not an oversight."""
OPTIONS = {
    name.removeprefix("etl-dagster "): {option for each in command.params for option in each.opts}
    for name, command, _ in commands()
}


def blocks(page: Path) -> Iterator[tuple[bool, str]]:
    """Whether each block runs, and its text."""
    for marked, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        yield not marked, text


def faults(text: str) -> Iterator[str]:
    """What the command line does not know of the commands in a text."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.findall(r"\betl-dagster ([a-z][^`\n]*)", line):
            words = shlex.split(re.split(r" && | \|(?=\s)|; ", part)[0], comments=True)
            names = [name for name in OPTIONS if f"{' '.join(words)} ".startswith(f"{name} ")]
            groups = {name.split()[0] for name in OPTIONS if " " in name}
            if not names and not (words[0] in groups and (len(words) == 1 or "|" in words[1])):
                yield part
            for word in words if names and names[0] != "ui" else ():
                option = word.strip("[]()").partition("=")[0]
                if option.startswith("--") and option not in {*OPTIONS[names[0]], "--help"}:
                    yield f"{names[0]} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    spoken = "\n".join(" ".join(part.split()) for part in re.findall(r"`(etl-dagster[^`]+)`", text))
    shown = "\n".join(block for _, block in blocks(page))
    assert [*faults(spoken), *faults(shown)] == []
    targets = re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", f"{text}\n{shown}", re.MULTILINE)
    assert set(named) <= set(targets)
    assert "--" in "".join(OPTIONS["run"])


def test_the_units_of_systemd_start_what_there_is() -> None:
    text = "\n".join(file.read_text("utf-8") for file in PROJECT.glob("deploy/**/*.service"))
    assert {*re.findall(r"/bin/etl-dagster ([\w-]+)", text)} == {"ui"} <= OPTIONS.keys()


def test_commands_stand_in_blocks_that_run_or_say_why_not() -> None:
    indented = [
        f"{page.name}: {line}"
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.match(r" {4}(etl-dagster|make|export|docker|kubectl|git|pip) ", line)
    ]
    assert indented == []
    # what the sample has depends on the day: a command that names one works that week alone
    dated = [
        f"{page.name}: {line}"
        for page in PAGES
        for line in "\n".join(text for runs, text in blocks(page) if runs).splitlines()
        if re.search(r"--(date|on|from|to) 20", line)
    ]
    assert dated == []
    counted = Counter(page.name for page in PAGES for runs, _ in blocks(page) if not runs)
    assert counted == NOT_RUN


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_every_page_runs(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("dagster", "etl-dagster"):
        program = tmp_path / "bin" / name
        module = f"{sys.executable} -m {name.replace('-', '_')}"
        program.write_text(f'#!/bin/sh\nexec {module} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    environment = {
        **clean_environment(),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "ETL_HOME": str(tmp_path / "home"),
    }
    failed = {}
    try:
        for page in PAGES:
            script = "\n".join(text for runs, text in blocks(page) if runs)
            folder = tmp_path / page.stem
            folder.mkdir()
            done = subprocess.run(
                ["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                failed[page.name] = done.stdout[-1500:] + done.stderr[-1500:]
    finally:
        subprocess.run([program, "sandbox", "down"], env=environment, check=False)
    assert failed == {}
