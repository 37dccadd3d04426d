"""Read a campaign's SQL as far as needed to embed it: quotes, comments, semicolons, brackets.

Belongs here: splitting Snowflake SQL into tokens, and trimming a file to one query. Does not:
understanding the query, which is Snowflake's work; what it must return
(`campaign_columns`).

Source of the lexical rules: Snowflake documentation, "String & binary data types" (quotes are
doubled or escaped by a backslash, dollar-quoted text is taken as it is), "Identifier
requirements", and "Comments" (two dashes or two slashes, and slash-star, which does not nest).
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

VARIABLES: Final = ("PARTITION_DATE", "PARTITION_START", "PARTITION_END")
"""Session variables that are set when a campaign runs; there are no others."""

_VERSION_DIGITS: Final = 12
_TOKEN: Final = re.compile(
    r"""
      (?P<space>      \s+ )
    | (?P<comment>    (?: -- | // ) [^\n]* | /\* .*? \*/ )
    | (?P<quoted>     ' (?: [^'\\] | '' | \\. )* '  |  " (?: [^"] | "" )* "  |  \$\$ .*? \$\$ )
    | (?P<variable>   \$ [A-Za-z_] [A-Za-z0-9_$]* )
    | (?P<word>       [^\W\d] [\w$]* )
    | (?P<end>        ; )
    | (?P<chain>      ->> )
    | (?P<open>       [(\[{] )
    | (?P<close>      [)\]}] )
    | (?P<unfinished> ' | " | /\* | \$\$ )
    | (?P<other>      . )
    """,
    re.DOTALL | re.VERBOSE,
)
_NAME: Final = re.compile(r"[^\W\d][\w$]*")
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_MAY_BE_EMPTY: Final = "may be empty"
_SILENT: Final = frozenset({"space", "comment"})


class SqlTextError(ValueError):
    """The text is not one query.

    Attributes:
        line: where, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        self.line = line
        super().__init__(problem)


@dataclass(frozen=True)
class Query:
    """One query, ready to stand as `SELECT ... FROM ( here )`.

    Attributes:
        text: as written, with LF line ends, without what follows the last token; so line
            numbers in Snowflake's messages are the file's.
        version: changes when the query does, but not with comments, white space or line ends.
        may_be_empty: a comment of its own says `-- may be empty`: no rows are no error.
        tables: what it reads, as written, unquoted names in upper case; for people to see where
            leads come from, so a table behind a view or a function is not among them.
    """

    text: str
    version: str
    may_be_empty: bool
    tables: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    end: int


def read_query(source: str) -> Query:
    """Trim the text of a file to the one query that it must hold.

    Raises:
        SqlTextError: there is no query, more than one statement, a statement that writes or is
            no query, unfinished quotes or comments, unbalanced brackets, or an unknown variable.
    """
    source = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in source:
        line = source.count("\n", 0, source.index("\0")) + 1
        raise SqlTextError("a NUL character; save the file as UTF-8 text", line)
    every = list(_tokens(source))
    query = _single_statement([token for token in every if token.kind not in _SILENT])
    _check_kind(query)
    _check_writes(query)
    _check_brackets(query)
    _check_variables(query)
    text = source[: query[-1].end]
    notes = {token.text.strip("-/* \n").lower() for token in every if token.kind == "comment"}
    return Query(
        text=text,
        version=_version(text),
        may_be_empty=_MAY_BE_EMPTY in notes,
        tables=tuple(sorted(set(_tables(query)))),
    )


def _tokens(source: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(source):
        kind, text = str(match.lastgroup), match[0]
        if kind == "unfinished":
            what = "comment" if text == "/*" else "quoted text"
            raise SqlTextError(f"{what} that starts here with {text} is never closed", line)
        yield _Token(kind, text, line, match.end())
        line += text.count("\n")


def _single_statement(tokens: Sequence[_Token]) -> Sequence[_Token]:
    first_end = next((at for at, token in enumerate(tokens) if token.kind == "end"), len(tokens))
    query = tokens[:first_end]
    if not query:
        line = tokens[0].line if tokens else 1
        raise SqlTextError("no SQL; expected is one query, SELECT or WITH ... SELECT", line)
    extra = next((token for token in tokens[first_end:] if token.kind != "end"), None)
    if extra is not None:
        problem = f"a second statement starts here with {_shown(extra)}; expected is one query"
        raise SqlTextError(problem, extra.line)
    return query


def _check_kind(query: Sequence[_Token]) -> None:
    first = next((token for token in query if token.text != "("), query[0])
    if first.text.upper() not in {"SELECT", "WITH"}:
        problem = f"starts with {_shown(first)}; expected is one query: SELECT or WITH ... SELECT"
        raise SqlTextError(problem, first.line)


def _check_writes(query: Sequence[_Token]) -> None:
    """Refuse writing in disguise: `WITH ... DELETE`, and statements chained by Snowflake's `->>`.

    A statement's verb follows a bracket and precedes a name, or stands between `)` and `(`; so
    columns, aliases and functions that are called like one are let through.
    """
    followers = [*query[2:], query[-1]]
    for before, token, after in zip(query, query[1:], followers, strict=False):
        if token.kind == "chain":
            raise SqlTextError("->> chains a second statement; expected is one query", token.line)
        verb = token.kind == "word" and token.text.upper() in _WRITES
        named = before.text in {"(", ")"} and after.kind in {"word", "quoted"}
        if verb and (named or (before.text, after.text) == (")", "(")):
            raise SqlTextError(f"{token.text.upper()} writes; a query only reads", token.line)


def _check_brackets(query: Sequence[_Token]) -> None:
    """An unbalanced query could step out of the brackets that it is embedded in."""
    waiting: list[_Token] = []
    for token in query:
        if token.kind == "open":
            waiting.append(token)
        elif token.kind == "close" and (not waiting or waiting.pop().text != _PAIRS[token.text]):
            raise SqlTextError(f"{token.text} closes nothing that was opened", token.line)
    if waiting:
        raise SqlTextError(f"{waiting[-1].text} is never closed", waiting[-1].line)


def _check_variables(query: Sequence[_Token]) -> None:
    for token in query:
        if token.kind == "variable" and token.text[1:].upper() not in VARIABLES:
            known = ", ".join(f"${name}" for name in VARIABLES)
            raise SqlTextError(f"unknown variable {token.text}; there are {known}", token.line)


def _tables(query: Sequence[_Token]) -> Iterator[str]:
    """Names behind FROM and JOIN that are neither functions nor defined by the query itself."""
    texts = [token.text.upper() if token.kind == "word" else token.text for token in query]
    own = {
        name
        for name, *after in zip(texts, texts[1:], texts[2:], strict=False)
        if after == ["AS", "("]
    }
    selects = [
        False
    ]  # a FROM without a SELECT in its brackets is a function's: EXTRACT(... FROM ...)
    for at, text in enumerate(texts):
        if query[at].kind == "open":
            selects.append(False)
        elif query[at].kind == "close":
            selects.pop()
        elif text == "SELECT":
            selects[-1] = True
        elif text in {"FROM", "JOIN"} and selects[-1]:
            name, behind = _dotted_name(texts[at + 1 :])
            if name and behind != "(" and name not in own:
                yield name


def _dotted_name(texts: Sequence[str]) -> tuple[str, str]:
    """The name that some tokens begin with, and the token behind it."""
    length = 0
    while length < len(texts) and (texts[length][0] == '"' or _NAME.fullmatch(texts[length])):
        length += 2
        if length > len(texts) or texts[length - 1 : length] != ["."]:
            break
    end = max(length - 1, 0)
    return "".join(texts[:end]), "".join(texts[end : end + 1])


def _shown(token: _Token) -> str:
    """A word is quoted in messages; a literal, which may hold anything, is not."""
    return "quoted text" if token.kind == "quoted" else token.text.upper()


def _version(text: str) -> str:
    """Hash the query with each run of comments and white space as one space.

    Whether there is any can change the meaning (`a - -1`, `a --1`), how much of it cannot.
    """
    parts: list[str] = []
    for token in _tokens(text):
        if token.kind not in _SILENT:
            parts.append(token.text)
        elif parts and parts[-1] != " ":
            parts.append(" ")
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:_VERSION_DIGITS]
