"""Pages and tables of the docs that say what the program says: definitions, settings, commands.

To renew them after a change: `python -m etl_dagster_tests.test_docs`, then read the difference.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import pytest

from etl_dagster.cli import main
from etl_dagster.definitions import build_defs
from etl_dagster.defs.stage_checks import CHECKS
from etl_dagster.settings import PROJECT, REQUIRED_IN_PRODUCTION, Settings

PAGE = PROJECT / "docs" / "operations.md"
COMPLIANCE = PROJECT / "docs" / "compliance.md"
SECURITY = PROJECT / "SECURITY.md"
SETTINGS = Settings.from_environment({"ETL_START_DATE": "2026-11-01"})


def triggers_table() -> str:
    """Schedules and sensors: what each does, and whether it is on by default."""
    repository = build_defs(SETTINGS).get_repository_def()
    lines = ["| name | by default | what it does |", "| --- | --- | --- |"]
    on = (dg.DefaultScheduleStatus.RUNNING, dg.DefaultSensorStatus.RUNNING)
    for one in [*repository.schedule_defs, *repository.sensor_defs]:
        state = "on" if one.default_status in on else "**off**"
        kind = "schedule" if isinstance(one, dg.ScheduleDefinition) else "sensor"
        words = str(one.description).replace(str(SETTINGS.home), "ETL_HOME")
        lines.append(f"| `{one.name}` ({kind}) | {state} | {words} |")
    return "\n".join(lines)


def checks_table() -> str:
    """Checks: what holds when they pass, what to do when they do not."""
    lines = ["| check | blocks | what holds, and what to do if it fails |", "| --- | --- | --- |"]
    lines += [
        f"| `{asset}`: `{check.name}` | {'yes' if check.blocks else 'no'} |"
        f" {check.says} If it fails: {check.advice} |"
        for asset, checks in CHECKS.items()
        for check in checks
    ]
    lines += _standing_checks()
    return "\n".join(lines)


def _standing_checks() -> Iterator[str]:
    """Checks that are not made by a stage."""
    graph = build_defs(SETTINGS).get_repository_def().asset_graph
    made = {(asset, check.name) for asset, checks in CHECKS.items() for check in checks}
    for key in sorted(graph.asset_check_keys, key=str):
        asset = key.asset_key.to_user_string()
        if (asset, key.name) not in made:
            spec = graph.get_check_spec(key)
            blocks = "yes" if spec.blocking else "no, hourly"
            yield f"| `{asset}`: `{key.name}` | {blocks} | {spec.description} |"


def settings_page() -> str:
    """Every setting, as `docs/settings.md`."""
    lines = [
        "# Settings\n",
        "All are environment variables, checked together at every start. Written by",
        "`python -m etl_dagster_tests.test_docs`.\n",
        "| setting | default | meaning |\n| --- | --- | --- |",
    ]
    for field in Settings.model_fields.values():
        default = str(field.default).removeprefix(f"{PROJECT}/") if field.default else ""
        shown = f"`{default}`" if default else ""
        if field.alias in REQUIRED_IN_PRODUCTION:
            shown += " *required in production*"
        lines.append(f"| `{field.alias}` | {shown.strip()} | {field.description} |")
    return "\n".join([*lines, ""])


def commands(
    command: click.Command = main, above: click.Context | None = None, name: str = "etl-dagster"
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Each command with its full name, groups left out."""
    command._help_option = None  # as another test may have asked for it, without its group
    options = {"terminal_width": 98, "max_content_width": 98, **command.context_settings}
    context = click.Context(command, parent=above, info_name=name, **options)  # type: ignore[arg-type]
    if not isinstance(command, click.Group):
        yield context.command_path, command, context
        return
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        assert found
        yield from commands(found, context, each)


def cli_page() -> str:
    """Every command's help, as `docs/cli.md`."""
    lines = [
        "# The commands\n",
        "What `--help` of each says. Exit status: 0 done, 1 failed (a line says why), 2 misuse.",
        "Written by `python -m etl_dagster_tests.test_docs`.\n",
    ]
    for name, command, context in commands():
        lines.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return re.sub(r" +$", "", "\n".join(lines), flags=re.MULTILINE)


PAGES = {"settings": settings_page, "cli": cli_page}
TABLES = {"triggers": triggers_table, "checks": checks_table}


def section(name: str) -> re.Pattern[str]:
    """A table in the page, and the mark before it."""
    return re.compile(rf"<!-- {name} -->\n(?:\n(?:\|[^\n]*\n)+)?")


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_the_docs_say_what_is_served(name: str) -> None:
    assert TABLES[name]() in PAGE.read_text(encoding="utf-8"), (
        "run `python -m etl_dagster_tests.test_docs` and review the difference"
    )


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_that_are_written_say_what_the_program_says(name: str) -> None:
    page = PROJECT / "docs" / f"{name}.md"
    assert PAGES[name]() == page.read_text(encoding="utf-8"), (
        "run `python -m etl_dagster_tests.test_docs` and review the difference"
    )


def names_in(file: str) -> set[str]:
    """The functions of a file of tests; none where there is no such file."""
    path = PROJECT / "etl_dagster_tests" / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module()
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", [COMPLIANCE, SECURITY])
def test_every_test_that_the_docs_name_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_/0-9]+\.py)::(\w+)`", text)
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
    assert text.count("::") == len(named)


@pytest.mark.parametrize(
    ("page", "start", "end"),
    [
        (COMPLIANCE, "## What it does", "## What it does not do"),
        (SECURITY, "## Threats", "None of"),
    ],
)
def test_whatever_the_project_claims_is_shown_by_a_test(page: Path, start: str, end: str) -> None:
    done = page.read_text(encoding="utf-8").partition(start)[2].partition(end)[0]
    rows = [line for line in done.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 10
    assert [row for row in rows if "::" not in row.split("|")[3]] == []


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        text = f"<!-- {name} -->\n\n{make()}\n"
        page = section(name).sub(lambda _, text=text: text, page)
    PAGE.write_text(page, encoding="utf-8")
    for name, write in PAGES.items():
        (PROJECT / "docs" / f"{name}.md").write_text(write(), encoding="utf-8")
    print(f"wrote {PAGE}")  # noqa: T201
