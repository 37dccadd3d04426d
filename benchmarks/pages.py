"""Pages of the docs with tables that are made from figures.

Belongs here: where on a page a table stands, what one looks like. Does not: which figures are shown
(`benchmarks/tables.py`, `benchmarks/scaling.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Tables = Mapping[str, Callable[[], str]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a table."""
    return f"<!-- figures: {name} -->\n", f"\n<!-- end of figures: {name} -->"


def on_page(text: str, name: str) -> str:
    """What a page has between the marks of a table."""
    start, end = marks(name)
    return text.partition(start)[2].partition(end)[0]


def renewed(text: str, tables: Tables) -> str:
    """A page with its tables as the figures are now."""
    for name, made in tables.items():
        start, end = marks(name)
        before, has_start, rest = text.partition(start)
        _, has_end, after = rest.partition(end)
        assert has_start, f"the page has no place for the table {name}"
        assert has_end, f"the page does not say where the table {name} ends"
        text = before + start + made() + end + after
    return text


def renew(page: Path, tables: Tables) -> None:
    """Write the tables into their page."""
    page.write_text(renewed(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
