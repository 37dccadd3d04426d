"""A backfill whose processes are killed ends as if they had not been, and buys no answer twice.

The processes are those of `etl-dagster ui`; `kill -9` hits while a run asks CCC, between two
checkpoints. What counts is the end: every chunk of every day is there.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from etl_dagster.defs.jobs import STAGE_ASSETS
from etl_dagster_tests.e2e.api import DagsterApi
from etl_dagster_tests.e2e.server import UiServer, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
CHUNKS_WITH_ANSWERS = (
    "SELECT DISTINCT lead_date, chunk FROM PHONE_VERDICTS WHERE source = 'ccc'"
    " ORDER BY lead_date, chunk"
)
"""Chunks that were asked about, wholly or in part."""


def everything(server: UiServer) -> None:
    server.kill()
    server.start()


def all_but_the_runs(server: UiServer) -> None:
    server.kill(spare="run")
    server.start()


def the_runs(server: UiServer) -> None:
    server.kill_runs()


@pytest.mark.parametrize("kill", [everything, all_but_the_runs, the_runs])
def test_a_backfill_comes_to_its_end_though_processes_are_killed(
    own_server: UiServer, kill: Callable[[UiServer], None]
) -> None:
    api = DagsterApi(own_server.url)
    days = (own_server.day(3), own_server.day(2))
    partitions = [key for key in api.partitions("leads") if key.partition("|")[0] in days]
    assert len(partitions) == 8
    own_server.slow_ccc(0.3)
    backfill = api.launch_backfill(STAGE_ASSETS, partitions)
    wait_for("a chunk with some of its answers", lambda: amid_chunks(own_server), seconds=300)

    kill(own_server)
    kept = answers(own_server)
    assert kept
    own_server.ccc("POST", "reset")  # counts from here on, at full speed

    wait_for("every chunk", lambda: missing(api, partitions) == {}, seconds=600)
    wait_for("the runs' ends", lambda: not api.runs(statuses=list(UNFINISHED)), seconds=300)
    ended = wait_for("the backfill's end", lambda: final_status(api, backfill), seconds=120)
    assert ended == "COMPLETED_SUCCESS", [run.status for run in api.backfill_runs(backfill)]
    now = answers(own_server)
    if kill is not all_but_the_runs:  # a run that lives on asks what it had found missing
        assert {phone for phone in kept if now[phone] > kept[phone]} == set()
    assert {phone for phone in now if now[phone] > 1} <= shared_phones(own_server)
    asked = own_server.ccc("GET", "stats")["phones"]
    assert asked or kill is all_but_the_runs  # on a slow machine it is done before the UI is back
    # since the kill about what was missing, and two test numbers a chunk
    canaries = 2 * len(own_server.rows(CHUNKS_WITH_ANSWERS))
    assert asked <= (now - kept).total() + canaries
    assert_conserved(own_server, days)


def amid_chunks(server: UiServer) -> bool:
    """Whether a chunk is done with CCC, and another has some of its answers on record."""
    begun = server.rows(CHUNKS_WITH_ANSWERS)
    done = server.rows("SELECT DISTINCT lead_date, chunk FROM CCC_ENRICHED")
    return 0 < len(done) < len(begun)


def answers(server: UiServer) -> Counter[int]:
    """Phone to the number of its answers on record."""
    rows = server.rows("SELECT phone FROM PHONE_VERDICTS WHERE source = 'ccc'")
    return Counter(int(row["PHONE"]) for row in rows)


def shared_phones(server: UiServer) -> set[int]:
    """Phones of leads of several days: runs side by side may both find an answer missing."""
    places = " UNION ALL ".join(
        f"SELECT phone_{place} AS phone, lead_date FROM LEADS" for place in (1, 2, 3)
    )
    rows = server.rows(
        f"SELECT phone FROM ({places}) AS phones WHERE phone IS NOT NULL"
        " GROUP BY phone HAVING COUNT(DISTINCT lead_date) > 1"
    )
    return {int(row["PHONE"]) for row in rows}


def missing(api: DagsterApi, partitions: list[str]) -> dict[str, list[str]]:
    """What is not materialized, by asset."""
    found = {
        asset: sorted(set(partitions) - set(api.materialized(asset, partitions)))
        for asset in STAGE_ASSETS
    }
    return {asset: keys for asset, keys in found.items() if keys}


def final_status(api: DagsterApi, backfill: str) -> str:
    """How the backfill ended; empty while it goes on."""
    status = api.backfill_status(backfill)
    return status if status.startswith(("COMPLETED", "FAILED", "CANCELED")) else ""


def assert_conserved(server: UiServer, days: Iterable[str]) -> None:
    """Every lead is judged once, and some may be called, on each day."""
    for day in days:
        (row,) = server.rows(
            f"SELECT (SELECT COUNT(*) FROM LEADS WHERE lead_date = '{day}') AS leads,"
            f" (SELECT COUNT(*) FROM DNC_FILTERED WHERE lead_date = '{day}') AS judged,"
            f" (SELECT COUNT(*) FROM CALLABLE_LEADS WHERE lead_date = '{day}') AS callable"
        )
        assert row["LEADS"] == row["JUDGED"] > row["CALLABLE"] > 0
