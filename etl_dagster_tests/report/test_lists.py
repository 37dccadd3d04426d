"""Against a real store: what a page about the past can know of lists that have moved on."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl_dagster.dnc import DncStore
from etl_dagster.report.lists import ListInForce, lists_in_force, lists_section
from etl_dagster_tests.dnc.support import NOW, PHONES, Clock, ago, write_changes, write_list

SCRUBBED = NOW
VERSIONS = "internal@0;national@1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DncStore]:
    """National, ten days old at the scrub; a day later, an opt-out and a newer list."""
    clock = Clock()
    with DncStore.create(tmp_path / "dnc.sqlite", clock=clock) as made:
        made.add_list("national", [write_list(tmp_path / "n.txt", PHONES)], as_of=ago(days=10))
        later = clock.forward(days=1)
        changes = write_changes(tmp_path / "c.txt", [(4075550150, later, "A")])
        made.apply_changes("national", [changes], as_of=later, allow=["gap"])
        yield made


def shown(lists: list[ListInForce], moment: datetime = SCRUBBED) -> list[str]:
    return lists_section(lists, moment)[2].splitlines()[2:]


def test_lists_are_shown_as_they_stood_and_what_was_renewed_is_marked(store: DncStore) -> None:
    found = lists_in_force({VERSIONS: 5}, store, moment=SCRUBBED)
    assert [(one.list, one.version, one.newest, one.phones) for one in found] == [
        ("internal", 0, 0, 5),
        ("national", 1, 2, 5),
    ]
    assert shown(found) == [
        "| internal | 0 | — | — | — | 0 | 0 | 5 |  |",
        "| national | 1 | 2026-09-05 | 10.0 | 21.0 | 20 | 1 | 5 | **renewed**, now version 2 |",
    ]


def test_a_day_of_two_versions_has_a_row_for_each(store: DncStore) -> None:
    versions = {VERSIONS: 5, "internal@0;national@2": 7}
    moment = SCRUBBED + timedelta(days=1)
    found = lists_in_force(versions, store, moment=moment)
    assert [(one.list, one.version, one.phones) for one in found] == [
        ("internal", 0, 12),
        ("national", 1, 5),
        ("national", 2, 7),
    ]
    assert shown(found, moment)[2].startswith("| national | 2 | 2026-09-16 | 0.0 | 31.0 | 21 |")


def test_a_list_that_was_too_old_shows_it(store: DncStore) -> None:
    moment = SCRUBBED + timedelta(days=30)
    row = shown(lists_in_force({VERSIONS: 5}, store, moment=moment), moment)[1]
    assert "| 40.0 | -9.0 | 20 | 1 (1 too old) |" in row


@pytest.mark.parametrize("versions", ["internal@0;national@9", "internal@0;unheard-of@1"])
def test_what_the_store_cannot_tell_is_left_out_and_said(store: DncStore, versions: str) -> None:
    found = lists_in_force({versions: 5}, store, moment=SCRUBBED)
    assert [one.stats for one in found] == [None, None]
    blocks = lists_section(found, SCRUBBED)
    assert "cannot tell" in blocks[-1]
    assert blocks[2].splitlines()[-1].count("—") == 5


def test_without_a_store_the_versions_are_still_named() -> None:
    found = lists_in_force({VERSIONS: 5}, None, moment=SCRUBBED)
    assert shown(found)[1] == "| national | 1 | — | — | — | — | — | 5 |  |"
    assert lists_section([], SCRUBBED) == []
