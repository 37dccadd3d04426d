"""Three days over two hosts, one of which dies in the middle of a chunk: as if it had not.

A host has its own network, home and Do-Not-Call store; what they share is Postgres, Redis, the
warehouse and CCC. `kill -9` hits a worker and its run between two checkpoints of a chunk. What
counts is the end: every chunk of every day done, and nothing on record bought again.
"""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from etl_dagster.defs.jobs import STAGE_ASSETS
from etl_dagster.sandbox.ccc_faults import TEST_NUMBERS
from etl_dagster_tests.cluster.cluster import Cluster
from etl_dagster_tests.cluster.conftest import CHUNKS, IN_FLIGHT, LIMIT
from etl_dagster_tests.cluster.network import Host, kill
from etl_dagster_tests.defs.line import CLEAN, LISTED, LITIGATORS, TODAY, Line, eventually, person
from etl_dagster_tests.defs.test_reruns import assert_chains_are_whole
from etl_dagster_tests.e2e.server import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
DAYS = tuple(TODAY - timedelta(days=back) for back in (3, 2, 1))
PEOPLE = 300
"""A day. No phone is in two days: a second answer about one is a second purchase."""
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
ENDED = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")
TROUBLE = """
import json
from etl_dagster.definitions import build_defs
from etl_dagster.settings import Settings
import dagster as dg
defs = build_defs(Settings.from_environment())
with dg.build_resources({"ccc": defs.resources["ccc"]}) as served:
    print(json.dumps(served.ccc.trouble()))
"""
"""Asks CCC its test numbers, behind the breaker; prints why that cannot be done, or null."""
PERMITS = """
import os, time
from etl_dagster.resilience import OutOfTimeError, RequestLimiter, redis_bucket, redis_client
client = redis_client.connect(os.environ["ETL_REDIS_URL"])
limiter = RequestLimiter(redis_bucket(client, name="permits", per_minute=10))
passed = 0
try:
    while True:
        limiter.acquire(deadline=time.time() + 3)
        passed += 1
        time.sleep(0.2)
except OutOfTimeError:
    print(passed)
"""
"""Makes as many requests of ten a minute as it is let, and prints their number."""


