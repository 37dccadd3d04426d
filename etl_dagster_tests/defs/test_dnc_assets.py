"""List and opt-out files from the inboxes into the store, through Dagster."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from etl_dagster.defs.dnc import LISTS
from etl_dagster.dnc import DncStore
from etl_dagster_tests.cli.test_cli import invoke
from etl_dagster_tests.defs.line import AREA, CLEAN, DAY, EARLIER, TODAY, Line, person
from etl_dagster_tests.defs.test_reruns import assert_chains_are_whole

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def put(folder: Path, name: str, phones: list[int | str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(f"{phone}\n" for phone in phones), encoding="utf-8")
    os.utime(path, (1, 1))  # it arrived long ago
    return path


def requested(line: Line, sensor: str) -> list[dg.RunRequest]:
    defs = line.defs()
    asked_for = defs.resolve_sensor_def(sensor)
    parts = {name: (defs.resources or {})[name] for name in asked_for.required_resource_keys}
    with dg.build_sensor_context(instance=line.instance, resources=parts) as context:
        answer = asked_for(context)
    if isinstance(answer, dg.SensorResult):
        return list(answer.run_requests or [])
    return [answer] if isinstance(answer, dg.RunRequest) else []


def load(line: Line, name: str) -> bool:
    line.instance.add_dynamic_partitions(str(LISTS.name), [name])
    return line.run(job="load_dnc_lists", partition_key=name).success


def test_a_list_that_arrives_is_loaded_and_blocks(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    inbox = line.settings.dnc_inbox_dir
    assert requested(line, "dnc_inbox") == []
    put(inbox, f"partner@{TODAY}.txt", [CLEAN[1]])
    (request,) = requested(line, "dnc_inbox")
    assert request.partition_key == "partner"
    assert load(line, "partner")
    assert (inbox / "done" / f"partner@{TODAY}.txt").exists()
    assert requested(line, "dnc_inbox") == []
    assert line.run().success
    rows = line.rows("SELECT phone_1_lists, lead_verdict FROM DNC_FILTERED ORDER BY 2")
    assert [tuple(row.values()) for row in rows] == [("partner", "BLOCKED"), ("", "CALLABLE")]


def test_a_list_that_cannot_be_used_is_set_aside_and_the_run_fails(line: Line) -> None:
    inbox = line.settings.dnc_inbox_dir
    put(inbox, f"national@{TODAY}.txt", ["<html>", "not", "a list"])
    before = line.settings.dnc_store.stat().st_size
    assert not load(line, "national")
    rejected = inbox / "rejected" / f"national@{TODAY}.txt"
    assert rejected.exists()
    assert rejected.with_name(f"{rejected.name}.reason.txt").read_text()
    with DncStore.open(line.settings.dnc_store) as store:
        assert {stats.list: stats.version for stats in store.stats()}["national"] == 1
    assert line.settings.dnc_store.stat().st_size == before


@pytest.mark.slow
def test_a_list_that_comes_while_the_store_is_written_to_waits(line: Line) -> None:
    path = put(line.settings.dnc_inbox_dir, f"partner@{TODAY}.txt", [CLEAN[1]])
    with closing(sqlite3.connect(line.settings.dnc_store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not load(line, "partner")
    assert path.exists()
    assert len(requested(line, "dnc_inbox")) == 1
    assert load(line, "partner")
    assert not path.exists()


def test_changes_follow_the_full_list_of_their_day(line: Line) -> None:
    inbox = line.settings.dnc_inbox_dir
    full = [str(AREA * 10_000_000 + 5_559_000 + number) for number in range(600)]
    put(inbox, f"national@{TODAY}.changes.csv", [f"{CLEAN[3]},{TODAY}T00:00:01,A"])
    put(inbox, f"national@{TODAY}.txt", list(full))
    assert load(line, "national")
    with DncStore.open(line.settings.dnc_store) as store:
        assert store.check_phones_batch([str(CLEAN[3]), str(CLEAN[4])]) == {str(CLEAN[3])}


def test_no_change_list_is_passed_over(line: Line) -> None:
    inbox = line.settings.dnc_inbox_dir
    days = [TODAY - timedelta(days=number) for number in (3, 2, 1)]
    full, first, second = (
        f"partner@{days[0]}.txt",
        f"partner@{days[1]}.changes.csv",
        f"partner@{days[2]}.changes.csv",
    )
    rows = [[f"{CLEAN[number]},{day}T00:00:01,A"] for number, day in enumerate(days)]
    put(inbox, full, [CLEAN[0]])
    put(inbox, first, ["<html>", *rows[1]])
    put(inbox, second, list(rows[2]))
    for _ in range(2):  # until somebody deals with it
        assert not load(line, "partner")
        assert (inbox / "rejected" / first).exists()
        assert (inbox / second).exists()
        assert len(requested(line, "dnc_inbox")) == 1
        with DncStore.open(line.settings.dnc_store) as store:
            assert {stats.list: stats.version for stats in store.stats()}["partner"] == 1

    for left in (inbox / "rejected").iterdir():
        left.unlink()
    put(inbox, first, list(rows[1]))
    assert load(line, "partner")
    with DncStore.open(line.settings.dnc_store) as store:
        assert store.check_phones_batch([str(CLEAN[n]) for n in range(4)]) == {
            str(CLEAN[n]) for n in range(3)
        }


def test_a_full_list_makes_earlier_changes_needless(line: Line) -> None:
    inbox = line.settings.dnc_inbox_dir
    days = [TODAY - timedelta(days=number) for number in (3, 2, 1, 0)]
    put(inbox, f"partner@{days[0]}.txt", [CLEAN[0]])
    put(inbox, f"partner@{days[1]}.changes.csv", ["<html>"])
    assert not load(line, "partner")
    put(inbox, f"partner@{days[2]}.txt", [CLEAN[0], CLEAN[1]])
    put(inbox, f"partner@{days[3]}.changes.csv", [f"{CLEAN[2]},{days[3]}T00:00:01,A"])
    assert load(line, "partner")
    assert requested(line, "dnc_inbox") == []


def test_a_list_that_nobody_has_fails(line: Line) -> None:
    assert not load(line, "state_fl")


def test_opt_outs_that_wait_are_heard_before_anybody_is_scrubbed(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    put(line.settings.opt_out_inbox_dir, "letters.txt", [CLEAN[1]])
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}


def test_opt_outs_that_cannot_be_read_stop_the_line_until_somebody_deals_with_them(
    one_chunk: Line,
) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    lines = [CLEAN[2], "nothing of use", *range(AREA * 10**7 + 9_000_000, AREA * 10**7 + 9_002_000)]
    put(line.settings.opt_out_inbox_dir, "letters.txt", lines)
    for _ in range(2):
        result = line.run()
        assert result.steps["dnc_filtered"] == "failure"
        assert "letters.txt" in result.error
        assert line.count("DNC_FILTERED") == line.count("CALLABLE_LEADS") == 0
        assert on_the_list(line, CLEAN[1], CLEAN[2]) == {CLEAN[2]}  # what can be read is heard
    reason = line.settings.opt_out_inbox_dir / "rejected" / "letters.txt.reason.txt"
    assert "1 of 2,002 lines cannot be read; the first: letters.txt:2." in reason.read_text()
    for path in (line.settings.opt_out_inbox_dir / "rejected").iterdir():
        path.unlink()
    assert line.run().success
    assert line.callable_phones() == {CLEAN[1]}


@pytest.mark.slow
def test_what_is_listed_after_publication_is_taken_back_in_every_day(one_chunk: Line) -> None:
    line = one_chunk
    line.people(
        [person(1, CLEAN[1], day=EARLIER), person(2, CLEAN[1], CLEAN[2]), person(3, CLEAN[3])]
    )
    for day in (EARLIER, DAY):
        assert line.run(day).success
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.count("CALLABLE_LEADS") == 3
    assert requested(line, "dnc_changes") == []

    line.opt_out(CLEAN[1])
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == {CLEAN[2], CLEAN[3]}
    assert line.count("CALLABLE_NOW") == 2
    listed = line.rows("SELECT lead_date FROM PHONE_VERDICTS WHERE verdict = 'LISTED' ORDER BY 1")
    assert [row["LEAD_DATE"] for row in listed] == [EARLIER, DAY]
    assert_chains_are_whole(line)
    assert requested(line, "dnc_changes") == []


def backed_up(line: Line) -> Callable[[], None]:
    """Back the store up; what puts the backup in its place."""
    store, backup = line.settings.dnc_store, line.settings.home / "backup.sqlite"
    with closing(sqlite3.connect(store)) as ours, closing(sqlite3.connect(backup)) as copy:
        ours.backup(copy)

    def restore() -> None:
        for file in store.parent.glob(f"{store.name}-*"):
            file.unlink()  # what was written since the backup
        backup.replace(store)

    return restore


def test_a_store_that_lost_what_verdicts_rest_on_scrubs_nobody_until_all_is_loaded_again(
    one_chunk: Line,
) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2]), person(3, CLEAN[4])])
    restore = backed_up(line)
    for phone in (CLEAN[1], CLEAN[4]):
        line.opt_out(phone)
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}
    lost = line.rows("SELECT list_versions AS v FROM PHONE_VERDICTS WHERE verdict = 'LISTED'")
    (version,) = {part for row in lost for part in row["V"].split(";") if "internal" in part}
    restore()
    put(line.settings.opt_out_inbox_dir, "again.txt", [CLEAN[1], CLEAN[4]])  # as one version
    for _ in range(2):
        result = line.run()
        assert result.steps["dnc_filtered"] == "failure"
        assert f"did not have {version} of " in result.error
        assert "put that on record with `etl-dagster dnc restored`" in result.error
    said = ("--reason", "disk lost; all opt-outs loaded again", "--by", "ann")
    done = invoke(line.environment, "dnc", "restored", *said)
    assert done.exit_code == 0, done.output
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}
    with DncStore.open(line.settings.dnc_store) as store:
        (told,) = [one for one in store.history("internal") if one.kind == "restored"]
    assert told.files[0]["name"] == "ann: disk lost; all opt-outs loaded again"


def test_another_list_of_the_same_version_takes_leads_back_after_a_restore(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    assert line.run().success
    restore = backed_up(line)
    line.opt_out(CLEAN[3])
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []
    restore()
    assert len(requested(line, "dnc_changes")) == 1
    line.opt_out(CLEAN[1])  # as version 2, as the one that was lost
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == {CLEAN[2]}
    assert requested(line, "dnc_changes") == []


@pytest.mark.slow
def test_what_a_publication_that_broke_off_left_is_asked_about_again(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    line.fault("status", status=500)
    assert not line.run().success  # long before it would publish
    line.ccc.reset()
    assert line.run().success
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []
    with line.session() as session:
        session.execute("UPDATE PHONE_VERDICTS SET verdict = 'UNKNOWN'")  # so it cannot be proved
    assert not line.run(asset_selection=[dg.AssetKey("callable_leads")]).success
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert requested(line, "dnc_changes") == []


def test_opt_outs_that_arrive_act_on_the_next_run(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    assert line.run().success
    assert line.callable_phones() == {CLEAN[1]}
    put(line.settings.opt_out_inbox_dir, "letters.txt", [CLEAN[1]])
    assert len(requested(line, "opt_out_inbox")) == 1
    assert line.run(job="load_opt_outs", tags={}).success
    assert requested(line, "opt_out_inbox") == []
    assert line.run().success
    assert line.callable_phones() == set()
    assert line.count("CALLABLE_NOW") == 0


@pytest.mark.parametrize("broken", ["campaign", "policy"])
def test_an_opt_out_acts_although_a_file_that_is_none_of_its_business_cannot_be_read(
    make_line: Callable[..., Line], tmp_path: Path, broken: str
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'required_sources = ["ccc", "dnc"]\n[ccc]\nttl_days = 7\n[dnc]\nmax_age_days = 3'
    )
    line = make_line(ETL_CHUNKS="1", ETL_POLICY_FILE=str(policy))
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    assert line.run().success
    file, reads = {
        "campaign": (Path(line.environment["ETL_CAMPAIGNS_DIR"]) / "walk_in (copy).sql", True),
        "policy": (policy, False),
    }[broken]
    file.write_text("?")
    put(line.settings.opt_out_inbox_dir, "letters.txt", [CLEAN[1]])
    assert line.run(job="load_opt_outs", tags={}).success
    taken_back = line.run(job="retract_listed", tags={})
    assert (taken_back.success, file.name in taken_back.error) == (reads, not reads)
    assert line.callable_phones() == {CLEAN[2]}
    assert line.count("CALLABLE_NOW") == 1
    assert_chains_are_whole(line)
    # and nothing is done without the file that needs it
    day = line.run()
    assert day.steps == {"leads": "failure"}
    assert file.name in day.error
    assert len(requested(line, "dnc_changes")) == (not reads)


def opt_outs(line: Line, *rows: tuple[object, object]) -> None:
    """Make the company's own table of opt-outs."""
    with line.session() as session:
        session.execute("CREATE OR REPLACE TABLE OPT_OUTS (phone VARCHAR, requested_at TIMESTAMP)")
        for phone, at in rows:
            session.execute(
                "INSERT INTO OPT_OUTS VALUES (%(phone)s, %(at)s)", {"phone": phone, "at": at}
            )


