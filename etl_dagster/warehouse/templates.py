"""Statements with parts that depend on campaign, table or policy, put together from SQL files.

Belongs here: filling `{placeholders}` of `sql/*.sql` with `sql/fragments/*.sql`, names and
literals. Does not: values, which are bound by the session.
"""

import re
from collections.abc import Iterable
from typing import Final

from etl_dagster.warehouse.statements import Statement, sql

_HEADER: Final = re.compile(r"\A(--[^\n]*\n)+")
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


def render(name: str, **parts: object) -> Statement:
    """The statement `sql/<name>.sql` with its placeholders filled; it keeps its name.

    Raises:
        KeyError: the statement has a placeholder that `parts` does not fill.
    """
    ours = {"newest_first": fragment("newest_first"), "within_hours": fragment("within_hours")}
    return Statement(sql(name).format(**ours, **parts), name)


def fragment(name: str, **parts: object) -> str:
    """The expression `sql/fragments/<name>.sql` with its placeholders filled."""
    return _HEADER.sub("", sql(f"fragments/{name}")).strip().format(**parts)


def each(name: str, sources: Iterable[str], *, between: str = "\n") -> str:
    """A fragment for each of some sources, which it calls `source`."""
    return between.join(fragment(name, source=source) for source in sources)


def literals(names: Iterable[str]) -> str:
    """Names of ours (sources, campaigns) as a list of SQL text literals.

    Raises:
        ValueError: a name has characters that a literal would have to escape.
    """
    names = list(names)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a plain lower-case name")
    return ", ".join(f"'{name}'" for name in names)
