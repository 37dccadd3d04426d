"""The day's report as a Markdown page: counts only, nobody's data."""

from collections.abc import Iterable, Mapping

from etl_dagster.warehouse.funnel import FUNNEL_COLUMNS, Day


def render_report(day: Day) -> str:
    """The page for one day: leads by class and campaign, phones, lists, what is unknown."""
    heads = [name.replace("_", " ") for name in FUNNEL_COLUMNS]
    leads = [
        [name, *(f"{getattr(funnel, column):,}" for column in FUNNEL_COLUMNS)]
        for name, funnel in [*day.campaigns.items(), ("**all**", day.total)]
    ]
    sections = [
        f"# Scrub report for {day.lead_date}",
        "## Leads",
        _table(["campaign", *heads], leads),
        "## Phones by verdict",
        _table(
            ["campaign", "callable", "blocked", "unknown"],
            [
                [name, *(f"{count.get(verdict, 0):,}" for verdict in _VERDICTS)]
                for name, count in day.phones.items()
            ],
        ),
    ]
    sections += _counts("## Phones on Do-Not-Call lists", "list", day.lists)
    sections += _counts("## Why phones are unknown", "reason", day.reasons)
    return "\n\n".join(sections) + "\n"


_VERDICTS = ("CALLABLE", "BLOCKED", "UNKNOWN")


def _counts(title: str, name: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    rows = [[key, f"{count:,}"] for key, count in sorted(counts.items())]
    return [title, _table([name, "phones"], rows)]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
