"""A day through the product, and the same day the pattern's own way, on the same servers.

usage: python -m benchmarks.versus [--leads 2e3 5e3 1e4] [--numbers 2e6] [--chunks 4] [--json FILE]

The figures that the documents quote are from `--leads 2e3 1e4 5e4 --numbers 2e7`: the text table of
a national list of 250 million would take 13 GB. Both scrub the same leads with the same CCC sandbox
(50 ms an answer), the same list and the same embedded Snowflake; both are processes of their own,
timed from start to end. It fails if a single phone's verdict, or a single published lead, differs.

A process takes seconds before its first lead, and so do the statements of a day and chunk. So
beside the whole times there is what 1,000 leads more cost, between the two largest sizes; and the
number of leads from which the whole time is `REACH` times as long, if both grow on like that. Most
of the baseline's time is its inserts, which depend on the warehouse more than all else:
`ratio_of_more_without_writing` leaves them out, on its side only.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import httpx
import numpy as np

from benchmarks import baseline, figures, measuring
from benchmarks.day import day_of, measure_day, servers, show
from benchmarks.world import World, make_store, write_rows
from etl_dagster.leads.phones import valid_phones
from etl_dagster.sandbox import data
from etl_dagster.settings import Settings

REACH = 20.0
LISTED_ONE_IN = 5
NOT_COVERED_EVERY = 25


def listed_leads(sizes: Iterable[int]) -> list[int]:
    """One in five of the sample's phones, so that the list blocks many."""
    found: set[int] = set()
    for size in sizes:
        texts = data.sample_contacts(day_of(size), leads_per_day=size)["PHONE"].to_pylist()
        digits = ("".join(filter(str.isdigit, text or "")) for text in texts)
        found.update(int(each[-10:]) for each in digits if len(each) >= 10)
    phones = np.array(sorted(found), dtype=np.int64)
    return phones[valid_phones(phones)][::LISTED_ONE_IN].tolist()


def not_covered(world: World) -> set[int]:
    """Area codes that the list does not speak for."""
    return set(range(201, 990, NOT_COVERED_EVERY)) - set(world.areas.tolist())


