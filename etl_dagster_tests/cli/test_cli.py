"""The command line: what it promises to scripts (exit statuses, JSON) and to people (messages)."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from etl_dagster.cli import main
from etl_dagster.sandbox import sidecar
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY
from etl_dagster.sandbox.data import sample_contacts, sample_properties
from etl_dagster.sandbox.snowflake import NAME, start_snowflake
from etl_dagster.settings import REQUIRED_IN_PRODUCTION
from etl_dagster.warehouse.tables import columns
from etl_dagster_tests.defs.conftest import small_world
from etl_dagster_tests.defs.line import CAMPAIGN, DAY, EARLIER, TODAY, Line, crowd

Run = Callable[..., Result]
Outcome = subprocess.CompletedProcess[str]
OURS = ("ETL_", "SNOWFLAKE_", "CCC_", "DNC_", "DAGSTER_")


NEVER_BEFORE_WORK = (
    *("pandas", "matplotlib", "snowflake.snowpark", "snowflake.core"),
    *("fakesnow", "duckdb", "sqlglot", "uvicorn", "starlette", "uvloop", "httptools"),
    *("playwright", "moto", "flask", "s3fs", "dagster_webserver", "dagster_graphql", "grpc"),
)
"""Modules that take long to import, and that no process of ours needs for its work."""


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that configures the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def invoke(environment: Mapping[str, str], *arguments: str) -> Result:
    """The command in this process, with this environment alone."""
    others = {name: None for name in os.environ if name.startswith(OURS)}
    home = environment.get("ETL_HOME", "/nonexistent")
    env = {**others, "DAGSTER_HOME": f"{home}/dagster", **environment}
    return CliRunner().invoke(main, arguments, env=env, prog_name="etl-dagster")


def start(environment: Mapping[str, str], *arguments: str, **options: Any) -> Outcome:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "etl_dagster", *arguments]
    return subprocess.run(
        command, env={**clean_environment(), **environment}, capture_output=True, text=True,
        timeout=150, check=False, **options,
    )  # fmt: skip


# --- usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--date", "2026-11-20", "--from", "2026-11-20", "--to", "2026-11-21"], "not both"),
        (["--date", "2026-11-20", "--to", "2026-11-21"], "not both"),
        (["--from", "2026-11-20"], "--from and --to go together"),
        (["--to", "2026-11-20"], "--from and --to go together"),
        (["--from", "2026-11-21", "--to", "2026-11-20"], "--from is after --to"),
        (["--date", "20.11.2026"], "does not match the format"),
        (["--date", "2026-02-30"], "does not match the format"),
        (["--date", "2020-01-01"], "there are partitions from 2026-11-01"),
        (["--date", str(TODAY)], "to yesterday"),
        (["--from", "2026-11-02", "--to", str(TODAY)], "to yesterday"),
        (["extra"], "unexpected extra argument"),
        (["--colour"], "No such option"),
    ],
)
def test_run_refuses_options_that_make_no_sense(arguments: list[str], message: str) -> None:
    result = invoke({}, "run", *arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("day", ["2026-10-31", str(TODAY)])
def test_preview_knows_the_days_that_run_knows(day: str) -> None:
    shown = [invoke({}, command, "--date", day) for command in ("preview", "run")]
    assert [result.exit_code for result in shown] == [2, 2]
    first, second = (result.output.partition("Error:")[2] for result in shown)
    assert first == second
    assert "there are partitions from 2026-11-01" in first


def test_help_names_the_commands_and_does_not_import_what_it_does_not_need() -> None:
    heavy = ["dagster", "snowflake", "pyarrow", "httpx", *NEVER_BEFORE_WORK]
    code = (
        "import sys\n"
        "from etl_dagster.cli import main\n"
        "try:\n    main(sys.argv[1:], prog_name='etl-dagster')\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        f"print('LOADED', [name for name in {heavy!r} if name in sys.modules])\n"
    )
    for arguments in (
        ["--help"],
        ["run", "--help"],
        ["sql", "-h"],
        ["preview", "-h"],
        ["export", "-h"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=clean_environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "LOADED []" in done.stdout, arguments
        assert "Usage: etl-dagster" in done.stdout
    shown = invoke({}, "--help").output
    for command in (
        "run",
        "preview",
        "sql",
        "ui",
        "sandbox",
        "dnc",
        "retract",
        "export",
        "exports",
    ):
        assert re.search(rf"^  {command} ", shown, re.MULTILINE)


def test_a_code_location_imports_no_server_of_the_sandbox_and_nothing_else_that_is_heavy() -> None:
    heavy = [*NEVER_BEFORE_WORK, "snowflake.connector", "etl_dagster.sandbox.local"]
    code = (
        "import sys\n"
        "import etl_dagster.definitions\n"
        "etl_dagster.definitions.build_defs().get_repository_def()\n"
        f"print('LOADED', [name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "LOADED []" in done.stdout


def test_production_with_anything_missing_refuses_with_one_clear_message() -> None:
    for command in (["run"], ["preview"], ["sql", "SELECT 1"]):
        result = invoke({"ETL_DEPLOYMENT": "production"}, *command)
        assert result.exit_code == 1
        assert result.output.count("Error:") == 1
        assert "Traceback" not in result.output
        for name in REQUIRED_IN_PRODUCTION:
            assert f"{name} is not set" in result.output


@pytest.mark.parametrize("command", ["up", "down", "status", "reset"])
def test_there_is_no_sandbox_in_production(command: str) -> None:
    production = dict.fromkeys(REQUIRED_IN_PRODUCTION, "x")
    production |= {
        "ETL_DEPLOYMENT": "production",
        "ETL_CHUNKS": "1",
        "ETL_START_DATE": "2026-01-01",
        "CCC_API_URL": "https://dataapi.dncscrub.com",
        "SNOWFLAKE_PASSWORD": "x",
        "ETL_CONTACTS_TABLE": "C",
    }
    result = invoke(production, "sandbox", command, *(["--yes"] if command == "reset" else []))
    assert result.exit_code == 1
    assert "there is no sandbox in a production deployment" in result.output


@pytest.mark.parametrize(
    ("setting", "says"),
    [({"CCC_BATCH_SIZE": "0"}, "CCC_BATCH_SIZE"), ({"ETL_CAMPAIGNS_DIR": "/no"}, "no such folder")],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    tmp_path: Path, setting: dict[str, str], says: str
) -> None:
    try:
        result = invoke({"ETL_HOME": str(tmp_path), **setting}, "run")
    finally:
        # opt-outs act without campaigns, for which the embedded Snowflake was started
        sidecar.stop(NAME, tmp_path)
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback" not in result.output


# --- a small world ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A world of two campaigns on a Snowflake of its own, whose days are one chunk each."""
    folder = tmp_path_factory.mktemp("cli")
    start_snowflake(folder)
    with ExitStack() as stack:
        stack.callback(sidecar.stop, NAME, folder)
        made = small_world(stack, folder, folder, {"ETL_CHUNKS": "1"})
        made.campaign("mailing", CAMPAIGN.replace("WHERE", "WHERE score >= 100 AND"))
        made.campaign("walk_in", CAMPAIGN.replace("WHERE", "WHERE score < 100 AND"))
        made.people([*crowd(16), *crowd(8, start=104), *crowd(8, start=24, day=EARLIER)])
        yield made


