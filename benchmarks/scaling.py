"""The tables of `docs/scaling.md`: a hundred million leads a day, from what was measured.

usage: python -m benchmarks.scaling      (writes them into the page; a test holds both together)

Belongs here: arithmetic over `docs/figures/`, and the facts of others that it needs, each with its
source. Does not: measuring. After new figures (`make bench`, `benchmarks/day.py --json
docs/figures/day.json`) run it again and read what has changed: the text of the page draws its
conclusions from these numbers.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.pages import renew, table

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
Figures = Mapping[str, Any]

LEADS = 100_000_000
PHONES_A_LEAD = 5_067 / 2_748
"""The newest day of the sample that docs/performance.md has; distinct phones by leads."""
PHONES = LEADS * PHONES_A_LEAD
DAY_SECONDS = 86_400

REQUESTS_A_MINUTE = 1_000
"""CCC's documented limit of the litigator scrub, an account."""
ANSWER_SECONDS = 0.4
"""About what CCC says a request takes."""
WAYS = {"POST of 10,000": 10_000, "POST of 1,000 (default)": 1_000, "GET of 50": 50}
"""Phones a request; 10,000 is the documented most of a POST, of a GET the pages differ."""

CREDITS_AN_HOUR = {"X-Small": 1, "Small": 2, "Medium": 4, "Large": 8, "X-Large": 16}
"""Snowflake's documented credits of a standard warehouse's hour."""
X_SMALL_PROCESSORS = 8
"""Not documented by Snowflake; what its users commonly find."""

CHUNKS_A_RUN = 8
EVENTS_A_RUN = 320
"""Of the four stages over eight chunks: 240 counted in `etl_dagster_tests/e2e/test_load.py`, which
holds this from above, and room for the progress messages of chunks that take their time."""
EVENTS_A_SECOND = {"slowest kind (observations)": 33, "log messages": 68}
"""What one process writes to Postgres on a laptop of two cores."""
MOST_PARTITIONS = 100_000
"""Dagster's recommended most of an asset."""

VERDICT_BYTES = {"ccc": 9, "dnc": 6}
"""A ledger row in the Parquet file that is uploaded; a test writes one."""
EVIDENCE_BYTES = 8.9
"""CCC's raw answers, compressed, by phone; docs/settings.md, `ETL_KEEP_CCC_ANSWERS`."""
PHONE_BYTES = 8
CHANGES_A_DAY = 200_000
"""Lines of a daily change list as benchmarks/dnc.py has it."""
FULL_LIST_DAYS = 30


def sizes() -> list[Figures]:
    """The days that were measured, smallest first."""
    found = figures.read("day")
    return sorted(found.get("sizes", found).values(), key=lambda size: int(size["extracted"]))


def number(value: float) -> str:
    """Three digits that count, and no more."""
    if value == 0 or value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{digits}f}"


def lasting(seconds: float) -> str:
    for name, unit in (("d", DAY_SECONDS), ("h", 3_600), ("min", 60)):
        if seconds >= unit * 1.5:
            return f"{number(seconds / unit)} {name}"
    return f"{number(seconds)} s"


def amount(size: float) -> str:
    for name, unit in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= unit:
            return f"{number(size / unit)} {name}"
    return f"{number(size / 1e3)} kB"


def a_million(name: str) -> float:
    """What the largest measured day took for a million leads, its fixed costs among it."""
    largest = sizes()[-1]
    return float(largest[name]) / float(largest["extracted"]) * 1e6


def ccc() -> str:
    rows = []
    for name, batch in WAYS.items():
        requests = PHONES / batch
        seconds = requests / REQUESTS_A_MINUTE * 60
        fits = DAY_SECONDS / 60 * REQUESTS_A_MINUTE * batch / PHONES_A_LEAD
        rows.append(
            [
                name, number(requests), number(batch * REQUESTS_A_MINUTE), lasting(seconds),
                f"{number(fits / 1e6)} million",
            ]
        )  # fmt: skip
    head = ["request", "requests", "phones a minute", "the day's phones", "leads that fit a day"]
    return table(head, rows)


def ccc_facts() -> str:
    found = figures.read("ccc")
    in_flight = REQUESTS_A_MINUTE / 60 * ANSWER_SECONDS
    received = float(found["sandbox_answer_bytes"]) / 1_000 * PHONES
    rows = [
        ["requests in flight that use the limit up", number(in_flight)],
        ["processor time", lasting(float(found["cpu_seconds_per_million"]) * PHONES / 1e6)],
        ["received", amount(received)],
        ["kept as evidence, a day", amount(EVIDENCE_BYTES * PHONES)],
        ["bought, in thousands of phones", number(PHONES / 1_000)],
    ]
    return table(["CCC, a day", "seen"], rows)


