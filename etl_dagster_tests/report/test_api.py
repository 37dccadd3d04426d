from dataclasses import replace

import pytest

from etl_dagster.report.api import Calls, api_section, cost
from etl_dagster.warehouse.day_ledger import Answers
from etl_dagster_tests.report.days import LEDGER, NOTHING

CHUNK = {
    "phones_asked": 1_000.0,
    "requests": 12.0,
    "retries": 1.0,
    "rate_limited": 1.0,
    "breaker_openings": 0.0,
    "latency_p50_ms": 50.0,
    "latency_p95_ms": 80.0,
    "phones_per_second": 500.0,
}
CALLS = Calls.of(
    {
        ("run 1", "a"): CHUNK,
        ("run 1", "b"): {**CHUNK, "latency_p50_ms": 70.0, "breaker_openings": 2.0},
        ("run 2", "b"): {**CHUNK, "phones_asked": 10.0, "latency_p95_ms": 900.0},
        ("run 3", "b"): {**CHUNK, "phones_asked": 0.0, "requests": 0.0, "latency_p50_ms": 0.0},
    }
)


def test_chunks_add_up_and_those_that_asked_nothing_do_not_count() -> None:
    assert Calls(
        runs=2, requests=36, retries=3, rate_limited=3, breaker_openings=2,
        latency_p50_ms=50.0, latency_p95_ms=900.0, seconds=4.02, phones=2_010,
    ) == CALLS  # fmt: skip


def test_no_calls_are_no_calls() -> None:
    assert Calls.of({}) == Calls.of({("run", "a"): {}}) == Calls()


def test_every_phone_asked_about_is_priced_once_for_each_run_that_asked() -> None:
    assert cost(LEDGER.endpoints, 4.5) == pytest.approx(11.43)
    assert cost(LEDGER.endpoints, 0.0) == 0.0
    assert cost(LEDGER.endpoints, None) is None


def test_the_section_tells_ledger_and_runs() -> None:
    title, table = api_section(LEDGER, CALLS, 4.5)
    assert title == "## CCC API"
    for row in (
        "| requests answered by ccc.example | 3 |",
        "| phones asked | 2,540 |",
        "| phones answered | 2,500 |",
        "| phones left unanswered, listed ones too: timeout | 40 |",
        "| circuit breaker openings | 2 |",
        "| latency p95, slowest chunk, ms | 900.0 |",
        "| phones a second | 500 |",
        "| cost, at 4.50 for 1,000 phones asked, without those sent again | 11.43 |",
    ):
        assert row in table
    assert "cost" not in api_section(LEDGER, CALLS, None)[1]


def test_the_full_scrub_has_rows_and_a_price_of_its_own() -> None:
    both = replace(LEDGER, full={"https://ccc.example/rpc/scrub": Answers(100, 2, 90)})
    _, table = api_section(both, CALLS, 4.5, 20.0)
    for row in (
        "| phones asked | 2,540 |",
        "| cost, at 4.50 for 1,000 phones asked, without those sent again | 11.43 |",
        "| full scrub: requests answered by ccc.example | 2 |",
        "| full scrub: phones asked | 100 |",
        "| full scrub: phones answered | 90 |",
        "| full scrub: cost, at 20.00 for 1,000 phones asked, without those sent again | 2.00 |",
    ):
        assert row in table
    assert "full scrub: cost" not in api_section(both, CALLS, 4.5, None)[1]
    assert "full scrub" not in api_section(LEDGER, CALLS, 4.5, 20.0)[1]


def test_what_there_is_no_record_of_is_said() -> None:
    assert "Dagster has no record" in api_section(LEDGER, Calls(), None)[1]
    assert "was not asked" in api_section(NOTHING, Calls(), None)[1]
