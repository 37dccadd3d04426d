"""The checks of the stages on small worlds: what each finds, what it blocks, what it says."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_dagster.defs.alerts import alert_of, gather
from etl_dagster.defs.freshness import build_freshness, lists_result
from etl_dagster.defs.stage_checks import CHECKS, check_specs
from etl_dagster.dnc import DncStore, ListStats
from etl_dagster_tests.defs.line import (
    CLEAN,
    DAY,
    LISTED,
    LITIGATORS,
    TODAY,
    UNCOVERED,
    Line,
    Result,
    person,
)

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def evaluations(line: Line, result: Result) -> list[dg.AssetCheckEvaluation]:
    """Everything that the checks of a run told, in order."""
    logged = line.instance.all_logs(
        result.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    return [entry.get_dagster_event().asset_check_evaluation_data for entry in logged]


def verdicts(line: Line, result: Result) -> dict[str, tuple[bool, dg.AssetCheckSeverity]]:
    """The last word of each check of a run, by `asset:check`."""
    return {
        f"{one.asset_key.to_user_string()}:{one.check_name}": (one.passed, one.severity)
        for one in evaluations(line, result)
    }


def told(line: Line, result: Result, check: str) -> str:
    """What a check said last."""
    said = [one.description for one in evaluations(line, result) if one.check_name == check]
    return str(said[-1])


def renew(line: Line, **lists: Any) -> None:
    """Another store instead of the line's."""
    path = line.settings.dnc_store
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    line.lists(**lists)


def copy_back(line: Line, table: str, *, days: int) -> None:
    """Let a day of a table have been the same on each of some days before."""
    with line.session() as session:
        for back in range(1, days + 1):
            session.execute(
                f"INSERT INTO {table} SELECT * REPLACE"
                f" (DATEADD(day, -{back}, lead_date)::DATE AS lead_date)"
                f" FROM {table} WHERE lead_date = '{DAY}'"
            )


def test_every_check_says_what_to_do_when_it_fails() -> None:
    for asset, checks in CHECKS.items():
        assert len({check.name for check in checks}) == len(checks)
        for spec in check_specs(asset):
            assert "If it fails: " in str(spec.description)


def test_on_a_good_day_every_check_passes(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(number, CLEAN[number]) for number in range(12)])
    result = line.run()
    assert result.success, result.error
    found = verdicts(line, result)
    expected = {f"{asset}:{check.name}" for asset, checks in CHECKS.items() for check in checks}
    assert set(found) == expected
    assert all(passed for passed, _ in found.values()), found


def test_a_table_that_somebody_changed_stops_the_run_before_anything_is_written(
    one_chunk: Line,
) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    with line.session() as session:
        session.execute("ALTER TABLE PHONE_VERDICTS DROP COLUMN evidence_hash")
    result = line.run()
    assert not result.success
    assert result.steps == {"leads": "success", "ccc_enriched": "failure"}
    assert "PHONE_VERDICTS has no column EVIDENCE_HASH" in result.error
    assert "What to do: somebody changed a table" in result.error
    assert verdicts(line, result)["ccc_enriched:tables_are_as_declared"] == (False, ERROR)
    assert line.bought() == set()


@pytest.mark.slow
def test_an_extract_of_ten_times_the_usual_size_buys_nothing(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(number, CLEAN[number]) for number in range(12)])
    assert line.run().success
    copy_back(line, "LEADS", days=5)
    line.people([person(number, CLEAN[number]) for number in range(130)])
    line.ccc.reset()
    result = line.run()
    assert result.steps == {"leads": "failure"}
    assert verdicts(line, result)["leads:size_is_usual"] == (False, ERROR)
    assert told(line, result, "size_is_usual") == (
        "130 leads, where the median of 5 earlier days is 12"
    )
    assert line.bought() == set()
    # somebody looked, and it is right: the later stages are materialized by hand
    stages = [dg.AssetKey(name) for name in ("ccc_enriched", "dnc_filtered", "callable_leads")]
    assert line.run(asset_selection=stages).success
    assert line.count("CALLABLE_LEADS", f"lead_date = '{DAY}'") == 130


