"""SQL text: where it comes from, what it is called, what kind of statement it is.

Belongs here: the loader of ``warehouse/sql/*.sql``, filling ``{placeholders}`` of them with
``sql/fragments/*.sql``, names and literals, the name that errors and logs give a statement, and the
few things that must be known of a statement before it runs. Does not: running; values, which are
bound by the session.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Self

_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|//[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.DOTALL)
_WORDS = re.compile(r"[A-Za-z_]+")
_FILE = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")
_HEADER = re.compile(r"\A(--[^\n]*\n)+")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")

# https://docs.snowflake.com/en/sql-reference/transactions#ddl: each of these commits what is open.
_DDL = frozenset({"ALTER", "COMMENT", "CREATE", "DROP", "GRANT", "REVOKE", "TRUNCATE", "UNDROP"})
_TRANSACTION = frozenset({"BEGIN", "START", "COMMIT", "ROLLBACK"})


class Statement(str):
    """SQL text that knows its name; everything else of it is a plain string.

    Operations on the text (``format``, ``replace``) return plain strings: wrap their result again
    where the name should survive.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, text: str, name: str) -> Self:
        """Name ``text``."""
        statement = super().__new__(cls, text)
        statement.name = name
        return statement


@cache
def sql(name: str) -> Statement:
    """Return the statement in ``warehouse/sql/<name>.sql``; a name may hold ``/``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The name is not one of a file in that folder.
    """
    if not _FILE.fullmatch(name):
        raise ValueError(f"not the name of a statement: {name!r}; expected such as 'tables/leads'")
    file = resources.files(__package__).joinpath("sql", *f"{name}.sql".split("/"))
    return Statement(file.read_text(encoding="utf-8"), name)


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


def name_of(statement: str) -> str:
    """Return what errors and logs call the statement: its name, or its first two words."""
    if isinstance(statement, Statement):
        return statement.name
    words = _WORDS.findall(_COMMENTS.sub("", statement)[:80])
    return " ".join(word.upper() for word in words[:2]) or "empty statement"


def commits(statement: str) -> bool:
    """Whether Snowflake would end an open transaction before or by running it."""
    return _keyword(statement) in _DDL | _TRANSACTION


def controls_transaction(statement: str) -> bool:
    """Whether it begins or ends a transaction."""
    return _keyword(statement) in _TRANSACTION


def _keyword(statement: str) -> str:
    word = _WORDS.match(_COMMENTS.sub("", statement))
    return word[0].upper() if word else ""
