"""Pieces of a page: everything that is not markup of ours is escaped.

Belongs here: tables, marks, moments. Does not: what is on the page (`page.py`).
"""

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already; any other text is escaped where it is put in."""

    __slots__ = ()


def put(value: object) -> str:
    """A value as markup; nothing where there is none."""
    if isinstance(value, Html):
        return value
    return "" if value is None else escape(str(value))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Pieces one after the other."""
    return Html(between.join(put(part) for part in parts))


def tag(name: str, *parts: object, **attributes: object) -> Html:
    """An element; `kind` is its class."""
    renamed = {"kind": "class"}
    said = "".join(
        f' {renamed.get(key, key)}="{escape(str(value))}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{said}>{join(parts)}</{name}>")


def code(value: object) -> Html:
    """Something exact: a hash, an id, a file's name."""
    return tag("code", value) if value not in {None, ""} else Html("")


def short(digest: str) -> Html:
    """The beginning of a hash, which is enough to tell it from others on the page."""
    return tag("code", digest[:8], kind="short")


def mark(word: str | None) -> Html:
    """A verdict or a decision, in its colour; the word says it without."""
    return tag("span", word or "not known", kind=f"mark {word or ''}".strip())


def when(moment: str | None) -> Html:
    """A moment to the second, as text that a machine can read as well."""
    if not moment:
        return Html("")
    return tag("time", f"{moment[:10]} {moment[11:19]} UTC", datetime=moment)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table with a caption and a head; the first cell of a row is its heading."""
    heads = join(tag("th", each, scope="col") for each in head)
    body = join(
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", each) for each in row[1:]))
        for row in rows
    )
    if not body:
        return tag("p", tag("strong", f"{caption}: "), "none on record.")
    return tag("table", tag("caption", caption), tag("thead", tag("tr", heads)), tag("tbody", body))


def facts(caption: str, rows: Iterable[tuple[str, object]]) -> Html:
    """A table of names and values; what has no value is left out."""
    body = join(
        tag("tr", tag("th", name, scope="row"), tag("td", value))
        for name, value in rows
        if put(value)
    )
    return tag("table", tag("caption", caption), tag("tbody", body))


def link(name: str) -> Html:
    """A link to what is called so on the same page."""
    return tag("a", name, href=f"#{name}")
