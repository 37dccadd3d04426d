"""Ten million numbers: sizes and speeds that must never be lost, with room for slow machines."""

from pathlib import Path

import pytest

from benchmarks.dnc import measure_changes, measure_store
from benchmarks.world import World


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_million_numbers(tmp_path: Path) -> None:
    world = World(10_000_000)
    figures = measure_store(world, 300_000, tmp_path)
    assert 9_800_000 < figures["numbers"] < 10_200_000
    assert figures["file_mb"] < 40
    assert figures["load_rss_mb"] < 250
    assert figures["many_us_per_phone"] < 5
    figures = measure_changes(world, tmp_path)
    assert figures["changes_seconds"] < 10
    assert figures["changes_mb"] < 5