def test_a_day_without_leads_is_an_error_unless_they_are_still_valid(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1], first_name=None)])  # rows, and none of them a lead
    result = line.run()
    assert result.steps == {"leads": "failure"}
    assert told(line, result, "size_is_usual") == "the day has no lead"

    earlier = DAY - timedelta(days=1)
    line.people([person(1, CLEAN[1], day=day) for day in (earlier, DAY)])
    assert line.run(earlier).success
    assert line.run(DAY).success
    assert line.count("LEADS", f"lead_date = '{DAY}'") == 0


def test_a_list_that_lost_its_numbers_publishes_nothing(one_chunk: Line) -> None:
    line = one_chunk
    listed = [person(number, LISTED[number]) for number in range(150)]
    clean = [person(1_000 + number, CLEAN[number]) for number in range(150)]
    line.people([*listed, *clean])
    assert line.run().success
    for table in ("LEADS", "DNC_FILTERED"):
        copy_back(line, table, days=5)
    renew(line, listed=CLEAN[600:610])  # the right area code, hardly anybody on it
    with line.session() as session:
        session.execute("DELETE FROM CALLABLE_LEADS")
    result = line.run()
    assert result.steps["dnc_filtered"] == "failure"
    assert "callable_leads" not in result.steps
    assert verdicts(line, result)["dnc_filtered:dnc_rate_is_usual"] == (False, ERROR)
    assert "0.00% of 300 phones are listed" in told(line, result, "dnc_rate_is_usual")
    assert line.count("CALLABLE_LEADS") == 0


@pytest.mark.slow
def test_answers_that_find_too_few_litigators_publish_nothing_when_the_day_is_run_again_either(
    one_chunk: Line,
) -> None:
    line = one_chunk
    sued = [person(number, phone) for number, phone in enumerate(LITIGATORS[:60])]
    line.people([*sued, *(person(1_000 + number, CLEAN[number]) for number in range(240))])
    assert line.run().success
    for table in ("LEADS", "CCC_ENRICHED"):
        copy_back(line, table, days=5)
    line.people([person(2_000 + number, CLEAN[1_000 + number]) for number in range(300)])
    for asked in (300, 0):  # again, by what is on record: that is no way around the check
        line.ccc.reset()
        result = line.run()
        assert result.steps == {"leads": "success", "ccc_enriched": "failure"}
        assert verdicts(line, result)["ccc_enriched:litigator_rate_is_usual"] == (False, ERROR)
        assert "0.00% of 300 phones are listed" in told(line, result, "litigator_rate_is_usual")
        assert len(line.bought()) == asked
    (way_out,) = [
        str(spec.description)
        for spec in check_specs("ccc_enriched")
        if spec.name == "litigator_rate_is_usual"
    ]
    assert "until CCC is asked again: `etl-dagster run --date DAY --force`" in way_out


@pytest.mark.slow
def test_more_listed_phones_than_usual_are_published_with_a_warning(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(number, CLEAN[number]) for number in range(300)])
    assert line.run().success
    for table in ("LEADS", "DNC_FILTERED"):
        copy_back(line, table, days=5)
    line.people(
        [person(number, CLEAN[number]) for number in range(200)]
        + [person(1_000 + number, LISTED[number]) for number in range(100)]
    )
    result = line.run()
    assert result.success, result.error
    assert verdicts(line, result)["dnc_filtered:dnc_rate_is_usual"] == (False, WARN)
    assert line.count("CALLABLE_LEADS", f"lead_date = '{DAY}'") == 200


def test_phones_that_no_list_covers_are_warned_of_by_area_code(
    make_line: Callable[..., Line],
) -> None:
    line = make_line(ETL_CHUNKS="1", ETL_UNKNOWN_WARN="0.1", ETL_UNKNOWN_ERROR="0.6")
    line.people(
        [person(number, CLEAN[number]) for number in range(10)]
        + [person(100 + number, UNCOVERED[number]) for number in range(3)]
    )
    result = line.run()
    assert result.success, result.error
    found = verdicts(line, result)
    assert found["dnc_filtered:area_codes_are_covered"] == (False, WARN)
    assert found["dnc_filtered:few_phones_are_unknown"] == (False, WARN)
    assert found["dnc_filtered:no_phone_waits_for_a_newer_list"] == (True, ERROR)
    assert told(line, result, "area_codes_are_covered") == (
        "no list covers the area codes of 3 phones: 505 (3)"
    )