def test_init_adds_what_the_tables_lack_and_names_what_it_does_not_mend(line: Line) -> None:
    place = f"ETL_SAMPLE.{line.settings.snowflake_schema}"
    with line.session() as session:
        session.execute("ALTER TABLE DNC_FILTERED DROP COLUMN decided_at")
        result = invoke(line.environment, "init")
        assert result.exit_code == 0, result.output
        assert f"{place} has 13 tables and 5 views" in result.output
        assert columns(session, "dnc_filtered")[-1].name == "DECIDED_AT"
        session.execute("ALTER TABLE LOCKS ADD COLUMN hue VARCHAR")
        result = invoke(line.environment, "init")
        session.execute("ALTER TABLE LOCKS DROP COLUMN hue")
    assert result.exit_code == 1
    assert f"{place}: LOCKS has a column HUE of nobody's" in " ".join(result.output.split())


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--json"),
        ("preview", "--json"),
        ("ledger", "verify", "--json"),
        ("ledger", "heads", "--out"),
        ("rescrub", "--on", str(DAY), "--json"),
        ("retention", "plan", "--json"),
    ],
    ids=" ".join,
)
def test_a_file_in_no_folder_is_refused_before_anything_is_done(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder, home = tmp_path / "none", tmp_path / "home"
    result = invoke({"ETL_HOME": str(home)}, *command, str(folder / "counts.json"))
    assert result.exit_code == 2
    assert result.output.splitlines()[-1].endswith(f": there is no folder {folder}")
    assert not home.exists()


def test_preview_tells_what_a_run_would_do_without_dagster(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"
    arguments = ("preview", "--date", str(DAY), "--json", str(file))
    code = (
        "import sys\n"
        "from etl_dagster.cli import main\n"
        "main(sys.argv[1:], prog_name='etl-dagster', standalone_mode=False)\n"
        f"heavy = {['dagster', *NEVER_BEFORE_WORK]!r}\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])\n"
    )
    environment = {**clean_environment(), **line.environment, "CCC_PRICE_PER_1000": "1000"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "LOADED []" in done.stdout
    for part in ("LOCAL deployment", f"run of {DAY} would do", "mailing", "canaries", "cost"):
        assert part in done.stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [(one["campaign"], one["leads"]) for one in found["campaigns"]] == [
        ("mailing", 8),
        ("walk_in", 16),
    ]
    assert found["leads"] == 24
    assert found["phones_to_ask"] == found["cost"] > 0
    assert found["would_fail"] == []
    assert line.ccc.stats()["requests"] == 0

    one = ("--campaign", "walk_in", "--force")
    assert invoke(line.environment, *arguments, *one).exit_code == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["leads"], found["force"], found["cost"]) == (16, True, None)


def test_preview_of_a_run_that_would_fail_says_why_and_exits_with_1(line: Line) -> None:
    result = invoke(line.environment, "preview", "--date", str(EARLIER))
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "mailing.sql: the query returned no row" in said
    assert "would do" in said
    result = invoke(line.environment, "preview", "--campaign", "unheard_of")
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "Error: " in said
    assert "no campaign 'unheard_of'; there are mailing, walk_in" in said


@pytest.mark.slow
def test_run_tells_what_became_of_the_leads(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    result = invoke(line.environment, "run", "--date", str(DAY), "--json", str(file))
    assert result.exit_code == 0, result.output
    records = json.loads(file.read_text(encoding="utf-8"))
    assert [(one["date"], one["campaign"]) for one in records] == [
        (str(DAY), "mailing"),
        (str(DAY), "walk_in"),
    ]
    leads = ("no_phone", "invalid", "unknown", "blocked", "callable")
    for one in records:
        size = one["extracted"]
        assert size == (8 if one["campaign"] == "mailing" else 16)
        assert {name: one[name] for name in leads} == {
            "no_phone": size // 8,
            "invalid": size // 8,
            "unknown": size // 8,
            "blocked": size // 4,
            "callable": 3 * size // 8,
        }
        assert one["litigator"] + one["dnc"] == one["blocked"]
        assert one["success"] is True
        assert set(one["phones"]) == {"callable", "blocked", "unknown"}
        stages = {"leads", "ccc_enriched", "dnc_filtered", "callable_leads", "scrub_report"}
        assert set(one["seconds"]) == stages
        assert all(seconds >= 0 for seconds in one["seconds"].values())
    for part in ("LOCAL deployment", "mailing", "Seconds by stage", "reports", "leads: 100%"):
        assert part in result.output
    assert (line.settings.home / "reports" / f"scrub_report_{DAY}.md").exists()


@pytest.mark.slow
def test_run_for_a_range_and_for_one_campaign(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    range_ = ("--from", str(EARLIER), "--to", str(DAY))
    result = invoke(line.environment, "run", *range_, "--force", "--json", str(file))
    # one of the campaigns has nobody on the earlier day, and does not say that it may
    assert result.exit_code == 1
    assert "mailing.sql" in result.output
    assert "returned no row" in " ".join(result.output.split())
    one = ("--campaign", "walk_in")
    before = line.rows("SELECT * FROM LEADS WHERE campaign = 'mailing' ORDER BY lead_id")
    result = invoke(line.environment, "run", *range_, *one, "--json", str(file))
    assert result.exit_code == 0, result.output
    records = json.loads(file.read_text(encoding="utf-8"))
    assert {one["date"] for one in records} == {str(EARLIER), str(DAY)}
    rows = line.rows("SELECT * FROM LEADS WHERE campaign = 'mailing' ORDER BY lead_id")
    assert rows == before
    assert line.count("LEADS", f"lead_date = '{EARLIER}' AND campaign = 'walk_in'") > 0


@pytest.mark.slow
def test_a_range_goes_on_where_it_stopped(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    one = ("--campaign", "walk_in", "--json", str(file))
    range_ = ("run", "--from", str(EARLIER), "--to", str(DAY))
    assert invoke(line.environment, *range_, *one).exit_code == 0
    counts = json.loads(file.read_text(encoding="utf-8"))

    line.ccc.reset()
    again = invoke(line.environment, *range_, *one)
    assert again.exit_code == 0
    assert "2 of 2 days are finished already" in again.output
    assert line.ccc.stats()["requests"] == 0
    skipped = json.loads(file.read_text(encoding="utf-8"))
    assert [day["callable"] for day in skipped] == [day["callable"] for day in counts]
    assert all(day["success"] for day in skipped)

    line.fault("status", status=503)
    assert invoke(line.environment, "run", "--date", str(EARLIER), *one, "--force").exit_code == 1
    line.ccc.reset()
    on = invoke(line.environment, *range_, *one)
    assert on.exit_code == 0, on.output
    assert "1 of 2 days are finished already" in on.output
    assert f"{EARLIER}: day 1 of 1" in on.output
    forced = invoke(line.environment, *range_, *one, "--force")
    assert forced.exit_code == 0, forced.output
    assert "finished already" not in forced.output
    assert re.search(rf"{DAY}: day 2 of 2, about 0:\d\d:\d\d to go", forced.output)


@pytest.mark.slow
def test_a_run_that_fails_says_why_and_exits_with_1(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    result = invoke(line.environment, "run", "--campaign", "unheard_of", "--json", str(file))
    assert result.exit_code == 1
    assert "FAILED leads: " in result.output
    said = "no campaign 'unheard_of'; there are mailing, walk_in"
    assert said in " ".join(result.output.split())
    assert not any(one["success"] for one in json.loads(file.read_text(encoding="utf-8")))


def test_run_runs_no_day_while_a_campaign_cannot_be_read(line: Line) -> None:
    file = line.campaign("walk_in (copy)")
    try:
        result = invoke(line.environment, "run", "--date", str(DAY), "--campaign", "mailing")
    finally:
        file.unlink()
    assert result.exit_code == 1
    assert f"FAILED {file.name}: {file}: a campaign's file name is its name" in result.output
    assert "leads: " not in result.output


def test_sql_prints_tables_csv_and_json(line: Line) -> None:
    query = "SELECT 1 AS n, 'a,[b]' AS \"Mixed Case\", NULL AS nothing, '2026-01-02'::DATE AS day"
    found = {
        layout: invoke(line.environment, "sql", query, "--format", layout)
        for layout in ("table", "csv", "json")
    }
    assert {result.exit_code for result in found.values()} == {0}
    expected = {"N": 1, "Mixed Case": "a,[b]", "NOTHING": None, "DAY": "2026-01-02"}
    assert json.loads(found["json"].stdout) == [expected]
    rows = list(csv.reader(io.StringIO(found["csv"].stdout)))
    assert rows == [list(expected), ["1", "a,[b]", "", "2026-01-02"]]
    for part in ("Mixed Case", "a,[b]", "2026-01-02"):
        assert part in found["table"].stdout


def test_sql_prints_columns_of_one_name_each_with_its_own_values(line: Line) -> None:
    query = "SELECT 1 AS n, 2 AS n, 3 AS m"
    found = invoke(line.environment, "sql", query, "--format", "csv")
    assert found.stdout.splitlines() == ["N,N,M", "1,2,3"]
    found = invoke(line.environment, "sql", query)
    assert re.search(r"1\W+2\W+3", found.stdout)
    found = invoke(line.environment, "sql", query, "--format", "json")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "two columns have one name" in found.output


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM LEADS",
        "SELECT 1; DROP TABLE LEADS",
        "WITH a AS (SELECT 1) DELETE FROM LEADS",
        "CREATE TABLE x (a NUMBER)",
        "",
        "/* nothing */",
        "SELECT 1 ->> DELETE FROM LEADS",
        "SET x = 1",
    ],
)
def test_sql_only_reads(line: Line, query: str) -> None:
    count = line.count("LEADS")
    result = invoke(line.environment, "sql", query)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert line.count("LEADS") == count


def test_sql_that_snowflake_refuses_is_one_line(line: Line) -> None:
    result = invoke(line.environment, "sql", "SELECT * FROM NO_SUCH_TABLE")
    assert result.exit_code == 1
    assert "NO_SUCH_TABLE" in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_export_hands_out_what_may_be_dialled_and_puts_it_on_record(
    line: Line, tmp_path: Path
) -> None:
    placed = [*crowd(8, start=8, zip="32801"), *crowd(8, start=104, zip="32801")]
    line.people([*crowd(8), *placed])  # whose ZIPs are not in Florida have no hours
    day = ("--date", str(DAY))
    assert invoke(line.environment, "run", *day, "--force").exit_code == 0
    target = tmp_path / "leads.csv"
    export = ("export", *day, "--format", "csv", "--out", str(target))

    shown = line.rows(
        f"SELECT * FROM CALLABLE_NOW WHERE lead_date = '{DAY}' AND zip = '32801'"
        " ORDER BY campaign, lead_id"
    )
    assert "nothing was exported yet" in invoke(line.environment, "exports").output
    done = invoke(line.environment, *export)
    assert done.exit_code == 0, done.output
    found = list(csv.DictReader(io.StringIO(target.read_text("utf-8"), newline="")))
    names = ("LEAD_ID", "CAMPAIGN", "FIRST_NAME", "LAST_NAME", "ADDRESS", "PHONE_1")
    assert [[str(row[name] or "") for name in names] for row in shown] == [
        [row[name.lower()] for name in names] for row in found
    ]
    assert re.search(r"mailing +│ 3 ", done.output)
    assert re.search(r"all +│ 6 ", done.output)
    assert f"calls:  on {TODAY}" in done.output
    assert "3 leads have no hours left then and are left out" in done.output
    assert {row["call_from_utc"][:10] for row in found} == {str(TODAY)}
    assert all(row["call_from_utc"] < row["call_to_utc"] for row in found)

    again = invoke(line.environment, *export)
    assert again.exit_code == 1
    assert "exists" in again.output
    again = invoke(line.environment, *export, "--force", "--call-date", str(DAY.replace(year=2020)))
    assert again.exit_code == 1
    assert "no calling hours are stored for 2020-" in " ".join(again.output.split())

    # somebody opts out, and no daemon runs that would take the lead back
    gone = found[0]
    phones = [gone[f"phone_{place}"] for place in (1, 2, 3) if gone[f"phone_{place}"]]
    assert invoke(line.environment, "dnc", "opt-out", *phones).exit_code == 0
    done = invoke(line.environment, *export, "--force")
    assert done.exit_code == 0, done.output
    assert not any(phone in target.read_text("utf-8") for phone in phones)

    records = json.loads(invoke(line.environment, "exports", "--json").stdout)
    assert [record["row_count"] < len(found) for record in records] == [True, False]
    assert records[0]["sha256"] in done.output
    assert records[0]["list_versions"] != records[1]["list_versions"]
    assert "leads.csv" in invoke(line.environment, "exports").output


@pytest.mark.slow
def test_export_refuses_a_day_that_is_not_finished_and_campaigns_that_there_are_not(
    line: Line, tmp_path: Path
) -> None:
    target = tmp_path / "leads.csv"
    export = ("export", "--format", "csv", "--out", str(target))
    result = invoke(line.environment, *export, "--campaign", "unheard_of")
    assert result.exit_code == 1
    assert "no campaign 'unheard_of'" in " ".join(result.output.split())

    line.people([*crowd(16), *crowd(8, start=104)])
    run = ("run", "--date", str(DAY), "--force")
    assert invoke(line.environment, *run).exit_code == 0
    # what was extracted last is one campaign; of the other it is not known to be finished
    assert invoke(line.environment, *run, "--campaign", "walk_in").exit_code == 0
    result = invoke(line.environment, *export)
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert f"{DAY} is not finished for mailing, walk_in" in said
    assert not target.exists()
    assert "Traceback" not in result.output


# --- a fresh home, from the first run to its end ----------------------------------------------


def personal(environment: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Phones, and all else that belongs to the people of the newest sample day."""
    phones, texts = set(), {SANDBOX_KEY}
    query = "SELECT phone_1, phone_2, phone_3, first_name, last_name, address FROM LEADS"
    for row in json.loads(invoke(environment, "sql", query, "--format", "json").stdout):
        phones |= {str(row[f"PHONE_{place}"]) for place in (1, 2, 3) if row[f"PHONE_{place}"]}
        texts |= {f"{row['FIRST_NAME']} {row['LAST_NAME']}", row["ADDRESS"]}
    for row in sample_contacts(DAY).to_pylist():
        texts |= {text for text in (row["EMAIL"], row["ADDRESS"].strip()) if text and " " in text}
        texts |= {row["EMAIL"]} if row["EMAIL"] and "@" in row["EMAIL"] else set()
        if row["PHONE"] and len(re.sub("[^0-9]", "", row["PHONE"])) >= 10:
            texts.add(row["PHONE"].strip())
    assert sample_properties(DAY).num_rows > 2_000
    return phones, {text for text in texts if text and len(text) > 6}


def leaks(data: bytes, phones: set[str], texts: set[str]) -> set[str]:
    content = data.decode("utf-8", errors="replace")
    found = set(re.findall(r"(?<![0-9])[2-9][0-9]{9}(?![0-9])", content)) & phones
    folded = content.lower()
    return found | {text for text in texts if text.lower() in folded}


@pytest.mark.slow
def test_a_fresh_home_from_the_first_run_to_its_end(tmp_path: Path) -> None:
    environment = {"ETL_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "user")}
    file = tmp_path / "counts.json"
    nothing = start(environment, "sandbox", "status", "--json")
    assert json.loads(nothing.stdout) == {"snowflake": None, "ccc": None}

    try:
        done = start(environment, "run", "--json", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        records = json.loads(file.read_text(encoding="utf-8"))
        assert {one["date"] for one in records} == {str(DAY)}
        assert sum(one["extracted"] for one in records) > 2_000
        for one in records:
            classes = ("no_phone", "invalid", "unknown", "blocked", "callable")
            assert one["extracted"] == sum(one[name] for name in classes)
        assert "LOCAL deployment" in done.stdout

        parts = json.loads(start(environment, "sandbox", "status", "--json").stdout)
        assert set(parts) == {"snowflake", "ccc"}
        for part in parts.values():
            os.kill(part["pid"], 0)
            assert part["host"] == "127.0.0.1"

        phones, texts = personal(environment)
        assert len(phones) > 2_000
        assert leaks((done.stdout + done.stderr).encode(), phones, texts) == set()
        home = tmp_path / "home"
        kept = [path for part in ("dagster", "reports") for path in (home / part).rglob("*")]
        kept += [home / part / "server.log" for part in ("ccc", "snowflake")]
        files = [path for path in kept if path.is_file()]
        assert any(path.suffix == ".db" for path in files)
        for path in files:
            assert leaks(path.read_bytes(), phones, texts) == set(), path
        listing = invoke(environment, "sql", "SELECT * FROM LEADS", "--format", "csv").stdout
        assert len(leaks(listing.encode(), phones, texts)) > 2_000, "the search finds nothing"

        os.kill(parts["snowflake"]["pid"], signal.SIGKILL)  # nothing that was committed is lost
        count = invoke(environment, "sql", "SELECT COUNT(*) AS n FROM LEADS", "--format", "json")
        assert json.loads(count.stdout)[0]["N"] == sum(one["extracted"] for one in records)
    finally:
        down = start(environment, "sandbox", "down")
    assert down.stdout.splitlines() == ["snowflake: stopped", "ccc: stopped"]
    assert "not running" in start(environment, "sandbox", "status").stdout
    (tmp_path / "home" / "notes.txt").write_text("mine", encoding="utf-8")
    assert start(environment, "sandbox", "reset", input="n\n").returncode == 1
    assert (tmp_path / "home" / "dagster").exists()
    assert start(environment, "sandbox", "reset", "--yes").returncode == 0
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_up_starts_what_down_stops(tmp_path: Path, line: Line) -> None:
    environment = {
        "ETL_HOME": str(tmp_path / "home"),
        "DNC_DB_PATH": str(line.settings.dnc_store),  # lists that are there already
    }
    try:
        up = start(environment, "sandbox", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        assert re.search(r"^ccc: http://127\.0\.0\.1:\d+ \(process \d+\)$", up.stdout, re.MULTILINE)
    finally:
        down = start(environment, "sandbox", "down")
    assert "snowflake: stopped" in down.stdout
    assert "was not running" in start(environment, "sandbox", "down").stdout
