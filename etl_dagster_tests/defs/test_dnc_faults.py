"""The Do-Not-Call store missing or damaged: the run fails before any verdict of that source."""

from datetime import timedelta

import pytest

from etl_dagster_tests.defs.line import CLEAN, TODAY, Line, crowd, person
from etl_dagster_tests.dnc.support import BROKEN


def without_sample_lists(line: Line) -> Line:
    """The line with a store that is named in the settings, and so never made of sample lists."""
    line.environment.setdefault("DNC_DB_PATH", str(line.settings.dnc_store))
    return line


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_store_fails_the_run_before_any_dnc_verdict(one_chunk: Line, fault: str) -> None:
    line = without_sample_lists(one_chunk)
    line.people(crowd(8))
    path = line.settings.dnc_store
    break_it, expected = BROKEN[fault]
    break_it(path)
    result = line.run()
    assert result.steps == {
        "leads": "success",
        "ccc_enriched": "success",
        "dnc_filtered": "failure",
    }
    assert expected in result.error
    assert line.count("PHONE_VERDICTS", "source = 'dnc'") == 0
    assert line.count("DNC_FILTERED") == line.count("CALLABLE_LEADS") == 0


@pytest.mark.slow
def test_a_store_broken_later_publishes_nothing_new_and_mended_completes(one_chunk: Line) -> None:
    line = without_sample_lists(one_chunk)
    line.people([person(1, CLEAN[1])])
    assert line.run().success
    before = line.tables()
    path = line.settings.dnc_store
    away = path.rename(path.with_name("away"))
    line.people([person(2, CLEAN[2])])
    assert not line.run().success
    assert line.table("CALLABLE_LEADS") == before["CALLABLE_LEADS"]
    assert line.count("CALLABLE_NOW") == 0  # of a lead that is no longer there
    away.rename(path)
    assert line.run().success
    assert line.callable_phones() == {CLEAN[2]}


def test_a_broken_store_is_not_replaced_by_sample_lists(one_chunk: Line) -> None:
    """Nor is one that is broken otherwise: `sandbox/test_local.py`."""
    BROKEN["damaged"][0](one_chunk.settings.dnc_store)
    one_chunk.people(crowd(8))
    result = one_chunk.run()
    assert result.steps["dnc_filtered"] == "failure"
    assert "damaged" in result.error
    assert one_chunk.count("DNC_FILTERED") == one_chunk.count("CALLABLE_LEADS") == 0


def test_lists_that_are_too_old_clear_nobody(one_chunk: Line) -> None:
    one_chunk.environment["DNC_DB_PATH"] = str(one_chunk.settings.home / "old.sqlite")
    line = without_sample_lists(one_chunk)
    line.lists(as_of=TODAY - timedelta(days=40))
    line.people(crowd(8))
    assert line.run().success
    assert line.count("CALLABLE_LEADS") == 0
    verdicts = line.rows("SELECT DISTINCT verdict FROM PHONE_VERDICTS WHERE source = 'dnc'")
    assert {row["VERDICT"] for row in verdicts} == {"UNKNOWN", "LISTED"}
    assert line.count("DNC_FILTERED", "lead_reason = 'dnc:stale'") > 0