@pytest.mark.slow
def test_the_last_word_on_a_check_is_the_worst_chunks(line: Line) -> None:
    # Dagster shows what was told last: the last chunk must not hide the first one's finding
    line.people([person(number, UNCOVERED[number]) for number in range(12)])
    assert line.run().success
    rows = line.rows("SELECT DISTINCT phone_1 FROM LEADS WHERE chunk = 0")
    first = [number for number in range(12) if {"PHONE_1": UNCOVERED[number]} in rows]
    line.people(
        [person(number, UNCOVERED[number]) for number in first]
        + [person(100 + number, CLEAN[number]) for number in range(12)]
    )
    result = line.run()
    assert result.success, result.error
    words = [
        (one.partition, one.passed)
        for one in evaluations(line, result)
        if one.check_name == "area_codes_are_covered" and one.partition
    ]
    assert words == [(f"{DAY}|01", True), (f"{DAY}|00", False)]


def test_phones_that_wait_for_a_newer_list_are_an_error_and_not_published(
    one_chunk: Line,
) -> None:
    line = one_chunk
    renew(line, as_of=TODAY - timedelta(days=40))
    line.people([person(number, CLEAN[number]) for number in range(4)])
    result = line.run()
    assert result.success, result.error
    found = verdicts(line, result)
    assert found["dnc_filtered:no_phone_waits_for_a_newer_list"] == (False, ERROR)
    assert found["dnc_filtered:few_phones_are_unknown"] == (False, ERROR)
    assert line.count("CALLABLE_LEADS") == 0


