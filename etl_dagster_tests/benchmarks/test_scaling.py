"""docs/scaling.md says what the figures say, and what its arithmetic takes for granted holds."""

import io
import uuid
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import pages, scaling
from benchmarks.ledger import made_up
from etl_dagster.leads.chunks import Chunk
from etl_dagster.warehouse import ledger


@pytest.mark.parametrize("name", scaling.TABLES)
def test_the_page_has_the_tables_that_the_figures_make(name: str) -> None:
    start, end = pages.marks(name)
    page = scaling.PAGE.read_text(encoding="utf-8")
    assert start + scaling.TABLES[name]() + end in page, (
        "run `python -m benchmarks.scaling`, and read whether the text still fits its tables"
    )


def test_the_text_draws_its_conclusions_from_the_tables() -> None:
    """What the page says in words; if this fails, the words have to change."""
    best = scaling.PHONES / (max(scaling.WAYS.values()) * scaling.REQUESTS_A_MINUTE) * 60
    least = scaling.PHONES / (min(scaling.WAYS.values()) * scaling.REQUESTS_A_MINUTE) * 60
    assert round(scaling.PHONES / 1e6) == 184
    assert best < 3_600 < scaling.DAY_SECONDS < least
    largest = scaling.sizes()[-1]
    parts = {part: largest[f"dnc_filtered.{part}"] for part in ("read", "look_up", "write")}
    assert parts["write"] > parts["read"] + parts["look_up"], "most of the stage is writing"


@pytest.mark.parametrize("source", scaling.VERDICT_BYTES)
def test_a_verdict_is_as_long_as_the_arithmetic_says(source: str) -> None:
    rng = np.random.default_rng(7)
    batches, size = (40, 1_000) if source == "ccc" else (1, 250_000)
    versions = "" if source == "ccc" else "internal@12,national@2026-11-20"
    origin = ledger.Provenance(
        chunk=Chunk(date(2026, 11, 20), 0), source=source, policy_hash=rng.bytes(32).hex(),
        run_id=str(uuid.uuid4()), deployment="local",
    )  # fmt: skip
    made = [
        made_up(np.sort(rng.integers(2_000_000_000, 9_999_999_999, size)), rng, versions)
        for _ in range(batches)
    ]
    file = io.BytesIO()
    pq.write_table(ledger._rows(made, origin), file)
    seen = len(file.getvalue()) / (batches * size)
    assert seen == pytest.approx(scaling.VERDICT_BYTES[source], rel=0.15)
