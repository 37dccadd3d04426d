"""Full lists as XML: `<list ...><ac val='303'><ph val='2000000'/>...</ac>...</list>`, streamed.

Belongs here: that one format. Does not: anything else. A document type declaration is refused, so
that neither entities nor external files are ever expanded.
"""

from collections.abc import Iterator
from xml.parsers import expat

import numpy as np

from etl_dagster.dnc.errors import DncFormatError
from etl_dagster.dnc.formats import BATCH, NAMED_MOST, Batch
from etl_dagster.dnc.sources import Member

_BLOCK = 256 * 1024


def read_xml(member: Member) -> Iterator[Batch]:
    """Read the numbers of an XML list.

    Raises:
        DncFormatError: not well-formed, a document type declaration, or no full list.
    """
    parser = expat.ParserCreate()
    reader = _Reader(member.name, parser)
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        while data := member.stream.read(_BLOCK):
            parser.Parse(data, False)  # noqa: FBT003 - expat's own signature
            if len(reader.numbers) >= BATCH:
                yield reader.take()
        parser.Parse(b"", True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise DncFormatError(f"{member.name} is not well-formed XML: {error}") from error
    yield reader.take()


class _Reader:
    """Gathers numbers as elements start."""

    def __init__(self, name: str, parser: expat.XMLParserType) -> None:
        self.numbers: list[int] = []
        self._name = name
        self._parser = parser
        self._area = 0
        self._malformed = 0
        self._named: list[int] = []

    def doctype(self, *_: object) -> None:
        raise DncFormatError(
            f"{self._name} has a document type declaration, which a list never has: not loaded"
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "ph":
            value = attributes.get("val", "")
            if self._area and len(value) == 7 and value.isascii() and value.isdigit():  # noqa: PLR2004
                self.numbers.append(self._area + int(value))
            else:
                self._bad()
        elif tag == "ac":
            value = attributes.get("val", "")
            good = len(value) == 3 and value.isascii() and value.isdigit() and value >= "200"  # noqa: PLR2004
            self._area = int(value) * 10_000_000 if good else 0
        elif tag == "list" and (kind := attributes.get("type", "full")).lower() != "full":
            raise DncFormatError(
                f"{self._name} calls itself a list of type {kind!r}, and only full ones are read"
                " as XML: of changes, download the text form"
            )

    def take(self) -> Batch:
        batch = Batch(
            np.array(self.numbers, dtype=np.int64),
            len(self.numbers) + self._malformed,
            self._malformed,
            self._named,
        )
        self.numbers, self._malformed, self._named = [], 0, []
        return batch

    def _bad(self) -> None:
        self._malformed += 1
        if len(self._named) < NAMED_MOST:
            self._named.append(self._parser.CurrentLineNumber)
