"""`etl-dagster dnc`, as scripts and people use it."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from etl_dagster.cli import main
from etl_dagster.dnc import DncStore
from etl_dagster.dnc.cli import dnc
from etl_dagster.settings import Settings
from etl_dagster_tests.dnc.support import PHONES, write_list

TODAY = datetime.now(UTC).date()
Run = Callable[..., Result]
LISTED, CLEAR, ELSEWHERE = "4075550100", "4075550199", "2125550100"


def day(ago: int) -> str:
    return (TODAY - timedelta(days=ago)).isoformat()


@pytest.fixture
def run(tmp_path: Path):  # noqa: ANN201
    def invoke(*arguments: object, text: str | None = None, **changes: str) -> Result:
        names = ("ETL_DEPLOYMENT", "ETL_POLICY_FILE", "DNC_MAX_AGE_DAYS")
        environment: dict[str, str | None] = {
            "DNC_DB_PATH": str(tmp_path / "dnc.sqlite"),
            **dict.fromkeys(names),
            **changes,
        }
        return CliRunner().invoke(main, ["dnc", *map(str, arguments)], input=text, env=environment)

    return invoke


@pytest.fixture
def loaded(run, tmp_path: Path):  # noqa: ANN001, ANN201
    path = write_list(tmp_path / "n.txt", PHONES)
    done = run("load", path, "--list", "national", "--as-of", day(10))
    assert done.exit_code == 0, done.output
    assert "version 1" in done.output
    assert "20 numbers in 1 area codes" in done.output
    return run


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_check_prints_phone_verdict_lists_reason(loaded) -> None:  # noqa: ANN001
    answer = rows(loaded("check", LISTED, "(407) 555-0199", ELSEWHERE, "nobody"))
    assert [tuple(row.values()) for row in answer] == [
        (LISTED, "listed", "national", ""),
        ("(407) 555-0199", "clear", "", ""),
        (ELSEWHERE, "unknown", "", "not_covered"),
        ("nobody", "invalid", "", "invalid"),
    ]
    assert list(answer[0]) == ["phone", "verdict", "lists", "reason"]


def test_check_reads_files_and_pipes(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    path = tmp_path / "phones.txt"
    path.write_text(f"{LISTED}\n\n{CLEAR}\n")
    for result in (
        loaded("check", "--file", path),
        loaded("check", "-", text=path.read_text()),
        loaded("check", "--file", "-", text=path.read_text()),
    ):
        assert [row["verdict"] for row in rows(result)] == ["listed", "clear"]
    for line, verdict in zip(
        loaded("check", "--file", path, "--format", "json").stdout.splitlines(),
        ("listed", "clear"),
        strict=True,
    ):
        assert json.loads(line)["verdict"] == verdict


def test_check_fails_only_on_what_it_is_told_to(loaded) -> None:  # noqa: ANN001
    assert loaded("check", LISTED, ELSEWHERE).exit_code == 0
    assert loaded("check", CLEAR, "--fail-on", "listed,unknown").exit_code == 0
    assert loaded("check", LISTED, "--fail-on", "listed,unknown").exit_code == 3
    assert loaded("check", ELSEWHERE, "--fail-on", "unknown").exit_code == 3
    assert loaded("check", "nobody", "--fail-on", "listed,unknown").exit_code == 0
    assert loaded("check", "nobody", "--fail-on", "invalid").exit_code == 3
    assert loaded("check", CLEAR, "--fail-on", "clean").exit_code == 2
    assert loaded("check").exit_code == 2
    assert loaded("check", CLEAR, "--file", "-").exit_code == 2


def test_lists_change_and_the_past_can_be_asked(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    path = tmp_path / "c.txt"
    path.write_text(f"{LISTED},{day(2)}T08:00:00,D\n{CLEAR},{day(2)}T09:00:00,A\n")
    apply = ("changes", path, "--list", "national", "--allow-gap")
    done = json.loads(loaded(*apply, "--json").stdout)
    assert (done["added"], done["removed"], done["version"]) == (1, 1, 2)
    assert "nothing was done" in loaded(*apply).output
    now = rows(loaded("check", LISTED, CLEAR))
    before = rows(loaded("check", LISTED, CLEAR, "--as-of", day(3)))
    after = rows(loaded("check", LISTED, CLEAR, "--as-of", day(2)))
    assert [row["verdict"] for row in now] == ["clear", "listed"]
    assert [row["verdict"] for row in before] == ["listed", "clear"]
    assert after == now


GOOD = """\
required_sources = ["ccc", "dnc"]
[ccc]
ttl_days = 7
[dnc]
max_age_days = 31
"""


@pytest.fixture
def policies(tmp_path: Path) -> dict[str, Path]:
    """Policies by what is particular about them."""
    lists = '[dnc.lists]\nnational = "everywhere"\n'
    texts = {
        "plain": GOOD,
        "lists": f'{GOOD}{lists}state_fl = "everywhere"\n',
        "short": GOOD.replace("31", "9"),
        "wrong": GOOD.replace("31", "99"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return {name: tmp_path / f"{name}.toml" for name in texts}


def test_check_and_explain_judge_by_the_policy(
    loaded: Run, policies: dict[str, Path], tmp_path: Path
) -> None:
    def judged(*more: object) -> tuple[str, str]:
        (row,) = rows(loaded("check", CLEAR, *more))
        told = json.loads(loaded("explain", CLEAR, "--json", *more).stdout)
        assert (told["verdict"], told["reason"]) == (row["verdict"], row["reason"])
        return row["verdict"], row["reason"]

    assert judged() == judged("--policy", "built-in") == ("clear", "")
    assert judged("--policy", policies["plain"]) == ("clear", "")
    assert judged("--policy", policies["lists"]) == ("unknown", "no_list")
    assert judged("--policy", policies["short"]) == ("unknown", "stale")
    # a longer age than the policy's changes nothing
    assert judged("--policy", policies["short"], "--max-age-days", 20) == ("unknown", "stale")
    assert judged("--policy", policies["plain"], "--max-age-days", 9) == ("unknown", "stale")
    told = loaded("explain", CLEAR, "--policy", policies["lists"]).output
    assert "- state_fl: not loaded, and the policy lets nobody be clear without it" in told
    assert f"policy: {policies['lists']}, lists at most 31 days old" in told
    (listed,) = rows(loaded("check", LISTED, "--policy", policies["lists"]))
    assert listed["verdict"] == "listed"
    path = write_list(tmp_path / "fl.txt", [int(LISTED)])
    assert loaded("load", path, "--list", "state_fl", "--as-of", day(40)).exit_code == 0
    assert judged("--policy", policies["lists"]) == ("unknown", "stale")
    for command in ("check", "explain"):
        refused = loaded(command, CLEAR, "--policy", policies["wrong"])
        assert refused.exit_code == 1
        assert f"{policies['wrong']}, line 5: dnc.max_age_days" in refused.stderr
    assert "9 d" not in loaded("stats", "--policy", policies["plain"]).output
    assert "stale" in loaded("stats", "--policy", policies["short"]).output


def test_the_policy_is_that_of_the_settings(loaded: Run, policies: dict[str, Path]) -> None:
    file = str(policies["lists"])
    assert rows(loaded("check", CLEAR, ETL_POLICY_FILE=file))[0]["reason"] == "no_list"
    (row,) = rows(loaded("check", CLEAR, "--policy", "built-in", ETL_POLICY_FILE=file))
    assert row["verdict"] == "clear"
    assert rows(loaded("check", CLEAR, ETL_POLICY_FILE=""))[0]["verdict"] == "clear"
    home = policies["lists"].parent
    told = rows(loaded("check", CLEAR, ETL_POLICY_FILE="~/lists.toml", HOME=str(home)))
    assert told[0]["reason"] == "no_list"
    assert rows(loaded("check", CLEAR, DNC_MAX_AGE_DAYS="3"))[0]["reason"] == "stale"


def test_sample_lists_answer_nothing_in_production(loaded: Run, tmp_path: Path) -> None:
    path = write_list(tmp_path / "fl@2026.sample.txt", PHONES)
    load = ("load", path, "--list", "state_fl", "--as-of", day(1), "--source", "state_fl.sample")
    assert loaded(*load).exit_code == 0
    assert loaded("check", CLEAR).exit_code == 0
    for command in ("check", "explain"):
        refused = loaded(command, CLEAR, ETL_DEPLOYMENT="production")
        assert refused.exit_code == 1
        assert "holds sample lists, which clear nobody in production" in refused.stderr
    assert loaded("stats", ETL_DEPLOYMENT="production").exit_code == 0


def test_opt_outs_are_recorded_explained_and_lifted(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    record = ("--received", day(5), "--source", "letter", "--by", "ann")
    assert loaded("opt-out", CLEAR, *record).exit_code == 0
    assert rows(loaded("check", CLEAR))[0]["lists"] == "internal"
    told = loaded("explain", CLEAR).output
    for part in ("verdict: listed", "internal@1;national@1", "source=letter", "by=ann", "n.txt"):
        assert part in told
    assert json.loads(loaded("explain", CLEAR, "--json").stdout)["verdict"] == "listed"
    assert loaded("opt-out", CLEAR, "--remove").exit_code == 1
    lifted = loaded("opt-out", CLEAR, "--remove", "--note", "asked", "--by", "ann")
    assert lifted.exit_code == 0
    assert rows(loaded("check", CLEAR))[0]["verdict"] == "clear"
    path = tmp_path / "o.csv"
    path.write_text(f"phone\n{CLEAR}\n")
    assert loaded("opt-out", "--file", path).exit_code == 0
    assert loaded("opt-out", "--file", path, "--remove").exit_code == 2
    assert loaded("opt-out").exit_code == 2
    assert "ten digits" in loaded("explain", "nobody").output


def test_opt_in_needs_a_reason_and_a_name_and_the_past_stays_listed(loaded) -> None:  # noqa: ANN001
    assert loaded("opt-out", CLEAR, "--received", day(5), "--source", "call").exit_code == 0
    assert loaded("opt-in", CLEAR, "--by", "ann").exit_code == 2
    assert loaded("opt-in", CLEAR, "--reason", "asked").exit_code == 2
    assert loaded("opt-in", CLEAR, "--reason", " ", "--by", "ann").exit_code == 1
    assert loaded("opt-in", LISTED, "--reason", "asked", "--by", "ann").exit_code == 1
    assert rows(loaded("check", CLEAR))[0]["verdict"] == "listed"
    done = loaded("opt-in", CLEAR, "--reason", "asked to be called", "--by", "ann")
    assert done.exit_code == 0, done.output
    assert rows(loaded("check", CLEAR))[0]["verdict"] == "clear"
    assert rows(loaded("check", CLEAR, "--as-of", day(1)))[0]["verdict"] == "listed"
    for part in ("asked to be called", "ann", "removal"):
        assert part in loaded("explain", CLEAR, "--json").stdout


def test_stats_verify_export_compact(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    table = loaded("stats").output
    for part in ("national", "internal", "20", "10 d"):
        assert part in table
    stats = json.loads(loaded("stats", "--json").stdout)
    assert [(one["list"], one["numbers"]) for one in stats] == [("internal", 0), ("national", 20)]
    versions = json.loads(loaded("stats", "--list", "national", "--json").stdout)
    assert [(one["kind"], one["added"], one["files"][0]["name"]) for one in versions] == [
        ("full", 20, "n.txt")
    ]
    assert "n.txt" in loaded("stats", "--list", "national").output
    assert loaded("verify").output.startswith("sound: 2 lists, 1 versions")
    assert json.loads(loaded("verify", "--json").stdout)["numbers"] == 20
    assert "dropped 0" in loaded("compact").output
    few = loaded("compact", "--retention-days", 5 * 366 - 1)  # records are kept for five years
    assert (few.exit_code, "x>=1830" in few.output) == (2, True)
    assert loaded("export", "--list", "national").stdout.splitlines()[:1] == ["407,5550100"]
    out = tmp_path / "out.txt"
    loaded("export", "--list", "national", "-o", out, "--format", "digits")
    assert out.read_text() == "".join(f"{phone}\n" for phone in PHONES)


def test_refusals_end_with_one_line_that_names_the_flag(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    path = write_list(tmp_path / "b.txt", PHONES[:10])
    done = loaded("load", path, "--list", "national", "--as-of", day(1))
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "--allow-shrink" in done.stderr
    again = loaded("load", path, "--list", "national", "--as-of", day(1), "--allow-shrink")
    assert again.exit_code == 0


def test_wrong_arguments_end_with_2(loaded, tmp_path: Path) -> None:  # noqa: ANN001
    path = tmp_path / "n.txt"
    load = ("load", path, "--list", "national")
    assert loaded(*load).exit_code == 2
    assert "expected a date" in loaded(*load, "--as-of", "yesterday").output
    for covers in ("40", "100", "4077", "\u00b2\u00b2\u00b2", "407;321"):
        told = loaded(*load, "--as-of", day(1), "--covers", covers)
        assert (told.exit_code, "--covers': expected area codes" in told.output) == (2, True)
    assert loaded("load", tmp_path / "none", "--list", "x", "--as-of", day(1)).exit_code == 2


def test_without_a_store_only_loads_begin_one(run, tmp_path: Path) -> None:  # noqa: ANN001
    assert "no Do-Not-Call store" in run("check", CLEAR).stderr
    assert run("stats").exit_code == 1
    refused = run("opt-out", CLEAR)  # it would be recorded where nobody asks
    assert refused.exit_code == 1
    assert "correct the path (DNC_DB_PATH)" in " ".join(refused.stderr.split())
    assert list(tmp_path.glob("**/*.sqlite*")) == []
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE dnc_list (full_phone INTEGER)")
        connection.executemany("INSERT INTO dnc_list VALUES (?)", [(phone,) for phone in PHONES])
    connection.close()
    covers = ("--covers", "all")
    assert run("import-legacy", old, "--as-of", day(1), *covers).exit_code == 0
    assert rows(run("check", ELSEWHERE, LISTED))[0]["verdict"] == "clear"


def test_the_store_is_found_by_environment(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DNC_DB_PATH"}
    (tmp_path / "home").mkdir()
    DncStore.create(tmp_path / "home" / "dnc.sqlite").close()
    done = subprocess.run(
        [sys.executable, "-m", "etl_dagster", "dnc", "opt-out", CLEAR],
        env={**environment, "ETL_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "internal: version 1" in done.stdout


def test_without_settings_it_is_the_store_of_the_runs_whatever_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ETL_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (store,) = (one for one in dnc.commands["opt-out"].params if one.name == "store")
    assert callable(store.default)
    assert store.default() == Settings.from_environment({}).dnc_store


def test_the_import_is_light() -> None:
    code = "import etl_dagster.dnc, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {"dagster", "click", "rich", "pyarrow", "pandas", "httpx"} & loaded


def test_a_load_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    path = write_list(tmp_path / "n.txt", range(4075550000, 4075559999))
    terminal, stderr = os.openpty()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "etl_dagster", "dnc"),
            *("load", path, "--list", "national", "--as-of", day(1)),
            *("--store", tmp_path / "dnc.sqlite"),
        ],
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
    )
    os.close(stderr)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "numbers," in shown
    assert done.stdout.count("\n") == 1
