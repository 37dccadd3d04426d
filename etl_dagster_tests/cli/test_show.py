import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from etl_dagster.cli import show
from etl_dagster.defs.runner import DayResult
from etl_dagster.progress import ProgressEvent
from etl_dagster.settings import Settings
from etl_dagster.warehouse.funnel import Day, Funnel
from etl_dagster_tests.report.test_preview import preview

DATE = date(2026, 11, 20)
DAY = Day(
    lead_date=DATE,
    campaigns={"walk_in": Funnel(extracted=1_234, dnc=34, blocked=34, callable=1_200)},
    phones={"walk_in": {"CALLABLE": 1_250, "BLOCKED": 3}},
    lists={"national": 2},
    reasons={"dnc:stale": 12_345},
)
RESULT = DayResult(DATE, success=False, run_id="r1", seconds={"leads": 1.25}, failures={})


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_day_is_printed_with_every_number_and_where_to_look(
    console: Console, tmp_path: Path
) -> None:
    settings = Settings.from_environment({"ETL_HOME": str(tmp_path)})
    failed = DayResult(DATE, False, "r1", {"leads": 1.25}, {"leads": "columns ['[/x]'] missing"})  # noqa: FBT003
    show.print_days(console, settings, [(failed, DAY)], {"dnc_registry": "bad file"})
    shown = text(console)
    for part in ("walk_in", "1,234", "34", "1,200", "national", "12,345", "1.2", "ETL_SAMPLE"):
        assert part in shown
    assert "FAILED leads: columns ['[/x]'] missing" in shown
    assert "FAILED dnc_registry: bad file" in shown


def test_records_have_what_machines_are_promised() -> None:
    (record,) = show.day_records([(RESULT, DAY)])
    assert record == {
        "date": "2026-11-20",
        "campaign": "walk_in",
        "success": False,
        "run_id": "r1",
        "extracted": 1_234,
        "no_phone": 0,
        "invalid": 0,
        "litigator": 0,
        "dnc": 34,
        "full_scrub": 0,
        "unknown": 0,
        "blocked": 34,
        "callable": 1_200,
        "phones": {"callable": 1_250, "blocked": 3, "unknown": 0},
        "seconds": {"leads": 1.25},
    }


@pytest.mark.parametrize("kind", ["info", "progress", "error"])
@pytest.mark.parametrize("terminal", [False, True])
def test_text_in_brackets_is_shown_as_it_is(kind: str, *, terminal: bool) -> None:
    """Names of files and columns come from outside; rich would take them for its own marks."""
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal, highlight=False)
    percent = 50.0 if kind == "progress" else None
    event = ProgressEvent(kind, "dnc_registry", "a [bold] b[/x].txt", percent)  # type: ignore[arg-type]
    with show.RunDisplay(console) as display:
        display(event)
    assert "a [bold] b[/x].txt" in text(console)


def test_progress_tells_step_percent_and_fields(console: Console) -> None:
    with show.RunDisplay(console) as display:
        display(ProgressEvent("progress", "leads", "half", 50.0, {"eta_seconds": 1.5}))
    assert text(console) == "  leads:  50% half eta_seconds=1.5\n"


def test_a_bar_that_is_done_is_followed_by_a_new_one() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, highlight=False)
    with show.RunDisplay(console) as display:
        for percent in (50.0, 100.0, 25.0):
            display(ProgressEvent("progress", "leads", f"at {percent}", percent))
    assert "at 100.0" in text(console)
    assert "at 25.0" in text(console)


def test_query_results_show_values_as_they_are(console: Console) -> None:
    console.print(show.rows_table(["A [b]", "B"], [["[/x]", None], [1, date(2026, 1, 2)]]))
    shown = text(console)
    for part in ("A [b]", "[/x]", "2026-01-02"):
        assert part in shown
    assert "None" not in shown


def test_what_strangers_wrote_does_not_speak_to_the_terminal(console: Console) -> None:
    console.print(show.rows_table(["A"], [["Ann\x1b]0;owned\x07\x1b[2J\u202e"]]))
    assert "Ann\ufffd]0;owned\ufffd\ufffd[2J\ufffd" in text(console)


def test_output_to_a_file_is_wide_enough_for_the_tables() -> None:
    assert show.make_console().width == show.WIDTH_WITHOUT_TERMINAL


def test_a_preview_is_printed_with_every_number_and_what_would_fail(console: Console) -> None:
    problem = "a[/x].sql: the query returned no row"
    show.print_preview(console, preview(1_000, 500, price_per_1000=1_000.0, problems=(problem,)))
    shown = text(console)
    for part in ("run of 2026-11-20 would do", "mailing", "without names", "1,500.00", "5,000"):
        assert part in shown
    assert f"THE RUN WOULD FAIL: {problem}" in shown
    assert "CCC was not asked" in shown


def test_a_preview_without_a_price_says_which_setting_shows_the_cost(console: Console) -> None:
    show.print_preview(console, preview(force=True))
    assert "set CCC_PRICE_PER_1000" in text(console)
    assert "with --force" in text(console)


def test_the_record_of_a_preview_has_totals_campaigns_and_what_would_fail() -> None:
    record = show.preview_record(preview(10, problems=("p",)))
    campaigns = record.pop("campaigns")
    assert campaigns == [
        {
            "campaign": name,
            "rows": rows,
            "nameless": 1,
            "duplicates": 2,
            "still_valid": 3,
            "leads": rows - 6,
            "no_phone": 4,
            "invalid": 5,
        }
        for name, rows in (("walk_in", 20), ("mailing", 30))
    ]
    assert record == {
        "date": "2026-11-20",
        "force": False,
        "rows": 50,
        "nameless": 2,
        "duplicates": 4,
        "still_valid": 6,
        "leads": 38,
        "no_phone": 8,
        "invalid": 10,
        "staying_leads": 0,
        "phones": 5_000,
        "phones_on_record": 0,
        "phones_to_ask": 10,
        "requests": 2,
        "seconds_at_rate_limit": 2.0,
        "cost": None,
        "would_fail": ["p"],
    }