def workers() -> str:
    stages = ("leads", "ccc_enriched", "dnc_filtered", "callable_leads")
    named = {f"`{stage}`": f"{stage}_seconds" for stage in stages}
    named |= {"processor time of the run": "cpu_seconds"}
    named |= {"processor time of the embedded Snowflake": "server_cpu_seconds"}
    rows = [
        [name, lasting(a_million(key)), lasting(a_million(key) * LEADS / 1e6)]
        for name, key in named.items()
    ]
    leads = int(sizes()[-1]["extracted"])
    return table(
        [f"by a measured day of {leads:,} leads", "a million leads", "a hundred million"], rows
    )


def snowflake() -> str:
    seconds = a_million("server_cpu_seconds") * LEADS / 1e6
    rows = []
    for name, credits_an_hour in CREDITS_AN_HOUR.items():
        took = seconds / (X_SMALL_PROCESSORS * credits_an_hour)
        rows.append([name, lasting(took), number(took / 3_600 * credits_an_hour)])
    return table(["warehouse", "statements of the day", "credits"], rows)


def traffic() -> str:
    ledger = sum(VERDICT_BYTES.values()) * PHONES
    rows = [
        ["phones read, for CCC and for the Do-Not-Call scrub", amount(2 * PHONE_BYTES * PHONES)],
        ["ledger rows appended", number(2 * PHONES)],
        ["the same, uploaded as Parquet", amount(ledger)],
        ["five years of them, without evidence", amount(ledger * 365 * 5)],
        ["`ledger verify` of one day, one process",
         lasting(float(figures.read("ledger")["verify_seconds_a_million"]) * 2 * PHONES / 1e6)],
    ]  # fmt: skip
    return table(["between Snowflake and the workers, a day", ""], rows)


def chunks() -> str:
    small, large = sizes()[-2:]
    parts = int(figures.read("day").get("chunks", 8))
    more_leads = (int(large["extracted"]) - int(small["extracted"])) / parts
    bytes_a_lead = max(0.0, (large["rss_mb"] - small["rss_mb"]) * 2**20 / more_leads)
    start = small["rss_mb"] - bytes_a_lead * int(small["extracted"]) / parts / 2**20
    rows = []
    for count in (8, 32, 100, 400, 1_000):
        leads = LEADS / count
        events = count / CHUNKS_A_RUN * EVENTS_A_RUN
        rows.append(
            [
                f"{count:,}", number(leads),
                amount(start * 2**20 + bytes_a_lead * leads),
                number(events), lasting(events / min(EVENTS_A_SECOND.values())),
                lasting(MOST_PARTITIONS / count * DAY_SECONDS),
            ]
        )  # fmt: skip
    head = ["chunks", "leads each", "memory of a run", "events", "Postgres, one writer",
            "until 100,000 partitions"]  # fmt: skip
    return table(head, rows)


def fan_out() -> str:
    size = float(figures.read("dnc")["file_mb"]) * 1e6
    rows = [
        [f"{hosts:,}", amount(size * hosts), amount(size * hosts * 365)]
        for hosts in (1, 4, 16, 64, 256)
    ]
    return table(["hosts, or pods of runs", "a refresh", "a year's"],
                 rows)  # fmt: skip


def crossover() -> str:
    found, largest = figures.read("dnc"), sizes()[-1]
    phones = float(largest["extracted"]) * PHONES_A_LEAD
    parts = {part: float(largest[f"dnc_filtered.{part}"]) / phones * PHONES
             for part in ("read", "look_up", "write")}  # fmt: skip
    stage = sum(parts.values())
    bound = PHONES / 10_000 / REQUESTS_A_MINUTE * 60
    moved_in = float(found["numbers"]) * PHONE_BYTES / FULL_LIST_DAYS + CHANGES_A_DAY * PHONE_BYTES
    moved_out = PHONE_BYTES + VERDICT_BYTES["dnc"]
    rows = [
        ["reading the phones, one worker", lasting(parts["read"])],
        ["looking them up, the same", lasting(parts["look_up"])],
        ["the same as benchmarks/dnc.py has it, without the run around it",
         lasting(float(found["many_us_per_phone"]) / 1e6 * PHONES)],
        ["writing the verdicts, the same", lasting(parts["write"])],
        ["CCC's limit, at best", lasting(bound)],
        ["workers from which CCC is what the day waits for", f"{math.ceil(stage / bound):,}"],
        ["moved for a phone: out, and its verdict back in", f"{moved_out} B"],
        ["moved for the list in Snowflake, a day", amount(moved_in)],
        ["phones a day from which the list is less to move", number(moved_in / moved_out)],
    ]  # fmt: skip
    return table(["the Do-Not-Call scrub of a hundred million leads", ""], rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "ccc": ccc, "ccc_facts": ccc_facts, "workers": workers, "snowflake": snowflake,
    "traffic": traffic, "chunks": chunks, "fan_out": fan_out, "crossover": crossover,
}  # fmt: skip


if __name__ == "__main__":
    renew(PAGE, TABLES)
