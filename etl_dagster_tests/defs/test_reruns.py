"""Doing it again, twice at once, in parts, for several days: always the same tables."""

import json
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pytest
from filelock import FileLock

from etl_dagster_tests.defs.line import (
    CAMPAIGN,
    CHUNKS,
    CLEAN,
    DAY,
    EARLIER,
    Line,
    Result,
    crowd,
    eventually,
    person,
)
from etl_dagster_tests.together import at_once

pytestmark = pytest.mark.slow

ALL_STAGES = ("leads", "ccc_enriched", "dnc_filtered", "callable_leads")


def keys(*days: date) -> list[str]:
    return [f"{day}|{chunk:02d}" for day in days for chunk in range(CHUNKS)]


def test_a_second_run_changes_nothing_and_buys_nothing(line: Line) -> None:
    line.people(crowd(48))
    first = line.run()
    assert first.success, first.error
    assert first.landed == [(stage, key) for stage in ALL_STAGES for key in keys(DAY)]
    before, published = line.tables(), line.rows("SELECT lead_id, published_at FROM CALLABLE_LEADS")
    bought = line.bought()
    assert bought

    line.ccc.reset()
    second = line.run()
    assert second.success, second.error
    assert line.tables() == before
    assert line.bought() == set()
    again = line.rows("SELECT lead_id, published_at FROM CALLABLE_LEADS")
    assert sorted(map(str, again)) == sorted(map(str, published))


def test_force_buys_every_phone_again_and_appends(one_chunk: Line) -> None:
    line = one_chunk
    line.people(crowd(16))
    line.run()
    before, bought = line.tables(), line.bought()
    line.ccc.reset()
    assert line.run(force=True).success
    assert line.bought() == bought
    after = line.tables()
    assert {name: after[name] for name in after if name != "PHONE_VERDICTS"} == {
        name: before[name] for name in before if name != "PHONE_VERDICTS"
    }
    count = line.count("PHONE_VERDICTS", "source = 'ccc'")
    assert count == 2 * len(bought)


@pytest.mark.slow
def test_two_runs_of_one_day_at_once_give_the_tables_of_one(
    make_line: Callable[..., Line],
) -> None:
    alone, together = make_line(), make_line()
    for line in (alone, together):
        line.people(crowd(48))
    assert alone.run().success

    def run(_: int) -> Result:
        with dg.DagsterInstance.ephemeral() as instance:
            return together.run(instance=instance)

    results = at_once(run, range(2))
    assert [result.success for result in results] == [True, True], [r.error for r in results]
    assert together.tables() == alone.tables()
    assert together.bought() == alone.bought()
    assert not together.bought_twice()
    doubled = "SELECT phone FROM PHONE_VERDICTS GROUP BY phone, source HAVING COUNT(*) > 1"
    assert together.rows(doubled) == []
    assert_chains_are_whole(together)


@pytest.mark.slow
def test_days_that_share_phones_buy_each_once_though_they_run_at_once(one_chunk: Line) -> None:
    line = one_chunk
    line.people([*crowd(48, day=EARLIER), *crowd(48)])

    def run(day: date) -> Result:
        with dg.DagsterInstance.ephemeral() as instance:
            return line.run(day, instance=instance)

    results = at_once(run, [EARLIER, DAY])
    assert [result.success for result in results] == [True, True], [r.error for r in results]
    assert line.bought()
    assert not line.bought_twice()
    assert_chains_are_whole(line)


def assert_chains_are_whole(line: Line) -> None:
    """Positions of every chain count from 1, and each digest is the next one's predecessor."""
    rows = line.rows("SELECT * FROM SCRUB_BATCHES ORDER BY lead_date, chunk, source, position")
    chains: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        chains.setdefault((row["LEAD_DATE"], row["CHUNK"], row["SOURCE"]), []).append(row)
    assert chains
    for chain in chains.values():
        assert [row["POSITION"] for row in chain] == list(range(1, len(chain) + 1))
        assert [row["PREV_DIGEST"] for row in chain] == ["0" * 64, *(r["DIGEST"] for r in chain)][
            :-1
        ]


