"""Reading the tables and values of a policy file, with what is wrong noted and where it stands.

Belongs here: what is the same for every key. Does not: which keys there are (`policy_text.py`).
"""

from collections.abc import Collection, Mapping

from etl_dagster.leads.toml_lines import find_line

_SHOWN = 60
_MOST_PROBLEMS = 50
"""Told of one text."""


class Reader:
    """Reads key after key; what is wrong is noted, and the reading goes on.

    What a wrong key is read as does not matter: with a problem noted there is no policy.

    Attributes:
        problems: line (None where something is missing) and sentence.
    """

    def __init__(self, text: str) -> None:
        """Know the text in which keys stand."""
        self._text = text
        self.problems: list[tuple[int | None, str]] = []

    def wrong(self, path: tuple[str, ...], says: str) -> None:
        """Note a problem of a key, at its line or, where it is missing, its table's.

        Of very many the first are enough.
        """
        if len(self.problems) == _MOST_PROBLEMS:
            return
        line = next(
            (
                found
                for depth in range(len(path), 0, -1)
                if (found := find_line(self._text, path[:depth]))
            ),
            None,
        )
        self.problems.append((line, f"{_printable('.'.join(path))}: {says}"))

    def known(
        self, table: Mapping[str, object], path: tuple[str, ...], known: Collection[str]
    ) -> None:
        """Note the keys of a table that are not known."""
        for key in table:
            if key not in known:
                expected = ", ".join(".".join((*path, name)) for name in sorted(known))
                says = f"unknown key; there are {expected}. Correct it or take it out"
                self.wrong((*path, key), says)

    def table(
        self,
        given: Mapping[str, object],
        path: tuple[str, ...],
        known: Collection[str] | None = None,
    ) -> Mapping[str, object]:
        """The table at a path; empty if there is none that can be read."""
        name = ".".join(path)
        value = given.get(path[-1])
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(path, f"expected a table [{name}], found {shown(value)}")
            return {}
        if known is not None:
            self.known(value, path, known)
        return value

    def number(
        self, value: object, path: tuple[str, ...], kind: str, *, most: float, example: str
    ) -> float:
        """A number above 0 and at most so much; whole if its kind says so."""
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 < value <= most
            and not ("whole" in kind and value != int(value))
        ):
            return float(value)
        self.wrong(
            path,
            f"expected {kind} above 0 and at most {most}, found {shown(value)}; write for example"
            f" {path[-1]} = {example} under [{path[0]}]",
        )
        return 1

    def names(
        self, value: object, path: tuple[str, ...], known: Collection[str], *, example: str
    ) -> tuple[str, ...]:
        """A list of names, each of those known, sorted; at least one, unless the example is []."""
        if (
            isinstance(value, list)
            and (value or example == "[]")
            and all(isinstance(name, str) and name in known for name in value)
        ):
            return tuple(sorted(set(value)))
        least = "" if example == "[]" else "at least one of "
        self.wrong(
            path,
            f"expected a list of {least}{', '.join(known)}, found {shown(value)};"
            f" write {path[-1]} = {example}",
        )
        return tuple(known)


def shown(value: object) -> str:
    """A value as a message quotes it."""
    if value is None:
        return "nothing"
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')
    except (ValueError, RecursionError):  # of numbers with 5,000 digits, of very deep lists
        return "something too long to show"
    text = _printable(text.lower() if isinstance(value, bool) else text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _printable(text: str) -> str:
    """A text on one line, with whatever a terminal would not show, or would obey, written out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
