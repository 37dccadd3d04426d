"""What can go wrong with the Do-Not-Call store, as one small tree.

    DncError                    anything this package raises on purpose
    |-- DncMissingError         no store at that path, or what is there is not a file
    |-- DncForeignError         the file is something else: empty, not SQLite, another application's
    |-- DncSchemaError          a store of another schema version
    |-- DncCorruptError         a checksum, a canary or SQLite itself says the file is damaged
    |-- DncBusyError            another process held the write lock for too long
    |-- DncHistoryError         a moment or version that was never recorded or is past the retention
    |-- DncUsageError           the call makes no sense: unknown list, wrong kind, read-only store
    |-- DncFormatError          a list file that is not what it should be
    |-- DncNotClearError        phones that were to leave are not, or no longer surely, clear
    `-- DncRefusedError         a load that looks like a mistake; names the flags that let it pass

Belongs here: the types, and what no message may hold. Does not: wording, which stays where the
error is raised. No message ever holds a phone: a line is named by its file and number.
"""

import re
from collections.abc import Sequence
from typing import Final

PHONE: Final = re.compile(
    r"(?<![0-9])(?:\+?1[-. ]?)?\(?[2-9][0-9]{2}\)?[-. ]{0,2}[0-9]{3}[-. ]?[0-9]{4}(?![0-9])"
)
"""A phone within other text, as people write it."""


def printable(text: str) -> str:
    """Text of somebody else's for people to read: no control characters, no phone."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return PHONE.sub("*" * 10, shown)


class DncError(Exception):
    """Base of every error that the Do-Not-Call store raises on purpose.

    Names of files, archive members and columns are chosen by whoever sends them: `printable` says
    what becomes of these in the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class DncMissingError(DncError):
    """There is no store at the path given."""


class DncForeignError(DncError):
    """The file at the path given is not a Do-Not-Call store."""


class DncSchemaError(DncError):
    """The store was written by another version of the schema."""


class DncCorruptError(DncError):
    """The store is damaged: it must not be asked before it is restored or rebuilt."""


class DncBusyError(DncError):
    """Another process is writing to the store."""


class DncHistoryError(DncError):
    """The moment or version asked for is not in the store."""


class DncUsageError(DncError):
    """The call cannot be carried out as it stands."""


class DncFormatError(DncError):
    """A file is not in a format that the store reads."""


class DncNotClearError(DncError):
    """Phones were to be vouched for that are not, or no longer surely, clear."""


class DncRefusedError(DncError):
    """A load looks like a mistake; nothing was changed, but opt-outs that can be read are heard.

    Attributes:
        flags: what to pass in `allow` (or as `--allow-...`) to load it all the same.
    """

    def __init__(self, message: str, flags: Sequence[str]) -> None:
        super().__init__(message)
        self.flags = tuple(flags)