@pytest.mark.slow
def test_one_run_over_days_does_what_runs_of_a_day_each_do(line: Line) -> None:
    days = [EARLIER, DAY]
    line.people([*crowd(16, day=EARLIER), *crowd(16, start=16, day=DAY)])
    result = line.run(EARLIER, to=DAY)
    assert result.success, result.error
    assert result.landed == [(stage, key) for stage in ALL_STAGES for key in keys(*days)]
    ranged = line.tables()
    leads = [(row["LEAD_DATE"], row["ATTRIBUTES"]) for row in ranged["LEADS"]]
    assert len(leads) == 32
    assert all((day == EARLIER) == (json.loads(text.upper())["SCORE"] < 16) for day, text in leads)
    for day in days:
        assert line.run(day).success
    assert line.tables() == ranged


def test_one_chunk_alone_leaves_the_others_as_they_are(line: Line) -> None:
    line.people(crowd(32))
    alone = line.run(chunks=(1, 1))
    assert alone.success, alone.error
    assert alone.landed == [(stage, f"{DAY}|01") for stage in ALL_STAGES]
    assert {row["CHUNK"] for row in line.rows("SELECT chunk FROM LEADS")} == {1}
    one = line.tables()

    line.run()
    whole = line.tables()
    assert line.run(partition_key=f"{DAY}|01").success
    assert line.tables() == whole
    for name in ("LEADS", "CCC_ENRICHED", "DNC_FILTERED", "CALLABLE_LEADS"):
        assert [row for row in whole[name] if row["CHUNK"] == 1] == one[name]


def test_a_run_for_one_campaign_leaves_the_others_alone(line: Line) -> None:
    line.campaign("walk_in", CAMPAIGN.replace("WHERE", "WHERE score < 100 AND"))
    line.campaign("mailing", CAMPAIGN.replace("WHERE", "WHERE score >= 100 AND"))
    line.people([*crowd(16), *crowd(16, start=104)])
    assert line.run().success
    before = line.tables()
    untouched = line.rows("SELECT * FROM LEADS WHERE campaign = 'mailing' ORDER BY lead_id")
    assert len(untouched) == 16

    line.people(crowd(8))  # fewer for one campaign, nobody for the other
    result = line.run(campaigns=["walk_in"])
    assert result.success, result.error
    rows = line.rows("SELECT * FROM LEADS WHERE campaign = 'mailing' ORDER BY lead_id")
    assert rows == untouched
    assert line.count("LEADS", "campaign = 'walk_in'") == 8
    after = line.tables()
    for name in ("CCC_ENRICHED", "DNC_FILTERED", "CALLABLE_LEADS"):
        assert [row for row in after[name] if row["CAMPAIGN"] == "mailing"] == [
            row for row in before[name] if row["CAMPAIGN"] == "mailing"
        ]
        leads = {row["LEAD_ID"] for row in after["LEADS"]}
        assert {row["LEAD_ID"] for row in after[name]} <= leads


def test_an_unknown_campaign_is_refused_with_the_names_of_those_there_are(line: Line) -> None:
    result = line.run(campaigns=["mailing"])
    assert not result.success
    assert "no campaign 'mailing'; there are walk_in" in result.error


def test_people_who_left_the_campaign_are_retracted(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    assert line.run().success
    assert line.callable_phones() == {CLEAN[1], CLEAN[2]}
    line.people([person(2, CLEAN[2])])
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}
    assert line.count("LEADS") == line.count("DNC_FILTERED") == line.count("CCC_ENRICHED") == 1


def test_who_is_still_valid_is_not_scrubbed_again_unless_asked(one_chunk: Line) -> None:
    line = one_chunk
    both = {"day": DAY}, {"day": EARLIER}
    line.people([person(1, CLEAN[1], **when) for when in both] + [person(2, CLEAN[2])])
    assert line.run(EARLIER).success
    result = line.run(DAY)
    assert result.success
    assert line.count("LEADS", f"lead_date = '{DAY}'") == 1
    assert line.count("CALLABLE_LEADS") == line.count("CALLABLE_NOW") == 2
    when = "SELECT lead_date FROM CALLABLE_LEADS WHERE phone_1 = {}"
    assert line.rows(when.format(CLEAN[1])) == [{"LEAD_DATE": EARLIER}]

    assert line.run(DAY, force=True).success
    assert line.count("LEADS", f"lead_date = '{DAY}'") == 2
    assert line.count("CALLABLE_LEADS") == line.count("CALLABLE_NOW") == 2
    assert line.rows(when.format(CLEAN[1])) == [{"LEAD_DATE": DAY}]

    # the older day again: what a newer one has published stays the newer one's
    assert line.run(EARLIER, force=True).success
    assert line.count("CALLABLE_LEADS") == 2
    assert line.rows(when.format(CLEAN[1])) == [{"LEAD_DATE": DAY}]