def test_wrong_answers_to_the_test_numbers_are_a_failed_check(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    line.fault("wrong_canary")
    result = line.run()
    assert result.steps == {"leads": "success", "ccc_enriched": "failure"}
    assert verdicts(line, result)["ccc_enriched:ccc_knows_its_test_numbers"] == (False, ERROR)
    assert "What to do: believe none of its answers" in result.error
    assert line.count("PHONE_VERDICTS") == 0


def test_a_damaged_store_is_a_failed_check(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    line.settings.dnc_store.write_bytes(b"not a store")
    result = line.run()
    assert result.steps["dnc_filtered"] == "failure"
    assert verdicts(line, result)["dnc_filtered:store_finds_its_canaries"] == (False, ERROR)


# --- checks that run by themselves -------------------------------------------------------------

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def stats(tmp_path: Path, *ages: int) -> tuple[list[ListStats], tuple[str, ...]]:
    """Real lists of these ages, in days, called by them."""
    path = tmp_path / "dnc.sqlite"
    file = tmp_path / "numbers.txt"
    file.write_text("4075550100\n", encoding="utf-8")
    with DncStore.create(path) as store:
        for age in ages:
            as_of = NOW - timedelta(days=age)
            name = f"state_a{age}"
            store.add_list(name, [file], as_of=as_of, covers=[407], kind="national")
        return store.stats(), store.missing()


@pytest.mark.parametrize(
    ("ages", "passed", "severity", "says"),
    [
        ((1, 20), True, ERROR, "every list is fresh"),
        ((1, 28), False, WARN, "too old within 7 days: state_a28"),
        ((28, 32, 40), False, ERROR, "too old to clear a phone: state_a32, state_a40"),
        ((), False, ERROR, "nobody is clear without a list that is not there: national"),
    ],
)
def test_lists_are_judged_by_their_age(
    tmp_path: Path,
    ages: Sequence[int],
    severity: dg.AssetCheckSeverity,
    says: str,
    *,
    passed: bool,
) -> None:
    of_lists, missing = stats(tmp_path, *ages)
    found = lists_result(of_lists, NOW, NOW, missing)
    assert not lists_result(of_lists, NOW, NOW - timedelta(seconds=1)).passed  # a replica too old
    assert found.passed is passed
    assert found.description == says
    if not passed:
        assert found.severity is severity
    assert set(found.metadata) == {f"fresh_days_left_state_a{age}" for age in ages}


def freshness(line: Line) -> dict[str, dg.AssetCheckEvaluation]:
    done = line.run(job="check_freshness", tags={})
    assert done.success, done.error
    return {one.check_name: one for one in evaluations(line, done)}


def test_the_newest_day_is_watched(make_line: Callable[..., Line]) -> None:
    # a tick of this minute yesterday: yesterday's run was due a day ago, so the day before counts
    tick = datetime.now(UTC) - timedelta(hours=3)
    line = make_line(ETL_CHUNKS="1", ETL_SCHEDULE_CRON=f"{tick.minute} {tick.hour} * * *")
    expected = tick.date() - timedelta(days=1)
    before = freshness(line)
    assert not before["newest_day_is_published"].passed
    assert before["newest_day_is_published"].severity is WARN  # nobody dials a local deployment
    assert str(expected) in str(before["newest_day_is_published"].description)
    assert before["every_list_is_fresh"].passed

    line.people([person(1, CLEAN[1], day=expected)])
    assert line.run(expected).success
    after = freshness(line)
    assert after["newest_day_is_published"].passed


def test_a_day_that_is_not_published_fails_the_watch_in_production(one_chunk: Line) -> None:
    line = one_chunk
    production = line.settings.model_copy(update={"deployment": "production"})
    resources = dg.Definitions(resources=line.defs().resources)
    watch = dg.Definitions.merge(build_freshness(production), resources)
    job = watch.resolve_job_def("check_freshness")
    done = Result(job.execute_in_process(instance=line.instance, raise_on_error=False))
    assert not done.success
    assert "check newest_day_is_published" in done.error
    assert "is not published under the policy in force; the newest day that is: none" in done.error


def test_a_list_that_is_too_old_fails_the_watch_so_that_people_are_told(
    make_line: Callable[..., Line], tmp_path: Path
) -> None:
    line = make_line(ETL_CHUNKS="1")
    line.environment["DNC_DB_PATH"] = str(tmp_path / "lists.sqlite")
    line.lists(as_of=TODAY - timedelta(days=40))
    done = line.run(job="check_freshness", tags={})
    assert not done.success
    assert "check every_list_is_fresh: too old to clear a phone: national" in done.error
    assert "What to do: load a newer list of that name" in done.error
    found = {one.check_name: one for one in evaluations(line, done)}
    assert not found["every_list_is_fresh"].passed
    assert {"newest_day_is_published", "opt_outs_have_effect_in_time"} <= set(found)
    (failed,) = (event for event in done.run.all_events if event.is_failure and not event.step_key)
    facts = gather(line.instance, done.run.dagster_run, failed)
    assert "dnc_registry: every_list_is_fresh" in alert_of(facts, ui_url="").checks


def test_a_list_that_is_not_there_fails_the_watch_though_others_are_fresh(
    make_line: Callable[..., Line], tmp_path: Path
) -> None:
    line = make_line(ETL_CHUNKS="1")
    line.environment["DNC_DB_PATH"] = str(tmp_path / "others.sqlite")
    file = tmp_path / "numbers.txt"
    file.write_text("4075550100\n", encoding="utf-8")
    with DncStore.create(tmp_path / "others.sqlite") as store:
        store.add_list("state_fl", [file], as_of=datetime.now(UTC))
    done = line.run(job="check_freshness", tags={})
    assert not done.success
    assert "every_list_is_fresh: nobody is clear without a list that is not there: n" in done.error


def test_a_missing_store_is_told_by_the_watch(
    make_line: Callable[..., Line], tmp_path: Path
) -> None:
    line = make_line(ETL_CHUNKS="1", DNC_DB_PATH=str(tmp_path / "lists.sqlite"))
    line.settings.dnc_store.unlink()
    done = line.run(job="check_freshness", tags={})
    assert "how long opt-outs wait is unknown" in done.error  # so people are told
    found = {one.check_name: one for one in evaluations(line, done)}["every_list_is_fresh"]
    assert not found.passed
    assert found.severity is ERROR
