"""What CCC was asked for a day, how it answered, and what that cost.

Belongs here: adding up what the ledger and the runs say. Does not: asking (`etl_dagster.ccc`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final, Self
from urllib.parse import urlsplit

from etl_dagster.report.markdown import count, table, text
from etl_dagster.warehouse.day_ledger import Answers, DayLedger

PER: Final = 1_000
"""The price is for so many phones."""


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The calls that the runs of a day made, as they told Dagster.

    Attributes:
        runs: runs that asked.
        requests: sent, test numbers and retries included.
        retries: requests that repeated a failed one.
        rate_limited: answers 429.
        breaker_openings: how often the circuit opened.
        latency_p50_ms: the median of the chunks' medians.
        latency_p95_ms: of the slowest chunk.
        seconds: spent asking.
        phones: asked about.
    """

    runs: int = 0
    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    breaker_openings: int = 0
    latency_p50_ms: float = 0.0
    latency_p95_ms: float = 0.0
    seconds: float = 0.0
    phones: int = 0

    @classmethod
    def of(cls, chunks: Mapping[tuple[str, str], Mapping[str, float]]) -> Self:
        """Add chunks up.

        Args:
            chunks: by run and partition, what `ccc_enriched` says of each; those for which
                nothing was asked count for nothing.
        """
        asked = {key: chunk for key, chunk in chunks.items() if chunk.get("requests")}
        if not asked:
            return cls()

        def total(name: str) -> int:
            return int(sum(chunk.get(name, 0) for chunk in asked.values()))

        def each(name: str) -> list[float]:
            return [chunk.get(name, 0.0) for chunk in asked.values()]

        speeds = zip(each("phones_asked"), each("phones_per_second"), strict=True)
        return cls(
            runs=len({run for run, _ in asked}),
            requests=total("requests"),
            retries=total("retries"),
            rate_limited=total("rate_limited"),
            breaker_openings=total("breaker_openings"),
            latency_p50_ms=median(each("latency_p50_ms")),
            latency_p95_ms=max(each("latency_p95_ms")),
            seconds=sum(phones / speed for phones, speed in speeds if speed),
            phones=total("phones_asked"),
        )


def cost(endpoints: Mapping[str, Answers], price_per_1000: float | None) -> float | None:
    """The price of the phones asked about, once for each run that did; None where none is known.

    The bill may be another: nobody but the vendor knows whether phones left unanswered are on it,
    and what a run sent again (retries, parts of a batch that was refused) is not on record.
    """
    asked = sum(answers.asked for answers in endpoints.values())
    return None if price_per_1000 is None else asked * price_per_1000 / PER


def api_section(
    ledger: DayLedger, calls: Calls, price_per_1000: float | None, full_price: float | None = None
) -> list[str]:
    """The section: one measure a row; those of the full scrub, where it was asked, last."""
    rows = _answered(ledger.endpoints)
    rows += [
        [f"phones left unanswered, listed ones too: {text(reason)}", count(phones)]
        for reason, phones in sorted(ledger.unanswered.items())
    ]
    blocks = ["## CCC API"]
    if calls.requests:
        speed = calls.phones / calls.seconds if calls.seconds else 0.0
        rows += [
            ["requests sent, test numbers and retries included", count(calls.requests)],
            ["retries", count(calls.retries)],
            ["rate limited (HTTP 429)", count(calls.rate_limited)],
            ["circuit breaker openings", count(calls.breaker_openings)],
            ["latency p50, median of the chunks, ms", f"{calls.latency_p50_ms:,.1f}"],
            ["latency p95, slowest chunk, ms", f"{calls.latency_p95_ms:,.1f}"],
            ["phones a second", f"{speed:,.0f}"],
            ["seconds spent asking", f"{calls.seconds:,.1f}"],
            ["runs that asked", count(calls.runs)],
        ]
    elif ledger.endpoints:
        blocks.append("Dagster has no record of the runs that asked, only the ledger has.")
    else:
        blocks.append("CCC was not asked for this day: every answer was on record already.")
    rows += _priced(ledger.endpoints, price_per_1000)
    if ledger.full:
        full = [*_answered(ledger.full), *_priced(ledger.full, full_price)]
        rows += [[f"full scrub: {measure}", value] for measure, value in full]
    return [*blocks, table(["measure", "value"], rows)]


def _answered(endpoints: Mapping[str, Answers]) -> list[list[str]]:
    return [
        *(
            [f"requests answered by {text(_host(endpoint))}", count(answers.requests)]
            for endpoint, answers in endpoints.items()
        ),
        ["phones asked", count(sum(answers.asked for answers in endpoints.values()))],
        ["phones answered", count(sum(answers.answered for answers in endpoints.values()))],
    ]


def _priced(endpoints: Mapping[str, Answers], price_per_1000: float | None) -> list[list[str]]:
    if price_per_1000 is None:
        return []
    price = f"cost, at {price_per_1000:,.2f} for {PER:,} phones asked, without those sent again"
    return [[price, f"{cost(endpoints, price_per_1000):,.2f}"]]


def _host(endpoint: str) -> str:
    """Who answers at an address: a page must not invite to click it."""
    return urlsplit(endpoint).netloc or endpoint
