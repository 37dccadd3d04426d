"""One write to the store: its transaction, its version, what it reports.

Belongs here: what every kind of load shares. Does not: what a load reads or refuses.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

import numpy as np

from etl_dagster.dnc import schema
from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.entries import Changed
from etl_dagster.dnc.errors import DncRefusedError, DncUsageError
from etl_dagster.dnc.moments import from_micros, micros
from etl_dagster.dnc.records import ENTRY, ListInfo, Version
from etl_dagster.dnc.segments import Segments
from etl_dagster.dnc.sources import SourceFile

ALLOWANCES: Final = {
    "fewer-areas": "though area codes are missing that came together with these before",
    "gap": "though changes before these seem to be missing",
    "malformed": "though lines of it cannot be read (of a list: more than 0.1%)",
    "older": "though it is older than what is in place",
    "same": "though the same input was loaded before",
    "shrink": "though the list loses more than 10% of its numbers",
    "uncovered": "though there is no full list of some of its area codes",
}
"""What a load may be told to let pass; each is a flag `--allow-...` of the command line."""
FUTURE_MOST: Final = 86_400_000_000
"""A list dated up to a day ahead is taken as dated now: time zones; beyond, it is a mistake."""


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Attributes:
        list: the list's name.
        version: its version now.
        changed: False where the same input had been loaded before, so that nothing was done.
        as_of: the date of what was loaded.
        lines: lines or rows read.
        malformed: how many of them were left out.
        numbers: numbers on the list now.
        added: numbers that came.
        removed: numbers that went.
        area_codes: how many the list covers now.
        bytes: by how much the numbers in the store grew.
        seconds: how long it took.
    """

    list: str
    version: int
    changed: bool
    as_of: datetime
    lines: int
    malformed: int
    numbers: int
    added: int
    removed: int
    area_codes: int
    bytes: int
    seconds: float


@dataclass
class Read:
    """What was read from the input of a load, apart from the numbers.

    Attributes:
        files: the files, as recorded.
        inputs: their digest.
        lines: lines or rows, blank ones left out.
        malformed: how many were not understood.
        named: where the first of those are, as `file:line`.
        started: when reading began, on the performance counter.
    """

    files: Sequence[SourceFile] = ()
    inputs: bytes = b""
    lines: int = 0
    malformed: int = 0
    named: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    @property
    def names(self) -> str:
        """The files, for a message."""
        return ", ".join(file.name for file in self.files)