def test_an_opt_out_retracts_and_is_heard_of_in_every_partition(one_chunk: Line) -> None:
    line = one_chunk
    shared = CLEAN[9]
    line.people([person(1, shared, day=EARLIER), person(2, shared, CLEAN[2], day=DAY)])
    assert line.run(EARLIER).success
    assert line.run(DAY).success
    assert line.callable_phones() == {shared, CLEAN[2]}
    assert line.count("CALLABLE_NOW") == 2

    line.opt_out(shared)
    assert line.run(DAY).success
    # the day that was run has masked it; the other day's row is kept back by the view
    rows = line.rows("SELECT lead_date, phone_1, phone_2 FROM CALLABLE_LEADS ORDER BY lead_date")
    assert rows == [
        {"LEAD_DATE": EARLIER, "PHONE_1": shared, "PHONE_2": None},
        {"LEAD_DATE": DAY, "PHONE_1": None, "PHONE_2": CLEAN[2]},
    ]
    now = line.rows("SELECT lead_date, phone_1, phone_2 FROM CALLABLE_NOW")
    assert now == [{"LEAD_DATE": DAY, "PHONE_1": None, "PHONE_2": CLEAN[2]}]

    line.opt_out(CLEAN[2])
    assert line.run(DAY).success
    assert line.count("CALLABLE_LEADS", f"lead_date = '{DAY}'") == 0


def test_days_that_share_leads_publish_one_after_the_other(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    locks = line.settings.home / "locks"
    locks.mkdir(exist_ok=True)
    results: list[Result] = []

    def run() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            results.append(line.run(instance=instance))

    thread = threading.Thread(target=run)
    with FileLock(locks / "publish-chunk-00.lock"):  # as another day's run holds it
        thread.start()
        eventually(lambda: line.count("DNC_FILTERED") == 1)
        time.sleep(1.5)
        assert line.count("CALLABLE_LEADS") == 0
    thread.join()
    assert results[0].success, results[0].error
    assert line.callable_phones() == {CLEAN[1]}


def test_a_retraction_waits_for_what_is_being_published(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1]), person(2, CLEAN[2])])
    assert line.run().success
    results: list[Result] = []

    def retract() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            results.append(line.run(job="retract_listed", tags={}, instance=instance))

    thread = threading.Thread(target=retract)
    with (
        FileLock(line.settings.home / "locks" / "publish-chunk-00.lock"),
        line.session() as session,
    ):
        # a publication that asked before the opt-out and commits after the retraction began
        session.execute("CREATE TABLE UNDER_WAY AS SELECT * FROM CALLABLE_LEADS")
        session.execute("DELETE FROM CALLABLE_LEADS")
        line.opt_out(CLEAN[1])
        thread.start()
        time.sleep(4)
        session.execute("INSERT INTO CALLABLE_LEADS SELECT * FROM UNDER_WAY")
    thread.join()
    assert results[0].success, results[0].error
    assert line.callable_phones() == {CLEAN[2]}


@pytest.mark.slow
def test_an_opt_out_does_not_wait_for_the_answers_of_ccc(one_chunk: Line) -> None:
    line = one_chunk
    line.people([person(1, CLEAN[1])])
    assert line.run().success
    results: list[Result] = []

    def ask() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            results.append(line.run(force=True, instance=instance))

    thread = threading.Thread(target=ask)
    with FileLock(line.settings.home / "locks" / "ask-chunk-00.lock"):  # CCC is slow
        thread.start()
        eventually(lambda: line.count("LEADS", "run_id <> (SELECT MIN(run_id) FROM DNC_FILTERED)"))
        time.sleep(1.5)
        line.opt_out(CLEAN[1])
        assert line.run(job="retract_listed", tags={}).success
        assert line.callable_phones() == set()
        assert thread.is_alive()
    thread.join()
    assert results[0].success, results[0].error
    assert line.callable_phones() == set()


def test_another_number_of_chunks_is_refused_once_there_are_data(line: Line) -> None:
    line.people(crowd(32))
    assert line.run().success
    before = line.tables()
    line.environment["ETL_CHUNKS"] = "3"
    result = line.run()
    assert not result.success
    assert "another number of chunks than ETL_CHUNKS=3" in result.error
    line.environment["ETL_CHUNKS"] = str(CHUNKS)
    assert line.tables() == before
