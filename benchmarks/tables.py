"""The tables of `docs/performance.md` that are made from `docs/figures/`.

usage: python -m benchmarks.tables        (writes them into the page; a test holds both together)

Belongs here: which figures are shown, and how. Does not: measuring them.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.pages import renew, table
from benchmarks.scaling import REQUESTS_A_MINUTE
from benchmarks.start import TARGETS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
STAGES = ("leads", "ccc_enriched", "dnc_filtered", "callable_leads", "scrub_report")
Figures = Mapping[str, Any]


def number(value: float) -> str:
    """Three digits that count, and no more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def by_size(sizes: Figures, leads: str, rows: Mapping[str, Callable[[Figures], str]]) -> str:
    """A column for each size, a row for each figure."""
    return table(
        ["", *[f"{size[leads]:,} leads" for size in sizes.values()]],
        [[name, *[show(size) for size in sizes.values()]] for name, show in rows.items()],
    )


def origin(found: Figures) -> str:
    about = found["about"]
    machine, versions = about["machine"], about["versions"]
    return (
        f"Measured {about['measured']}: {machine['processors']} processors"
        f" ({machine['architecture']}), {machine['memory_gib']} GiB, load {machine['load_before']}"
        f" before, Python {versions['python']}, Dagster {versions['dagster']}, DuckDB"
        f" {versions['duckdb']}."
    )


def seconds(name: str) -> Callable[[Figures], str]:
    return lambda size: f"{number(size[name])} s"


def day() -> str:
    found = figures.read("day")
    rows: dict[str, Callable[[Figures], str]] = {
        "**from the command to the table**": seconds("day_seconds"),
        **{f"`{stage}`": seconds(f"{stage}_seconds") for stage in STAGES},
        "start, lists, retraction, end": seconds("outside_steps_seconds"),
        "of all that, Dagster's own": lambda size: (
            f"{number(size['dagster_overhead_seconds'])} s, {size['dagster_overhead_share']:.0%}"
        ),
        "for 1,000 leads": lambda size: (
            f"{number(size['day_seconds'] * 1_000 / size['extracted'])} s"
        ),
        "processor time, run and embedded Snowflake": lambda size: (
            f"{number(size['cpu_seconds'])} s, {number(size['server_cpu_seconds'])} s"
        ),
        "most memory, run and embedded Snowflake": lambda size: (
            f"{size['rss_mb']:,.0f} MB, {size['server_rss_mb']:,.0f} MB"
        ),
        "callable, blocked, unknown leads": lambda size: (
            f"{size['callable']:,}, {size['blocked']:,}, {size['unknown']:,}"
        ),
    }
    setup = f"{found['numbers']:,} listed numbers, {found['chunks']} chunks. {origin(found)}"
    return f"{setup}\n\n{by_size(found['sizes'], 'extracted', rows)}"


def baseline() -> str:
    found = figures.read("baseline")
    sizes, more = found["sizes"], found["growth"]
    parts = ("read", "ccc", "dnc", "write", "publish")
    rows: dict[str, Callable[[Figures], str]] = {
        "product, from start to end": seconds("product_seconds"),
        "pattern, from start to end": seconds("baseline_seconds"),
        "**times faster**": lambda size: f"**{number(size['ratio'])}**",
        "product, for 1,000 leads": seconds("product_seconds_per_1000"),
        "pattern, for 1,000 leads": seconds("baseline_seconds_per_1000"),
        **{f"pattern: {part}": seconds(f"baseline_{part}_seconds") for part in parts},
        "CCC requests, product and pattern": lambda size: (
            f"{size['product_requests']:,.0f}, {size['baseline_requests']:,.0f}"
        ),
    }
    own, other = (more[f"{who}_seconds_per_1000_more"] for who in ("product", "baseline"))
    largest = list(sizes.values())[-1]
    growth = [
        ["1,000 leads more, product", f"{number(own)} s", ""],
        ["1,000 leads more, pattern", f"{number(other)} s", ""],
        ["times faster for these", number(more["ratio_of_more"]), "20"],
        [
            "the same if the pattern's inserts took no time",
            number(more["ratio_of_more_without_writing"]),
            "",
        ],
        *projected(largest, other),
        [
            f"1,000 leads at the vendor's {REQUESTS_A_MINUTE:,} requests a minute, product",
            f"at least {number(at_the_limit(largest, 'product'))} s",
            "",
        ],
        ["the same, pattern", f"at least {number(at_the_limit(largest, 'baseline'))} s", ""],
    ]
    if (crossing := more.get("reach_from_leads")) is not None:
        growth.insert(4, ["20 times faster as a whole, from", f"{crossing:,.0f} leads", ""])
    setup = (
        f"{found['rows_numbers']:,} listed numbers on both sides, {found['chunks']} chunks."
        f" {origin(found)}"
    )
    shown = by_size(sizes, "leads", rows)
    return f"{setup}\n\n{shown}\n\n{table(['figure', 'seen', 'reach'], growth)}"


def projected(largest: Figures, slope: float) -> Iterator[list[str]]:
    """The largest day of the product, and what the pattern would take if it grew on as it did."""
    *_, size = figures.read("day")["sizes"].values()
    pattern = largest["baseline_seconds"] + slope * (size["extracted"] - largest["leads"]) / 1_000
    own = size["day_seconds"]
    seen = f"{number(own)} s, {number(pattern)} s: {number(pattern / own)} times"
    yield [f"{size['extracted']:,} leads: product as above, pattern projected", seen, "20"]


def at_the_limit(size: Figures, who: str) -> float:
    """The least seconds that 1,000 leads take where the API's limit is what holds."""
    return size[f"{who}_requests"] * 60 / REQUESTS_A_MINUTE * 1_000 / size["leads"]


def start() -> str:
    found = figures.read("start")
    named = {
        "`etl-dagster --help`": "help",
        "`definitions.py`, all that it defines": "definitions",
        "`import dagster` alone": "import_dagster",
        "`etl-dagster retract`, a run, to its first statement": "first_sql",
        "`etl-dagster sql`, to its first statement": "first_sql_plain",
        "`import snowflake.connector` alone": "import_connector",
        "both, with a Dagster instance open, and nothing of ours": "both",
    }
    rows = []
    for name, key in named.items():
        row = [name]
        for unit in ("seconds", "cpu_seconds", "mb"):
            _, bound = TARGETS.get(f"{key}_{unit}", ("", None))
            row.append(number(found[f"{key}_{unit}"]))
            if unit != "cpu_seconds":
                row.append("" if bound is None else f"{bound:g}")
        rows.append(row)
    return f"{origin(found)}\n\n{table(['', 'seconds', 'reach', 'processor', 'MB', 'reach'], rows)}"


TABLES = {"day": day, "baseline": baseline, "start": start}


if __name__ == "__main__":
    renew(PAGE, TABLES)