class Write:
    """A write under way, inside its transaction.

    Attributes:
        now: when it is recorded, microseconds.
    """

    def __init__(self, connection: sqlite3.Connection, now: int, allow: Collection[str]) -> None:
        unknown = sorted(set(allow) - set(ALLOWANCES))
        if unknown:
            raise DncUsageError(
                f"unknown allowance {', '.join(unknown)}: expected {', '.join(ALLOWANCES)}"
            )
        self.connection = connection
        self.catalog = Catalog(connection)
        self.segments = Segments(connection)
        self.now = now
        self.allow = frozenset(allow)
        self._overridden: list[str] = []
        self._bytes = self._allocated()

    def dated(self, as_of: datetime) -> int:
        """Check a list's date against the clock; it never makes a list fresher than today."""
        moment = micros(as_of)
        if moment > self.now + FUTURE_MOST:
            raise DncUsageError(
                f"as of {as_of:%Y-%m-%d %H:%M} lies in the future: correct the date of the list"
            )
        return min(moment, self.now)

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Refuse, with every problem at once, unless each is allowed.

        Args:
            problems: by the allowance that lets it pass, what is wrong with counts; empty: nothing.
        """
        found = {flag: text for flag, text in problems.items() if text}
        refused = {flag: text for flag, text in found.items() if flag not in self.allow}
        if refused:
            raise DncRefusedError(
                "refused, nothing was changed: "
                + "; ".join(
                    f"{text} (--allow-{flag} to load it all the same)"
                    for flag, text in refused.items()
                ),
                [*refused],
            )
        self._overridden += found

    def known(self, name: str, read: Read, as_of: int | None = None) -> LoadResult | None:
        """Recognise input that was loaded into a list before, unless it is to be loaded again.

        If it is not dated (`as_of`) before what took its place, it is refused: only who loads it
        can tell a list that has gone back from an old file.
        """
        info = self.catalog.lists.get(name)
        if info is None or not read.inputs:
            return None
        for version in reversed(self.catalog.versions(info)):
            if version.inputs == read.inputs:
                if as_of is not None:
                    self.refuse({"same": self._replaced(info, version, as_of)})
                if "same" in self.allow:
                    return None
                return self.result(info, version, read, changed=False)
        return None

    def _replaced(self, info: ListInfo, version: Version, as_of: int) -> str:
        """Tell what took the place of a version; not changes since, if it has its old date."""
        areas = self.catalog.manifest(version)["area"]
        for later in self.catalog.versions(info)[version.number :]:
            if later.as_of > as_of or (as_of == version.as_of and later.kind != "full"):
                continue
            there = self.catalog.manifest(later)["area"]
            # what was compacted no longer tells all area codes that it had
            if version.number < info.floor or np.isin(there, areas).any():
                return (
                    f"the input is that of version {version.number} of list {info.name}, and"
                    f" version {later.number} came since: has the list gone back to it?"
                )
        return ""

    def commit_version(  # noqa: PLR0913 - the columns of a version
        self, info: ListInfo, kind: str, as_of: int, read: Read, changes: Sequence[Changed],
        *, requests: int = 0,
    ) -> LoadResult:  # fmt: skip
        """Put a new version of a list in place."""
        entries = np.array([change.entry for change in changes], dtype=ENTRY)
        head = info.head.copy()
        head[entries["area"]] = entries
        previous = self.catalog.versions(info)
        version = Version(
            list=info.id,
            number=info.version + 1,
            kind=kind,
            as_of=as_of,
            recorded_at=self.now,
            files=json.dumps([asdict(file) for file in read.files]),
            inputs=read.inputs,
            lines=read.lines,
            malformed=read.malformed,
            added=sum(change.added for change in changes),
            removed=sum(change.removed for change in changes),
            numbers=int(head["count"].sum(dtype=np.int64)),
            requests=(previous[-1].requests if previous else 0) + requests,
            bytes=max(self._allocated() - self._bytes, 0),
            allowed=",".join(sorted(set(self._overridden))),
            manifest_digest=b"",
        )
        return self.result(
            self.catalog.add_version(info, version, entries), version, read, changed=True
        )

    def result(self, info: ListInfo, version: Version, read: Read, *, changed: bool) -> LoadResult:
        """Report a version that this write made or found."""
        return LoadResult(
            list=info.name,
            version=version.number,
            changed=changed,
            as_of=from_micros(version.as_of),
            lines=version.lines,
            malformed=version.malformed,
            numbers=int(info.head["count"].sum(dtype=np.int64)),
            added=version.added if changed else 0,
            removed=version.removed if changed else 0,
            area_codes=int(np.count_nonzero(info.head["tip"])),
            bytes=version.bytes if changed else 0,
            seconds=time.perf_counter() - read.started,
        )

    def _allocated(self) -> int:
        free = schema.pragma(self.connection, "freelist_count")
        return schema.size(self.connection) - free * schema.pragma(self.connection, "page_size")


@contextmanager
def write(
    connection: sqlite3.Connection, clock: Callable[[], datetime], allow: Collection[str] = ()
) -> Iterator[Write]:
    """Run one write as one transaction; readers see all of it or nothing."""
    with schema.writing(connection):
        yield Write(connection, micros(clock()), allow)
    # Committed. Moving the log into the file is housekeeping: where it fails (a full disk), readers
    # see the new version all the same and the next writer moves it.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