def test_a_row_in_the_table_of_opt_outs_takes_published_leads_back(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    line.people([person(1, CLEAN[1]), person(2, CLEAN[1], CLEAN[2]), person(3, CLEAN[3])])
    opt_outs(line, (str(CLEAN[3]), NOON))
    assert line.run().success  # which hears of the row by itself
    assert line.callable_phones() == {CLEAN[1], CLEAN[2]}
    assert len(requested(line, "opt_outs_table")) == 1
    assert line.run(job="load_opt_outs", tags={}).success
    assert requested(line, "opt_outs_table") == []

    opt_outs(line, (str(CLEAN[3]), NOON), (f"({AREA}) {str(CLEAN[1])[3:]}", NOON))
    assert len(requested(line, "opt_outs_table")) == 1
    assert line.run(job="load_opt_outs", tags={}).success
    assert len(requested(line, "dnc_changes")) == 1
    assert line.run(job="retract_listed", tags={}).success
    assert line.callable_phones() == {CLEAN[2]}
    assert requested(line, "opt_outs_table") == requested(line, "dnc_changes") == []
    with DncStore.open(line.settings.dnc_store) as store:
        (told,) = store.explain(CLEAN[1]).lists[-2].requests
    assert (told["source"], told["received"]) == ("OPT_OUTS", NOON.isoformat())


def test_unreadable_rows_of_the_table_are_told_and_stop_the_scrub_and_not_the_other_rows(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    line.people([person(1, CLEAN[1])])
    opt_outs(line, (str(CLEAN[1]), NOON), ("407 555", NOON))
    loaded = line.run(job="load_opt_outs", tags={})
    assert not loaded.success
    assert "1 of 2 rows of OPT_OUTS cannot be read" in loaded.error
    assert "What to do: somebody asked to be left alone" in loaded.error
    assert requested(line, "opt_outs_table") == []  # told once, until the table changes
    result = line.run()
    assert result.steps["dnc_filtered"] == "failure"
    assert "the phone of 1 of 2 rows of OPT_OUTS cannot be read" in result.error
    assert "407 555" not in result.error
    with DncStore.open(line.settings.dnc_store) as store:
        assert store.check_phones_batch([str(CLEAN[1])]) == {str(CLEAN[1])}
    opt_outs(line, (str(CLEAN[1]), NOON))
    assert line.run(job="load_opt_outs", tags={}).success


def test_a_table_that_is_none_of_opt_outs_is_refused_by_its_columns(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="PEOPLE")
    result = line.run(job="load_opt_outs", tags={})
    assert result.steps == {"internal_opt_outs": "failure"}
    assert "PEOPLE has no column phone and has no column requested_at" in result.error


def test_a_file_that_cannot_be_read_and_the_table_do_not_keep_each_other_from_being_heard(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="OPT_OUTS")
    line.people([person(1, CLEAN[1])])
    put(line.settings.opt_out_inbox_dir / "rejected", "letters.txt", ["nothing of use"])
    opt_outs(line, (str(CLEAN[1]), NOON))
    result = line.run(job="load_opt_outs", tags={})
    assert "letters.txt" in result.error
    assert on_the_list(line, CLEAN[1], CLEAN[2], CLEAN[3]) == {CLEAN[1]}
    assert requested(line, "opt_outs_table") == []

    opt_outs(line, (str(CLEAN[2]), NOON))
    result = line.run()
    assert result.steps["dnc_filtered"] == "failure"
    assert "letters.txt" in result.error
    assert on_the_list(line, CLEAN[1], CLEAN[2], CLEAN[3]) == {CLEAN[1], CLEAN[2]}

    with line.session() as session:
        session.execute("DROP TABLE OPT_OUTS")
    put(line.settings.opt_out_inbox_dir, "more.txt", [CLEAN[3]])
    result = line.run(job="load_opt_outs", tags={})
    assert "OPT_OUTS cannot be read" in result.error  # both are told
    assert "letters.txt" in result.error
    assert on_the_list(line, CLEAN[1], CLEAN[2], CLEAN[3]) == {CLEAN[1], CLEAN[2], CLEAN[3]}


def on_the_list(line: Line, *phones: int) -> set[int]:
    with DncStore.open(line.settings.dnc_store) as store:
        return {int(phone) for phone in store.check_phones_batch([str(one) for one in phones])}


def test_a_table_that_is_not_heard_fails_a_run_so_that_people_are_told(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_OPT_OUTS_TABLE="NO_SUCH")
    (request,) = requested(line, "opt_outs_table")
    assert request.run_key
    assert not line.run(job="load_opt_outs", tags={}).success
    assert len(requested(line, "opt_outs_table")) == 1  # as long as it lasts
    opt_outs(line)
    line.environment["ETL_OPT_OUTS_TABLE"] = "OPT_OUTS"
    assert line.run(job="load_opt_outs", tags={}).success
    assert requested(line, "opt_outs_table") == []
