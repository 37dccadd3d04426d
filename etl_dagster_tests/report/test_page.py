import re
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given

from etl_dagster.report.page import Report, headline, render_report
from etl_dagster.warehouse.funnel import Day, Funnel
from etl_dagster_tests.report.days import DAY, EMPTY, LEDGER, NOTHING, WEEK_BEFORE, days

SCRUBBED = datetime(2026, 11, 21, 6, tzinfo=UTC)


def page_of(day: Day, **more: object) -> str:
    options: dict[str, object] = {"before": WEEK_BEFORE, "ledger": LEDGER, **more}
    return render_report(Report(day=day, scrubbed_at=SCRUBBED, **options))  # type: ignore[arg-type]


def tables(page: str) -> list[str]:
    return [part for part in page.split("\n\n") if part.startswith("|")]


def test_the_page_has_every_number() -> None:
    page = page_of(DAY)
    assert page.startswith("# Scrub report for 2026-11-20\n")
    assert "| walk_in | 234 | 0 | 0 | 0 | 34 | 0 | 34 | 200 |" in page
    assert "| **all** | 1,234 | 0 | 0 | 0 | 34 | 1,000 | 34 | 200 |" in page
    assert "| walk_in | 1,250 | 3 | 0 |" in page
    assert "| internal | 1 |\n| national | 2 |" in page
    assert "| dnc:stale | 12,345 | A required list was too old" in page


def test_the_day_in_one_sentence() -> None:
    assert headline(DAY) == (
        "Of the **1,234 leads** of Friday, 2026-11-20, **200 (16.2%) may be called**; 34 (2.8%) are"
        " blocked (0 by a litigator's phone, 34 by a Do-Not-Call list), 1,000 (81.0%) are unknown,"
        " and 0 (0.0%) have no valid phone."
    )
    assert headline(EMPTY) == "**No leads were extracted for Friday, 2026-11-20.**"


def test_what_the_full_scrub_blocks_is_its_own_part_of_the_day() -> None:
    funnel = Funnel(extracted=10, litigator=1, dnc=2, full_scrub=3, blocked=6, callable=4)
    page = page_of(replace(DAY, campaigns={"walk_in": funnel}))
    assert "(1 by a litigator's phone, 2 by a Do-Not-Call list, 3 by the full scrub)" in page
    assert "3 full scrub (30.0%)" in page
    assert "| litigator | dnc | full scrub | unknown |" in page
    assert "full scrub" not in page_of(DAY)


def test_the_picture_is_described_and_stands_behind_the_text() -> None:
    page = page_of(DAY)
    (words,) = re.findall(r"!\[([^\]]*)\]\[funnel\]", page)
    assert "1,234 leads" in words
    body, _, address = page.rpartition("\n[funnel]: ")
    assert re.fullmatch(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+\n", address)
    assert "base64" not in body


def test_every_table_is_as_wide_as_its_head() -> None:
    found = tables(page_of(DAY))
    assert len(found) == 5
    for table in found:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@given(days())
def test_no_name_breaks_the_page(day: Day) -> None:
    page = page_of(day)
    expected = 2 + bool(day.phones) + bool(day.lists) + any(r.split() for r in day.reasons)
    assert len(tables(page)) == expected
    for table in tables(page):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    text, _, _ = page.partition("\n[funnel]: ")
    links = r"(?<!!)\[[^\]]*\]\(|<[a-z]"
    assert not re.search(links, text)


def test_what_there_is_none_of_has_no_section() -> None:
    page = page_of(EMPTY, ledger=NOTHING)
    assert "Why phones are unknown" not in page
    assert "Do-Not-Call" not in page
    assert "[funnel]" not in page
    assert "| **all** | 0 |" in page