def make_lists(store: Path, rows: Path, numbers: int, sizes: Iterable[int]) -> None:
    """Make the store and the text table, of the same list; some area codes are on neither."""
    world = World(numbers)
    left_out = not_covered(world)
    covers = [area for area in range(200, 1_000) if area not in left_out]
    more = [phone for phone in listed_leads(sizes) if phone // 10_000_000 not in left_out]
    make_store(store, numbers, covers=covers, more=more)
    with closing(sqlite3.connect(rows)) as connection:
        write_rows(connection, world, more)
        connection.execute("CREATE TABLE covered (area_code TEXT PRIMARY KEY)")
        connection.executemany("INSERT INTO covered VALUES (?)", [(str(area),) for area in covers])
        connection.commit()


def run_baseline(env: Mapping[str, str], day: date, rows: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.baseline", "--day", f"{day}", "--dnc", str(rows)]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, cwd=measuring.ROOT)
    took = time.perf_counter() - start
    return {"day_seconds": took, **json.loads(done.stdout)}


def requests(settings: Settings) -> int:
    """How many requests the CCC sandbox was sent so far."""
    stats = httpx.get(f"{settings.ccc_api_url}/sandbox/stats").raise_for_status().json()
    return int(stats["requests"])


def compare(settings: Settings, day: date) -> dict[str, int]:
    """Hold all verdicts and publications against each other; return phones by verdict."""
    one_a_phone = " UNION ".join(
        f"SELECT l.phone_{n} AS phone, LOWER(f.phone_{n}_verdict) AS verdict FROM LEADS AS l"
        " JOIN DNC_FILTERED AS f ON f.lead_date = l.lead_date AND f.lead_id = l.lead_id"
        f" AND f.campaign = l.campaign WHERE l.lead_date = %(day)s AND l.phone_{n} IS NOT NULL"
        for n in (1, 2, 3)
    )
    theirs, published = baseline.SCHEMA, "lead_id, campaign, phone_1, phone_2, phone_3"
    pairs = (
        (one_a_phone, f"SELECT phone, verdict FROM {theirs}.PHONE_RESULTS"),
        (
            f"SELECT {published} FROM CALLABLE_LEADS WHERE lead_date = %(day)s",
            f"SELECT {published} FROM {theirs}.CALLABLE_LEADS",
        ),
    )
    found = []
    with closing(baseline.connect(settings)) as connection, connection.cursor() as cursor:
        for own, other in pairs:
            ours = cursor.execute(own, {"day": day}).fetchall()
            others = cursor.execute(f"{other} WHERE lead_date = %(day)s", {"day": day}).fetchall()
            assert len(others) == len(set(others)), "the baseline has something twice"
            assert len(ours) == len(set(ours)), "the product has something twice"
            assert set(ours) == set(others), f"{len(set(ours) ^ set(others))} rows differ"
            found.append(ours)
    verdicts = [verdict for _, verdict in found[0]]
    counts = {f"phones_{name}": verdicts.count(name) for name in ("callable", "blocked", "unknown")}
    assert all(counts.values()), f"a comparison without some verdict shows little: {counts}"
    return {**counts, "published": len(found[1])}


def growth(sizes: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What more leads cost either, between the two largest sizes, and what it comes to beyond."""
    before, last = list(sizes.values())[-2:]
    leads = (last["leads"] - before["leads"]) / 1_000

    def slope(name: str) -> float:
        return (last[name] - before[name]) / leads

    own, other = slope("product_seconds"), slope("baseline_seconds")
    own_start = last["product_seconds"] - own * last["leads"] / 1_000
    other_start = last["baseline_seconds"] - other * last["leads"] / 1_000
    found = {
        "product_seconds_per_1000_more": own,
        "baseline_seconds_per_1000_more": other,
        "ratio_of_more": other / own,
        "ratio_of_more_without_writing": (other - slope("baseline_write_seconds")) / own,
    }
    if other > REACH * own:  # the lines cross
        crossing = 1_000 * (REACH * own_start - other_start) / (other - REACH * own)
        found["reach_from_leads"] = max(crossing, 0.0)
    return found


def measure_size(
    env: Mapping[str, str], settings: Settings, rows: Path, size: int
) -> dict[str, float]:
    """Run a day of so many leads both ways."""
    day, asked = day_of(size), [requests(settings)]
    own = measure_day(env, settings, day, size)
    asked.append(requests(settings))
    other = run_baseline(env, day, rows)
    asked.append(requests(settings))
    return {
        "leads": own["extracted"],
        **compare(settings, day),
        "product_seconds": own["day_seconds"],
        "product_dagster_seconds": own["dagster_overhead_seconds"],
        "baseline_seconds": other["day_seconds"],
        "ratio": other["day_seconds"] / own["day_seconds"],
        "product_requests": asked[1] - asked[0],
        "baseline_requests": asked[2] - asked[1],
        "product_seconds_per_1000": own["day_seconds"] * 1_000 / own["extracted"],
        "baseline_seconds_per_1000": other["day_seconds"] * 1_000 / own["extracted"],
        **{
            f"baseline_{name}": value
            for name, value in other.items()
            if name.endswith("_seconds") and name != "day_seconds"
        },
    }


def measure(folder: Path, sizes: Sequence[int], numbers: int, chunks: int) -> dict[str, object]:
    """Run each size both ways; the verdicts must agree."""
    rows = folder / "rows.sqlite"
    with servers(folder / "home", chunks) as (env, settings):
        make_lists(settings.dnc_store, rows, numbers, sizes)
        found = {f"{size}": measure_size(env, settings, rows, size) for size in sizes}
    return {"rows_numbers": numbers, "chunks": chunks, "sizes": found, "growth": growth(found)}


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--leads", type=float, nargs="+", default=[2e3, 5e3, 1e4])
    parser.add_argument("--numbers", type=float, default=2e6)
    parser.add_argument("--chunks", type=int, default=4)
    options = parser.parse_args()
    about, sizes = figures.about(), sorted(map(int, options.leads))
    assert len(sizes) > 1, "growth takes two sizes"
    with tempfile.TemporaryDirectory(prefix="versus-bench-") as folder:
        found = measure(Path(folder), sizes, int(options.numbers), options.chunks)
    show({**found["sizes"], "growth by": found["growth"]})
    if options.json:
        figures.keep(options.json, about, found)


if __name__ == "__main__":
    main()
