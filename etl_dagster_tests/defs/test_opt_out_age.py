"""How long opt-outs wait for their effect, wherever they wait, in business days."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa

from etl_dagster.defs.jobs import AGE_CHECK
from etl_dagster.defs.opt_out_age import measure
from etl_dagster.dnc import DncStore
from etl_dagster.leads.policy import Policy
from etl_dagster.oversight.findings import Finding, Level
from etl_dagster_tests.cli.test_cli import invoke
from etl_dagster_tests.defs.line import CLEAN, DAY, Line
from etl_dagster_tests.defs.test_checks import evaluations, freshness
from etl_dagster_tests.defs.test_dnc_assets import opt_outs, put

FRIDAY = datetime(2025, 11, 21, 9, tzinfo=UTC)
"""The Friday before a Thanksgiving week: the tenth business day after it is December 8."""
SATURDAY = datetime(2025, 12, 6, tzinfo=UTC)
TENTH = datetime(2025, 12, 8, 23, tzinfo=UTC)
ELEVENTH = TENTH + timedelta(days=1)


def publish(line: Line, *phones: int) -> None:
    """Let leads with these phones stand in CALLABLE_LEADS, to be dialled for years."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {
            "LEAD_ID": f"lead {phone}", "CAMPAIGN": "walk_in", "LEAD_DATE": DAY, "CHUNK": 0,
            "PHONE_1": None, "PHONE_2": phone, "PHONE_3": None, "RUN_ID": "r",
            "POLICY_HASH": Policy.load().hash,
            "CALLABLE_UNTIL": now + timedelta(days=400), "PUBLISHED_AT": now,
        }
        for phone in phones
    ]  # fmt: skip
    with line.session() as session:
        session.execute("DELETE FROM CALLABLE_LEADS")
        if rows:
            session.load("CALLABLE_LEADS", pa.Table.from_pylist(rows))


def measured(line: Line, now: datetime) -> Finding:
    with line.session() as session, DncStore.open(line.settings.dnc_store) as store:
        return measure(
            session,
            store,
            inbox_folder=line.settings.opt_out_inbox_dir,
            table=line.settings.opt_outs_table,
            now=now,
        )


