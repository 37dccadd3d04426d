from datetime import date

import pytest

from etl_dagster.ccc import asker, scrubber
from etl_dagster.ccc.errors import status_error
from etl_dagster.dnc.lookup import REASONS
from etl_dagster.report.advice import advice, advice_section

DAY = date(2026, 11, 20)
OTHER = advice("nobody knows")
CCC_REASONS = (
    asker.BATCH_REJECTED,
    asker.BREAKER_OPEN,
    asker.DEADLINE,
    scrubber.INVALID,
    "timeout",
    "connection_failed",
    "malformed_response",
    *(status_error(status, None).reason for status in (400, 429)),
)


@pytest.mark.parametrize(
    "reason",
    [
        *(f"dnc:{reason}" for reason in REASONS if reason),
        *(f"ccc:{reason}" for reason in CCC_REASONS),
        "ccc:expired",
        "dnc:expired",
        "ccc:not_checked",
        "not_checked",
    ],
)
def test_every_reason_has_advice_of_its_own(reason: str) -> None:
    assert advice(reason) not in {OTHER, advice("ccc:http_503")}
    assert "|" not in advice(reason)


def test_what_is_not_foreseen_has_advice_too() -> None:
    assert advice("ccc:http_503").startswith("CCC failed")
    assert "log" in OTHER


def test_reasons_are_told_one_by_one_the_most_frequent_first() -> None:
    reasons = {"ccc:timeout dnc:stale": 3, "dnc:stale": 4, "ccc:http_503": 5}
    title, _, table, again = advice_section(DAY, reasons, 0)
    assert title == "## Why phones are unknown, and what to do"
    rows = [line.split(" | ")[:2] for line in table.splitlines()[2:]]
    assert rows == [["| dnc:stale", "7"], ["| ccc:http_503", "5"], ["| ccc:timeout", "3"]]
    assert "`etl-dagster run --date 2026-11-20`" in again


def test_where_nothing_is_unknown_there_is_nothing_to_do() -> None:
    assert advice_section(DAY, {}, 0) == []


def test_leads_without_a_decision_are_told() -> None:
    assert advice_section(DAY, {}, 1_234)[0].startswith("**1,234 leads are not decided yet**")
