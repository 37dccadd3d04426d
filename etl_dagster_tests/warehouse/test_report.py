from datetime import date

from etl_dagster.warehouse.funnel import Day, Funnel
from etl_dagster.warehouse.report import render_report

DAY = Day(
    lead_date=date(2026, 11, 20),
    campaigns={
        "mailing": Funnel(extracted=1_000, unknown=1_000),
        "walk_in": Funnel(extracted=234, dnc=34, blocked=34, callable=200),
    },
    phones={"walk_in": {"CALLABLE": 1_250, "BLOCKED": 3}},
    lists={"national": 2, "internal": 1},
    reasons={"dnc:stale": 12_345},
)


def test_the_page_has_every_number() -> None:
    page = render_report(DAY)
    assert page.startswith("# Scrub report for 2026-11-20\n")
    assert "| walk_in | 234 | 0 | 0 | 0 | 34 | 0 | 34 | 200 |" in page
    assert "| **all** | 1,234 | 0 | 0 | 0 | 34 | 1,000 | 34 | 200 |" in page
    assert "| walk_in | 1,250 | 3 | 0 |" in page
    assert "| internal | 1 |\n| national | 2 |" in page
    assert "| dnc:stale | 12,345 |" in page
    assert page.endswith("|\n")


def test_every_table_is_as_wide_as_its_head() -> None:
    tables = [part for part in render_report(DAY).split("\n\n") if part.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_what_there_is_none_of_has_no_section() -> None:
    empty = Day(lead_date=DAY.lead_date, campaigns={}, phones={}, lists={}, reasons={})
    page = render_report(empty)
    assert "Why phones are unknown" not in page
    assert "Do-Not-Call" not in page
    assert "| **all** | 0 |" in page