def test_an_opt_out_has_its_effect_when_it_is_on_the_list_and_in_no_published_lead(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    opt_outs(line)
    assert measured(line, TENTH).says == "no opt-out waits"
    with DncStore.open(line.settings.dnc_store, read_only=False) as store:
        store.opt_out([CLEAN[1]], received=FRIDAY + timedelta(days=3))
        store.opt_out([CLEAN[1]], received=FRIDAY)
        store.opt_out([CLEAN[2]], received=FRIDAY - timedelta(days=400))
        store.opt_out([CLEAN[3]], received=FRIDAY - timedelta(days=400))
        store.remove_opt_out([CLEAN[3]], reason="asked to be called", by="tests")
    publish(line, CLEAN[1], CLEAN[3], CLEAN[4])
    for now, days, level in (
        (FRIDAY, 0, Level.RIGHT),
        (SATURDAY, 9, Level.WORTH_A_LOOK),
        (TENTH, 10, Level.WORTH_A_LOOK),
        (ELEVENTH, 11, Level.WRONG),
    ):
        found = measured(line, now)
        assert found.numbers["oldest_waiting_business_days"] == days
        assert found.numbers["waiting"] == found.numbers["waiting_published"] == 1
        # those recorded just now were asked for long ago, which is worth a look by itself
        assert found.level is max(level, Level.WORTH_A_LOOK)
    assert "1 opt-outs wait (1 published), the oldest for 11 business days" in found.says
    assert str(CLEAN[1]) not in found.says

    publish(line, CLEAN[3], CLEAN[4])  # as after a retraction
    found = measured(line, ELEVENTH)
    assert found.numbers["waiting"] == 0
    assert found.level is Level.WORTH_A_LOOK
    assert "4 of those recorded of late were older than that by then" in found.says

    # in the table and not on record; in the inbox; set aside
    opt_outs(line, (str(CLEAN[5]), FRIDAY), (str(CLEAN[2]), FRIDAY - timedelta(days=400)))
    file = put(line.settings.opt_out_inbox_dir, "letters.txt", [CLEAN[6]])
    aside = put(line.settings.opt_out_inbox_dir / "rejected", "bad.txt", ["?"])
    for path in (file, aside):
        os.utime(path, (FRIDAY.timestamp(), FRIDAY.timestamp()))
    found = measured(line, TENTH)
    assert found.numbers["waiting_in_table"] == 1
    assert found.numbers["waiting_in_files"] == 2
    assert found.numbers["oldest_waiting_business_days"] == 10
    assert measured(line, ELEVENTH).level is Level.WRONG

    # in the table and nobody can read whose it is
    file.unlink()
    aside.unlink()
    opt_outs(line, ("n/a", FRIDAY), ("?", None), ("?", ELEVENTH + timedelta(days=1)))
    found = measured(line, ELEVENTH)
    assert (found.numbers["waiting_unreadable"], found.numbers["waiting"]) == (3, 3)
    assert found.numbers["oldest_waiting_business_days"] == 11
    assert found.level is Level.WRONG


def test_the_watch_tells_the_age_and_the_asset_shows_it(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1")
    with DncStore.open(line.settings.dnc_store, read_only=False) as store:
        store.opt_out([CLEAN[1]], received=datetime.now(UTC) - timedelta(days=40))
    publish(line, CLEAN[1])
    found = failed_watch(line)
    assert "the oldest for 2" in str(found.description)
    assert line.run(job="retract_listed", tags={}).success
    found = freshness(line)["opt_outs_have_effect_in_time"]
    assert found.severity is dg.AssetCheckSeverity.WARN
    (seen,) = line.instance.fetch_observations(dg.AssetKey("internal_opt_outs"), limit=1).records
    assert seen.asset_observation is not None
    numbers = {name: one.value for name, one in seen.asset_observation.metadata.items()}
    assert numbers["waiting"] == 0
    assert int(str(numbers["worst_business_days_to_record"])) in range(24, 30)

    line.settings.dnc_store.unlink()
    line.environment["DNC_DB_PATH"] = str(line.settings.home / "nowhere.sqlite")
    found = failed_watch(line)
    assert "how long opt-outs wait is unknown" in str(found.description)


def test_opt_out_files_in_the_folder_that_nobody_reads_are_told(
    make_line: Callable[..., Line], tmp_path: Path
) -> None:
    line = make_line(ETL_CHUNKS="1", DNC_INBOX=str(tmp_path / "box" / "dnc"))
    path = put(line.settings.home / "inbox" / "opt_outs", "letters.txt", [CLEAN[1]])
    found = failed_watch(line)
    assert "nobody reads the 1 opt-out files in" in str(found.description)
    assert str(path.parent) in str(found.description)
    assert f"move them to {tmp_path / 'box' / 'opt_outs'}" in str(found.description)
    path.unlink()
    assert freshness(line)[AGE_CHECK.name].passed


def failed_watch(line: Line) -> dg.AssetCheckEvaluation:
    """The check's finding, of a run that failed for it, which is what people are told of."""
    done = line.run(job="check_freshness", tags={})
    assert not done.success
    assert "check opt_outs_have_effect_in_time" in done.error
    assert "What to do: see docs/opt_outs.md" in done.error
    assert "newest_day_is_published" in {one.check_name for one in evaluations(line, done)}
    (found,) = (one for one in evaluations(line, done) if one.check_name == AGE_CHECK.name)
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    return found


def test_what_can_be_read_is_taken_back_although_a_row_cannot(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    publish(line, CLEAN[1], CLEAN[2])
    opt_outs(line, (str(CLEAN[1]), FRIDAY), ("n/a", FRIDAY))
    put(line.settings.dnc_inbox_dir, "nobody knows.txt", ["?"])
    result = invoke(line.environment, "retract")
    assert result.exit_code == 1
    assert "nobody knows.txt: it waits in" in result.output  # all of them, not the first alone
    assert "the phone of 1 of 2 rows of OPT_OUTS cannot be read" in result.output
    assert line.callable_phones() == {CLEAN[2]}


def test_leads_are_taken_back_before_an_export_is_refused(
    make_line: Callable[..., Line], tmp_path: Path
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    publish(line, CLEAN[1], CLEAN[2])
    opt_outs(line, (str(CLEAN[1]), FRIDAY), ("n/a", FRIDAY))
    file = tmp_path / "leads.csv"
    result = invoke(line.environment, "export", "--format", "csv", "--out", str(file))
    assert result.exit_code == 1
    assert "the phone of 1 of 2 rows of OPT_OUTS cannot be read" in result.output
    assert not file.exists()
    assert line.callable_phones() == {CLEAN[2]}
