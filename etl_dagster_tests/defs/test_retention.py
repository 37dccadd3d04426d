"""`etl-dagster retention` as people use it: look, say no, say yes, and what holds afterwards."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from etl_dagster.dnc import DncHistoryError, DncStore, inbox
from etl_dagster.scrub.old_files import needed_since, old_files, remove_files
from etl_dagster.settings import FIVE_YEARS
from etl_dagster.warehouse import retention, retention_record
from etl_dagster_tests.cli.test_cli import clean_environment, invoke
from etl_dagster_tests.defs.line import TODAY, Line
from etl_dagster_tests.dnc.support import Clock, write_list
from etl_dagster_tests.warehouse.aged import PHONES, fill

OLD = TODAY - timedelta(days=FIVE_YEARS + 40)
MIDDLE = TODAY - timedelta(days=366)
KEPT = TODAY - timedelta(days=360)


def command(line: Line, *arguments: str) -> Result:
    found = invoke(line.environment, *arguments)
    assert "Traceback" not in found.output
    return found


def test_what_is_over_its_time_goes_and_stays_gone(one_chunk: Line, tmp_path: Path) -> None:
    line, heads, file = one_chunk, str(tmp_path / "heads.json"), tmp_path / "plan.json"
    with line.session() as session:
        fill(session, OLD, MIDDLE, KEPT, chunks=1)
    assert command(line, "ledger", "heads", "--out", heads).exit_code == 0

    planned = command(line, "retention", "plan", "--json", str(file))
    assert planned.exit_code == 0, planned.output
    assert not re.search("|".join(map(str, PHONES)), planned.output + file.read_text("utf-8"))
    found = json.loads(file.read_text(encoding="utf-8"))
    assert sum(one["rows"] for one in found["rows"]) == 8 + 12 + 3 + 2 + 1
    assert "26 rows of 3 days" in planned.output
    assert str(KEPT) not in planned.output

    refused = command(line, "retention", "apply")
    assert (refused.exit_code, "Aborted" in refused.output) == (1, True)
    assert (line.count("LEADS"), line.count("RETENTIONS")) == (3, 0)

    done = command(line, "retention", "apply", "--yes")
    assert done.exit_code == 0, done.output
    assert "WHOLE: what is left of the ledger was verified" in done.output
    assert (line.count("LEADS"), line.count("PHONE_VERDICTS")) == (1, 24)
    assert line.count("RETENTIONS") == 12

    verified = command(line, "ledger", "verify", "--heads", heads)
    assert verified.exit_code == 0, verified.output
    assert "2 heads removed by retention, on record" in verified.output

    again = command(line, "retention", "apply", "--yes")
    assert (again.exit_code, "nothing has to go" in again.output) == (0, True)
    assert line.count("RETENTIONS") == 12

    run = command(line, "run", "--date", str(MIDDLE))
    assert run.exit_code == 1
    assert f"the leads of {MIDDLE} were removed because their time was up" in run.output
    run = command(line, "run", "--from", str(MIDDLE), "--to", str(MIDDLE))
    assert run.exit_code == 0, run.output
    assert "1 days are left out: retention removed their leads" in run.output
    run = command(line, "preview", "--date", str(MIDDLE))
    assert (run.exit_code, "were removed because" in run.output) == (1, True)
    assert line.bought() == set()


def test_evidence_that_was_changed_stays_with_its_lists_and_the_command_says_so(
    one_chunk: Line, tmp_path: Path
) -> None:
    decided = datetime(OLD.year, OLD.month, OLD.day, 6, tzinfo=UTC) + timedelta(days=1)
    for left in one_chunk.settings.dnc_store.parent.glob("dnc.sqlite*"):
        left.unlink()
    clock = Clock(decided - timedelta(days=10))
    with DncStore.create(one_chunk.settings.dnc_store, clock=clock) as store:
        for number in range(2):  # the second came later, and is past its retention, too
            file = write_list(tmp_path / f"{number}.txt", PHONES[: 5 + number])
            store.add_list("national", [file], as_of=clock.now)
            clock.forward(days=13)
        was = store.lookup(np.array(PHONES), as_of=decided)
    with one_chunk.session() as session:
        fill(session, OLD, chunks=1)
        session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'LISTED' WHERE phone = {PHONES[0]}")
    done = command(one_chunk, "retention", "apply", "--yes")
    assert done.exit_code == 1
    assert f"the ledger of {OLD} is not as it was written, so it stays" in done.output
    assert (one_chunk.count("LEADS"), one_chunk.count("PHONE_VERDICTS")) == (0, 12)

    def again() -> list[int]:
        with DncStore.open(one_chunk.settings.dnc_store) as store:
            found, _ = store.repeat(np.array(PHONES), was.list_versions, decided)
            verdicts: list[int] = found.verdicts.tolist()
            return verdicts

    assert again() == was.verdicts.tolist()
    with one_chunk.session() as session:
        session.execute(f"UPDATE PHONE_VERDICTS SET verdict = 'CLEAR' WHERE phone = {PHONES[0]}")
    assert command(one_chunk, "retention", "apply", "--yes").exit_code == 0
    with pytest.raises(DncHistoryError, match="compacted away"):
        again()


def test_files_that_were_loaded_go_on_record_when_their_time_is_up(one_chunk: Line) -> None:
    settings = one_chunk.settings
    folder = settings.opt_out_inbox_dir
    folder.mkdir(parents=True)
    for name in ("letters.txt", "calls.txt"):
        (folder / name).write_text(f"{PHONES[0]}\n", encoding="utf-8")
    letters = folder / "letters.txt"
    inbox.set_done(letters, inbox.stamp(letters))
    now = datetime.now(UTC)
    later = now + timedelta(days=settings.ledger_retention_days + 32)
    with one_chunk.session() as session:
        assert old_files(settings, needed_since(session, settings, now)) == []
        (old,) = old_files(settings, needed_since(session, settings, later))
        fill(session, TODAY, chunks=1)
        assert old_files(settings, needed_since(session, settings, later)) == []
        since = needed_since(session, settings, later, going=[TODAY])
        assert old_files(settings, since) == [old]
    assert (old.folder, [path.name for path in old.files]) == (
        "inbox/opt_outs/done",
        ["letters.txt"],
    )
    with one_chunk.session() as session:
        planned = retention.plan(session, leads_days=365, ledger_days=FIVE_YEARS, moment=later)
        remove_files(session, old, planned)
        (record,) = retention_record.read(session)
        assert list(retention_record.examine([record], moment=later)) == []
    assert (record.table_name, record.row_count) == ("inbox/opt_outs/done", 1)
    assert old_files(settings, since) == []
    assert (folder / "calls.txt").exists()


@pytest.mark.slow
def test_what_was_killed_goes_on_and_each_row_is_on_record_once(one_chunk: Line) -> None:
    line = one_chunk
    days = [OLD - timedelta(days=back) for back in range(8)]
    with line.session() as session:
        fill(session, *days, chunks=1)
    command_line = [sys.executable, "-m", "etl_dagster", "retention", "apply"]
    killed = subprocess.Popen(
        [*command_line, "--yes"], env={**clean_environment(), **line.environment},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert killed.stdout is not None
    next(one for one in killed.stdout if one.startswith("removed"))
    killed.kill()
    killed.communicate()
    (found,) = line.rows(
        "SELECT (SELECT COUNT(*) FROM LEADS) AS here,"
        " (SELECT COUNT(*) FROM RETENTIONS WHERE table_name = 'LEADS') AS gone"
    )
    assert found["HERE"] + found["GONE"] == len(days)
    assert found["GONE"] > 0
    assert line.count("RETENTIONS") < 8 * len(days)
    assert command(line, "retention", "apply", "--yes").exit_code == 0
    assert line.count("RETENTIONS") == 8 * len(days)
    assert command(line, "ledger", "verify").exit_code == 0


def test_commands_that_read_do_not_even_renew_a_view(one_chunk: Line, tmp_path: Path) -> None:
    view = "CREATE OR REPLACE VIEW CALLABLE_NOW AS SELECT 'as it was' AS mark"
    with one_chunk.session() as session:
        session.execute(view)
    for arguments in (
        ["ledger", "verify"],
        ["ledger", "heads", "--out", str(tmp_path / "heads.json")],
        ["exports"],
        ["retention", "plan"],
        ["sql", "SELECT mark FROM CALLABLE_NOW"],
    ):
        found = command(one_chunk, *arguments)
        assert found.exit_code == 0, found.output
    assert one_chunk.count("CALLABLE_NOW", "mark = 'as it was'") == 1
    assert command(one_chunk, "retention", "apply", "--yes").exit_code == 0
    assert one_chunk.count("CALLABLE_NOW") == 0  # who writes renews it


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ETL_LEDGER_RETENTION_DAYS", "1829", "expected 1,830 days or more"),
        ("ETL_LEADS_RETENTION_DAYS", "59", "greater than or equal to 60"),
        ("ETL_LEADS_RETENTION_DAYS", "1831", "longer than the proof"),
        ("ETL_CATCH_UP_DAYS", "365", "not below ETL_LEADS_RETENTION_DAYS"),
    ],
)
def test_settings_that_would_lose_evidence_are_refused(name: str, value: str, says: str) -> None:
    found = invoke({name: value}, "retention", "plan")
    assert found.exit_code == 1
    assert name in found.output
    assert says in found.output
