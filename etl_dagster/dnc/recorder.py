"""Recording in the store: its connection for writing, and opt-outs.

Belongs here: what `DncStore` writes without reading list files. Does not: rows and bitmaps of a
request (opt_outs.py), loading lists (store.py).
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import opt_out_rows, opt_outs, replica, requests, schema
from etl_dagster.dnc.errors import DncRefusedError, DncUsageError, printable
from etl_dagster.dnc.reader import DncReader
from etl_dagster.dnc.records import INTERNAL, RESTORED
from etl_dagster.dnc.requests import OPT_OUT, REMOVAL, Request
from etl_dagster.dnc.sources import SourceFile
from etl_dagster.dnc.writer import LoadResult, Read, write


class Limits(TypedDict, total=False):
    """How look-ups judge: what `DncStore.open` says of each."""

    max_age_days: int | None
    must_have: Collection[str]
    clock: Callable[[], datetime]
    snapshot_max_age: timedelta


class DncRecorder(DncReader):
    """What can be recorded; see `DncStore`, which adds opening and loading."""

    def __init__(self, path: Path, *, read_only: bool, **limits: Unpack[Limits]) -> None:
        super().__init__(path, **limits)
        self.read_only = read_only
        self._write_lock = threading.Lock()

    def requests(self, name: str = INTERNAL) -> Iterator[Request]:
        """Yield all requests of an internal list in the order written; none if there is no list.

        Raises:
            DncCorruptError: one is damaged, or their number is not the expected one.
        """
        with self._readers.take() as (connection, catalog):
            info = catalog.lists.get(name)
            if info is not None:
                yield from requests.of_list(connection, catalog, info, info.version)

    def opt_out(
        self,
        phones: Iterable[str | int],
        *,
        name: str = INTERNAL,
        **record: Unpack[opt_outs.Record],
    ) -> LoadResult:
        """Record requests to be left alone; they act on the next look-up.

        Args:
            phones: text or 10-digit numbers.
            name: the internal list.
            record: received (when the request came in; now if left out), source (by which way),
                by (who writes it down), note.

        Raises:
            DncUsageError: one of them is not a phone, or none is given; nothing was recorded.
        """
        return self._record(name, opt_outs.ask(phones, record))

    def opt_out_file(
        self,
        file: str | Path,
        *,
        column: str | None = None,
        name: str = INTERNAL,
        allow: Collection[str] = (),
        **record: Unpack[opt_outs.Record],
    ) -> LoadResult:
        """Record the requests in a file: a phone a line, or CSV.

        The same file again is news for who is not on the list any more (docs/opt_outs.md).

        CSV columns `received`, `source`, `by` and `note` win over what `record` says.

        Raises:
            DncRefusedError: a line cannot be read; those that can are on record.
        """
        read, asked = opt_outs.read_file(Path(file), column, record)
        if asked:
            result = self._record(name, asked, read=read, allow=allow)
        if not asked or (read.malformed and "malformed" not in allow):
            raise DncRefusedError(
                f"{read.malformed:,} of {read.lines:,} lines cannot be read; the first:"
                f" {', '.join(read.named)}. What can be read is on record: put these right and give"
                " the file again (--allow-malformed to leave them out)",
                ["malformed"],
            )
        return result

    def opt_out_rows(
        self,
        phones: NDArray[np.int64],
        moments: NDArray[np.datetime64],
        *,
        table: str,
    ) -> int:
        """Record the requests of a table that are not on record; return how many there were.

        A replica keeps them beside its lists, in place of those kept before: their phones are
        UNKNOWN on this host until the lists that it fetches have them.

        Args:
            phones: ten digits each, shape (n,).
            moments: when each asked, datetime64[us] in UTC, NaT where that is not known.
            table: where they come from: the requests' source.
        """
        known = opt_out_rows.OnRecord.of(self.requests(), table=table)
        asked = opt_out_rows.new_requests(known, phones, moments, table=table, now=self._clock())
        if self.is_replica:
            replica.hear(self.path, np.array([one.phone for one in asked], np.int64))
        elif asked:
            self._record(INTERNAL, asked)
        return len(asked)

    def remove_opt_out(
        self, phones: Iterable[str | int], *, reason: str, by: str, name: str = INTERNAL
    ) -> LoadResult:
        """Lift opt-outs; the requests stay on record beside the removal and its reason.

        Raises:
            DncUsageError: no reason, or a phone that is not on the list; nothing was removed.
        """
        if not reason.strip() or not by.strip():
            raise DncUsageError("the removal of an opt-out needs a reason and who decided it")
        asked = opt_outs.ask(phones, {"by": by, "note": reason})
        return self._record(name, asked, action=REMOVAL)

    def restored(self, *, reason: str, by: str) -> LoadResult:
        """Put on record that all that a restored store had lost is back, and who says so.

        Raises:
            DncUsageError: no reason, or nobody who says so.
        """
        if not reason.strip() or not by.strip():
            raise DncUsageError("that all is loaded again needs a reason and who says so")
        said = Read([SourceFile(printable(f"{by}: {reason}"), "", 0)])
        with self._writer() as connection, write(connection, self._clock) as work:
            internal = work.catalog.get(INTERNAL)
            return work.commit_version(internal, RESTORED, work.now, said, [])

    def _record(
        self,
        name: str,
        asked: Sequence[opt_outs.Asked],
        *,
        action: str = OPT_OUT,
        read: Read | None = None,
        allow: Collection[str] = (),
    ) -> LoadResult:
        with self._writer() as connection:
            return opt_outs.record(
                connection, name, asked, action=action, clock=self._clock, read=read, allow=allow
            )

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for writing; one writer at a time in this process."""
        if self.read_only:
            raise DncUsageError(f"{self.path} was opened read-only: pass read_only=False")
        with (
            self._write_lock,
            schema.translated(self.path),
            closing(schema.connect(self.path, read_only=False)) as connection,
        ):
            yield connection
