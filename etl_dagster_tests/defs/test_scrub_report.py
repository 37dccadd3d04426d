"""The day's page over a small world with known people: its numbers, and nobody in it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_dagster.defs.partitions import partition_key
from etl_dagster.defs.report import asked, scrubbed_at
from etl_dagster.dnc import DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse.funnel import read_day
from etl_dagster_tests.defs.line import AREA, CLEAN, DAY, LISTED, Line, crowd, person

WEEK_BEFORE = DAY - timedelta(days=7)


def report(line: Line) -> tuple[str, dict[str, Any]]:
    """Make the page; return its text and metadata."""
    result = line.run(job="report_day", partition_key=str(DAY))
    assert result.success, result.error
    (event,) = result.run.get_asset_materialization_events()
    metadata = {name: one.value for name, one in event.materialization.metadata.items()}
    page = Path(metadata["path"]).read_text(encoding="utf-8")
    assert metadata["report"] == page
    return page, metadata


def day_of(line: Line, people: list[dict[str, Any]]) -> None:
    line.people(people)
    result = line.run()
    assert result.success, result.error


def without_picture(page: str) -> str:
    return page.partition("\n[funnel]: ")[0]


def test_the_page_agrees_with_the_tables_and_names_nobody(line: Line) -> None:
    line.campaign("second")
    line.environment["CCC_PRICE_PER_1000"] = "100"
    day_of(line, crowd(24))
    page, metadata = report(line)
    with line.session() as session:
        total = read_day(session, DAY).total
    assert total.extracted == 48
    assert {name: metadata[name] for name in vars(total)} == vars(total)
    assert metadata["callable_rate"] == round(total.callable / 48, 4)
    assert metadata["litigator_rate"] == round(total.litigator / 48, 4)
    assert metadata["dnc_rate"] == round(total.dnc / 48, 4)
    assert metadata["unknown_rate"] == round(total.unknown / 48, 4)
    phones = len(line.bought())
    assert metadata["phones"] == phones
    assert metadata["cost"] == pytest.approx(phones / 10)
    assert f"| phones answered | {phones} |" in page
    assert "| walk_in | 24 |" in page
    assert "| second | 24 |" in page
    assert "data:image/svg+xml;base64," in page
    assert not re.search(r"[0-9]{10}", without_picture(page))


def test_calls_are_those_of_every_run_of_the_day(line: Line) -> None:
    line.fault("status", status=500)
    line.people(crowd(24))
    assert not line.run().success
    line.ccc.reset()
    assert line.run().success
    keys = [partition_key(Chunk(DAY, number)) for number in range(line.settings.chunks)]
    by_run = asked(line.instance, keys)
    assert len({run for run, _ in by_run}) == 2
    assert {key for _, key in by_run} == set(keys)
    page, metadata = report(line)
    assert "| runs that asked | 2 |" in page
    assert f"| retries | {sum(int(one['retries']) for one in by_run.values())} |" in page
    assert "cost" not in metadata
    assert "unanswered" not in page


def test_phones_that_ccc_left_unanswered_have_their_reason_and_advice(one_chunk: Line) -> None:
    one_chunk.fault("reject", phones=(CLEAN[0],))
    day_of(one_chunk, [person(1, CLEAN[0]), person(2, CLEAN[1])])
    page, metadata = report(one_chunk)
    assert metadata["unknown"] == 1
    assert "| phones left unanswered, listed ones too: rejected_400 | 1 |" in page
    assert "| ccc:rejected_400 | 1 | CCC refuses these phones" in page


@pytest.mark.slow
def test_the_week_before_stands_beside_the_day(one_chunk: Line) -> None:
    then = [person(1, CLEAN[0], day=WEEK_BEFORE), person(2, LISTED[0], day=WEEK_BEFORE)]
    now = [person(number, CLEAN[number]) for number in (3, 4, 5)]
    one_chunk.people([*then, *now])
    for day in (WEEK_BEFORE, DAY):
        assert one_chunk.run(day).success
    page, _ = report(one_chunk)
    row = "| 3 (+1) | 100.0% (+50.0) | 0.0% (0.0) | 0.0% (-50.0) | 0.0% (0.0) |"
    assert f"## Compared with {WEEK_BEFORE:%A, %Y-%m-%d}" in page
    assert f"| walk_in {row}" in page
    assert f"| **all** {row}" in page


def test_a_list_that_was_renewed_since_the_scrub_is_marked(one_chunk: Line) -> None:
    day_of(one_chunk, [person(1, CLEAN[0])])
    page, _ = report(one_chunk)
    assert re.search(r"\| national \| 1 \| \S+ \| .* \| 500 \| 1 \| 1 \|  \|", page)
    assert f"There are no leads of {WEEK_BEFORE}" in page
    file = one_chunk.settings.home / "newer.txt"
    file.write_text("".join(f"{phone}\n" for phone in [*LISTED, CLEAN[0]]), encoding="utf-8")
    with DncStore.open(one_chunk.settings.dnc_store, read_only=False) as store:
        store.add_list("national", [file], as_of=datetime.now(UTC), covers=[AREA])
    assert one_chunk.run(job="retract_listed", tags={}).success
    page, _ = report(one_chunk)
    assert re.search(
        r"\| national \| 1 \| .* \| 500 \| 1 \| 1 \| \*\*renewed\*\*, now version 2", page
    )
    assert "| national | 2 |" not in page


def test_without_the_store_and_dagsters_records_there_is_still_a_page(one_chunk: Line) -> None:
    day_of(one_chunk, [person(1, CLEAN[0])])
    with dg.DagsterInstance.ephemeral() as other:
        one_chunk.instance = other
        assert scrubbed_at(other, [partition_key(Chunk(DAY, 0))]) is None
        page, metadata = report(one_chunk)
        one_chunk.settings.dnc_store.write_bytes(b"x" * 5_000)
        lost, _ = report(one_chunk)
    assert "Dagster has no record" in page
    assert "| national | 1 |" in page
    assert metadata["callable"] == 1
    assert "| national | 1 | — |" in lost
    assert "cannot tell" in lost


def test_a_day_without_leads_has_a_page_and_no_rates(one_chunk: Line) -> None:
    page, metadata = report(one_chunk)
    assert "No leads were extracted" in page
    assert metadata["extracted"] == 0
    assert "callable_rate" not in metadata
