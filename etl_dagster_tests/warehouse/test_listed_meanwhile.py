"""A phone that the lists have by the time its chunk is published, though not when it was scrubbed.

Whatever breaks on the way, nobody sees it among those who may be called.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etl_dagster.defs.publish import publish_chunk
from etl_dagster.dnc import DncStore
from etl_dagster.scrub.published import record_listed
from etl_dagster.warehouse import publication
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster_tests.warehouse.conftest import CHUNK, NEXT, POLICY, Tables, origin

OPTS_OUT, STAYS = 4075550100, 4075550101


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store whose national list has neither of the two."""
    path, listed = tmp_path / "dnc.sqlite", tmp_path / "national.txt"
    listed.write_text("4075550199\n")
    DncStore.create(path).close()
    with DncStore.open(path, read_only=False) as writable:
        writable.add_list("national", [listed], as_of=datetime.now(UTC), covers=[407])
    return path


@pytest.fixture
def store(path: Path) -> Iterator[DncStore]:
    """The store as a run opens it."""
    with DncStore.open_under(path, POLICY) as opened:
        yield opened


@pytest.fixture
def scrubbed(tables: Tables, path: Path) -> Tables:
    """Two chunks that share a phone, scrubbed; then its owner opts out."""
    now = datetime.now(UTC)
    for chunk in (CHUNK, NEXT):
        tables.lead(f"both {chunk.lead_date}", OPTS_OUT, STAYS, chunk=chunk)
        tables.judged(f"both {chunk.lead_date}", "CALLABLE", "CALLABLE", chunk=chunk, at=now)
        tables.lead(f"alone {chunk.lead_date}", OPTS_OUT, chunk=chunk)
        tables.judged(f"alone {chunk.lead_date}", "CALLABLE", chunk=chunk, at=now)
    tables.cleared(OPTS_OUT, STAYS, at=now, until=now + timedelta(days=7))
    with DncStore.open(path, read_only=False) as writable:
        writable.opt_out([OPTS_OUT])
    return tables


def shown(tables: Tables) -> list[tuple[object, ...]]:
    return tables.session.rows("SELECT phone_1, phone_2 FROM CALLABLE_NOW ORDER BY lead_id")


def test_chunks_that_share_it_are_published_without_it(scrubbed: Tables, store: DncStore) -> None:
    for chunk in (CHUNK, NEXT):
        assert publish_chunk(scrubbed.session, store, origin("dnc", chunk), POLICY) == 1
    assert shown(scrubbed) == [(None, STAYS)] * 2
    assert scrubbed.count("CALLABLE_LEADS", f"phone_1 = {OPTS_OUT}") == 0
    assert scrubbed.count("PHONE_VERDICTS", "verdict = 'LISTED'") == 1  # said once


def test_it_is_blocked_though_the_host_that_scrubbed_was_ahead_of_time(
    tables: Tables, path: Path, store: DncStore
) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=1)  # newer in the ledger than what follows
    tables.lead("lead", OPTS_OUT, STAYS)
    tables.judged("lead", "CALLABLE", "CALLABLE", at=ahead)
    tables.cleared(OPTS_OUT, STAYS, at=ahead, until=ahead + timedelta(days=7))
    with DncStore.open(path, read_only=False) as writable:
        writable.opt_out([OPTS_OUT])
    assert publish_chunk(tables.session, store, origin("dnc"), POLICY) == 1
    assert shown(tables) == [(None, STAYS)]


def test_a_run_that_dies_once_it_has_published_shows_nobody_who_opted_out(
    scrubbed: Tables, store: DncStore
) -> None:
    publication.publish(  # what follows in a run never comes
        scrubbed.session,
        CHUNK,
        POLICY,
        ask_again=lambda phones: record_listed(scrubbed.session, store, origin("dnc"), phones),
        moment=datetime.now(UTC),
        run_id="r",
    )
    assert shown(scrubbed) == [(None, STAYS)]


def test_where_the_ledger_cannot_take_the_word_nothing_is_published(
    scrubbed: Tables, store: DncStore
) -> None:
    scrubbed.session.execute("ALTER TABLE SCRUB_BATCHES RENAME TO AWAY")
    try:
        with pytest.raises(WarehouseError):
            publish_chunk(scrubbed.session, store, origin("dnc"), POLICY)
        assert shown(scrubbed) == []
    finally:
        scrubbed.session.execute("ALTER TABLE AWAY RENAME TO SCRUB_BATCHES")
    publish_chunk(scrubbed.session, store, origin("dnc"), POLICY)
    assert shown(scrubbed) == [(None, STAYS)]
