"""The commands `etl-dagster policy`: what they print and how they end."""

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from etl_dagster.cli import main
from etl_dagster.leads.policy import Policy

GOOD = 'required_sources = ["dnc", "ccc"]\n[ccc]\nttl_days = 7\n[dnc]\nmax_age_days = 31\n'


def policy(*arguments: str | Path, **environment: str | None) -> Result:
    """The command, configured by nothing but the given variables."""
    names = ("ETL_POLICY_FILE", "CCC_VERDICT_TTL_DAYS", "DNC_MAX_AGE_DAYS", "ETL_DEPLOYMENT")
    env: dict[str, str | None] = {**dict.fromkeys(names), **environment}
    return CliRunner().invoke(main, ["policy", *map(str, arguments)], env=env)


def written(folder: Path, text: str, name: str = "policy.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_show_prints_the_policy_in_force(tmp_path: Path) -> None:
    built_in = policy("show")
    assert built_in.exit_code == 0
    assert "the built-in policy" in built_in.output
    assert Policy.load().hash in built_in.output
    file = written(tmp_path, GOOD)
    limited = policy("show", ETL_POLICY_FILE=str(file), CCC_VERDICT_TTL_DAYS="2")
    assert "CCC_VERDICT_TTL_DAYS shortens ccc.ttl_days from 7" in limited.output
    assert "ccc.ttl_days = 2" in limited.output
    assert Policy.load(file).with_limits(ccc_ttl_days=2).hash in limited.output
    assert "DNC_MAX_AGE_DAYS" not in limited.output
    assert "DNC_MAX_AGE_DAYS shortens" in policy("show", DNC_MAX_AGE_DAYS="3").output


def test_check_tells_the_hash_or_everything_that_is_wrong(tmp_path: Path) -> None:
    good = policy("check", written(tmp_path, GOOD))
    assert good.exit_code == 0
    assert Policy.from_text(GOOD).hash in good.output
    bad = policy("check", written(tmp_path, GOOD.replace("= 7", "= 0") + "[hours]\nx = 1\n"))
    assert bad.exit_code == 1
    assert "policy.toml, line 3: ccc.ttl_days" in bad.output
    assert "policy.toml, line 7: hours.x: unknown key" in bad.output
    assert policy("check", tmp_path / "none.toml").exit_code == 1


def test_diff_marks_what_becomes_looser(tmp_path: Path) -> None:
    old = written(tmp_path, GOOD)
    new = written(tmp_path, GOOD.replace("= 7", "= 9").replace("= 31", "= 30"), "new.toml")
    result = policy("diff", old, new)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "!! LOOSER  an answer of CCC is valid for 9 days, before 7"
    assert lines[1].startswith("   stricter")
    assert "1 of 2 changes make more phones callable" in lines[2]
    assert "nothing becomes looser" in policy("diff", old, "built-in").output
    assert policy("diff", old, old).output == "both mean the same\n"


def test_the_commands_load_no_dagster(tmp_path: Path) -> None:
    code = (
        "import sys; from etl_dagster.cli import main\n"
        f"main(['policy', 'check', {str(written(tmp_path, GOOD))!r}], standalone_mode=False)\n"
        "assert 'dagster' not in sys.modules and 'pydantic' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