def everybody() -> list[dict[str, Any]]:
    """The people of all days: two of ten with a litigator's or a listed phone, no phone twice."""
    people = []
    for number in range(PEOPLE * len(DAYS)):
        phones: tuple[int, ...] = (CLEAN[2 * number], CLEAN[2 * number + 1])
        if number % 10 == 0 and number // 10 < len(LITIGATORS):
            phones = (LITIGATORS[number // 10],)
        elif number % 10 == 1:
            phones = (LISTED[number // 10],)
        people.append(person(number, *phones, day=DAYS[number // PEOPLE]))
    return people


def test_a_backfill_over_two_hosts_survives_the_death_of_one(made: Cluster) -> None:
    line, api = made.line, made.api
    people = everybody()
    line.people(people)
    line.ccc.options = replace(line.ccc.options, latency_ms=600, requests_per_minute=LIMIT)
    networks = "network namespaces" if made.primary.namespace else "processes of one network"
    print(f"\nhosts are {networks}")
    partitions = [f"{day}|{chunk:02d}" for day in DAYS for chunk in range(CHUNKS)]
    backfill = api.launch_backfill(STAGE_ASSETS, partitions)

    eventually(lambda: in_mid_chunk(line), seconds=180)
    leases = made.redis.keys("lease:*")
    assert len(leases) >= 2, leases
    kill(made.workers["two"])
    died = time.monotonic()
    kept = on_record(line)
    most = line.ccc.stats()["most_in_a_minute"]
    before = bought(line)
    line.ccc.reset()
    line.ccc.options = replace(line.ccc.options, latency_ms=20)

    failed = wait_for("the lost run", lambda: api.runs(statuses=["FAILURE"]), seconds=120)
    print(f"the lost run was seen {time.monotonic() - died:.0f} s after the kill")
    assert len(failed) == 1
    wait_for("the backfill's end", lambda: api.backfill_status(backfill) in ENDED, seconds=400)
    wait_for("the runs' ends", lambda: not api.runs(statuses=list(UNFINISHED)), seconds=120)
    assert api.backfill_status(backfill) == "COMPLETED_SUCCESS"

    for asset in STAGE_ASSETS:
        assert set(api.materialized(asset, partitions)) == set(partitions)
    assert_published_what_may_be_called(line, people)
    assert_chains_are_whole(line)
    print(said := made.command(made.primary, "ledger", "verify"))
    assert "WHOLE: the ledger is as it was written" in said

    after = bought(line)
    assert after & kept == set(), "what was on record was bought again"
    twice = before & after
    print(f"{len(twice)} phones were bought twice: {IN_FLIGHT} were being asked about at the kill")
    assert len(twice) <= IN_FLIGHT
    assert made.redis.keys("answers:*") == made.redis.keys("lease:*") == []
    assert after | before == {int(p) for one in people for p in phones_of(one)}

    most = max(most, line.ccc.stats()["most_in_a_minute"])
    print(f"at most {most} requests in a minute, {LIMIT} are allowed")
    assert most <= LIMIT
    assert line.ccc.stats()["rate_limited"] == 0
    assert_nobody_is_named(made, people)
    assert_hosts_share_the_circuit(made)
    assert_hosts_share_the_limit(made)


def phones_of(one: dict[str, Any]) -> list[str]:
    return [one[f"phone_{place}"] for place in (1, 2, 3) if one[f"phone_{place}"]]


def in_mid_chunk(line: Line) -> bool:
    """Whether two runs have answers of a chunk on record that is not done."""
    begun = line.rows(
        "SELECT DISTINCT lead_date, chunk FROM PHONE_VERDICTS AS v WHERE source = 'ccc' AND NOT"
        " EXISTS (SELECT 1 FROM CCC_ENRICHED AS e WHERE e.lead_date = v.lead_date"
        " AND e.chunk = v.chunk)"
    )
    return len(begun) >= 2


def on_record(line: Line) -> set[int]:
    rows = line.rows("SELECT phone FROM PHONE_VERDICTS WHERE source = 'ccc'")
    return {int(row["PHONE"]) for row in rows}


def bought(line: Line) -> set[int]:
    assert line.ccc.repeated <= TEST_NUMBERS
    return line.bought()


def assert_published_what_may_be_called(line: Line, people: list[dict[str, Any]]) -> None:
    never = {*LITIGATORS, *LISTED}
    clean = {int(phone) for one in people for phone in phones_of(one)} - never
    assert line.callable_phones() == clean
    rows = line.rows("SELECT lead_date, COUNT(*) AS leads FROM DNC_FILTERED GROUP BY lead_date")
    assert {row["LEAD_DATE"]: row["LEADS"] for row in rows} == dict.fromkeys(DAYS, PEOPLE)


def assert_nobody_is_named(made: Cluster, people: list[dict[str, Any]]) -> None:
    """No phone and no name in what any process of Dagster or Celery has printed."""
    printed = "".join(
        log.read_text(encoding="utf-8") for host in made.hosts for log in host.home.glob("*.txt")
    )
    assert "succeeded" in printed
    told = {phone for one in people for phone in phones_of(one)} & set(
        re.findall(r"\d{10}", printed)
    )
    assert told == set()
    assert people[0]["last_name"][:10] not in printed


def assert_hosts_share_the_circuit(made: Cluster) -> None:
    """A circuit that one host opens is open on the other, which then asks nothing."""
    line = made.line

    def trouble(host: Host) -> str:
        return str(json.loads(host.run([sys.executable, "-c", TROUBLE], made.environment(host))))

    assert trouble(made.hosts[1]) == "None"
    line.fault("status", status=503)
    for _ in range(2):
        assert "circuit breaker" in trouble(made.hosts[0])
    asked = line.ccc.stats()["requests"]
    assert "open" in trouble(made.hosts[1])
    assert line.ccc.stats()["requests"] == asked
    assert made.redis.keys("breaker:*")
    assert made.redis.keys("requests:*")


def assert_hosts_share_the_limit(made: Cluster) -> None:
    """Two hosts that ask at once get as many permits as one would."""
    with ThreadPoolExecutor() as pool:
        told = pool.map(
            lambda host: int(host.run([sys.executable, "-c", PERMITS], made.environment(host))),
            made.hosts,
        )
    permits = list(told)
    print(f"permits of 10 a minute, by host: {permits}")
    assert sum(permits) == 10
    assert all(permits)
