"""The Do-Not-Call store: the one door to everything in this package.

Belongs here: opening and checking a store, look-ups, and handing writes to the module that does
them. Does not: parsing, refusals, layout, the rule of a verdict.
"""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import checks, legacy, loading, opt_outs, reports, requests, retention, schema
from etl_dagster.dnc.catalog import Catalog, ListInfo, create_catalog
from etl_dagster.dnc.errors import DncHistoryError, DncUsageError
from etl_dagster.dnc.lists import INTERNAL, ListSpec, add_internal
from etl_dagster.dnc.lookup import Lookup, Moment, look_up
from etl_dagster.dnc.moments import micros, parse_versions, utc_now
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.readers import Readers
from etl_dagster.dnc.segments import Segments
from etl_dagster.dnc.sources import Progress
from etl_dagster.dnc.writer import LoadResult
from etl_dagster.leads.verdicts import Verdict

PathLike = str | Path
Clock = Callable[[], datetime]


class DncStore:
    """Who may not be called, as of now or of any moment within the retention.

    Open it with `DncStore.open` (or `DncStore.create`), best as a context manager. Look-ups may be
    made from many threads and processes at once; each sees one version of every list. Writes go
    through one connection, one at a time; another process's write is waited for.
    """

    def __init__(
        self, path: Path, *, read_only: bool, max_age_days: int | None, clock: Clock
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._max_age_days = max_age_days
        self._clock = clock
        self._write_lock = threading.Lock()
        self._readers = Readers(path)

    @classmethod
    def open(
        cls,
        path: PathLike,
        read_only: bool = True,  # noqa: FBT001, FBT002 - callable either way
        *,
        max_age_days: int | None = None,
        clock: Clock = utc_now,
    ) -> Self:
        """Open a store and test it.

        Args:
            path: the file.
            read_only: False to load lists or record opt-outs.
            max_age_days: lists older than this are stale, even if their own limit is higher.
            clock: tells the time; must return an aware datetime.

        Raises:
            DncMissingError, DncForeignError, DncSchemaError: it is not a store to work with.
            DncCorruptError: the self-test failed.
        """
        place = Path(path)
        schema.check_file(place)
        if max_age_days is not None and max_age_days < 1:
            raise DncUsageError("max_age_days is at least 1")
        store = cls(place, read_only=read_only, max_age_days=max_age_days, clock=clock)
        try:
            if not read_only:
                with store._writer() as connection:
                    schema.migrate(connection)
            with store._readers.take() as (connection, catalog):
                schema.check_schema(connection, place)
                checks.self_test(catalog, Segments(connection), np.random.default_rng())
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def create(
        cls, path: PathLike, *, max_age_days: int | None = None, clock: Clock = utc_now
    ) -> Self:
        """Create a store with an empty internal list, and open it for writing.

        Until a national list is loaded it answers UNKNOWN for every phone.

        Raises:
            DncUsageError: there is a file at that path.
        """
        schema.create(Path(path), lambda connection: _fill(connection, micros(clock())))
        return cls.open(path, read_only=False, max_age_days=max_age_days, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the store cannot be asked afterwards."""
        self._readers.close()

    # Look-ups

    def lookup(
        self,
        phones: NDArray[np.int64],
        as_of: datetime | None = None,
        *,
        versions: str | Mapping[str, int] | None = None,
    ) -> Lookup:
        """Ask every list about many phones at once.

        Args:
            phones: int64, 10 digits each; any order, duplicates allowed. What is no phone is
                answered UNKNOWN with the reason `invalid`.
            as_of: answer as of this moment: lists by their date, opt-outs by when they were
                received, freshness as it was then. None: now.
            versions: use no version above these (`Lookup.list_versions`): with the moment of an
                earlier look-up as `as_of`, that look-up is repeated, whatever was loaded since.

        Raises:
            DncCorruptError: what the answer rests on is damaged.
            DncHistoryError: the moment or a version is not in the store any more, or never was.
        """
        numbers = np.asarray(phones)
        if numbers.ndim != 1 or (numbers.size and numbers.dtype != np.int64):
            raise DncUsageError("phones must be a one-dimensional int64 array")
        with self._readers.take() as (connection, catalog):
            return self._look_up(connection, catalog, numbers, as_of, versions)

    def check_phones_batch(self, phones: Iterable[str]) -> set[str]:
        """Return the phones that must not be called: LISTED or UNKNOWN, as they were given.

        A set cannot say UNKNOWN, and its callers dial what is not in it; so what is left out is
        exactly what is CLEAR. Ask `lookup` to tell the listed from the unknown.

        Args:
            phones: text, as people and exports write phones.
        """
        texts = list(phones)
        verdicts = self.lookup(read_phones(texts)).verdicts
        return {texts[index] for index in np.flatnonzero(verdicts != Verdict.CLEAR).tolist()}

    def explain(
        self,
        phone: int,
        as_of: datetime | None = None,
        *,
        versions: str | Mapping[str, int] | None = None,
    ) -> reports.Explanation:
        """Say why a phone is answered as it is: lists, versions, files, dates, requests.

        Args:
            phone: 10 digits.
            as_of: as in `lookup`.
            versions: as in `lookup`.
        """
        asked = np.array([phone], dtype=np.int64)
        with self._readers.take() as (connection, catalog):
            answer = self._look_up(connection, catalog, asked, as_of, versions)
            moment = None if as_of is None else micros(as_of)
            return reports.explain(
                connection,
                catalog,
                self._moments(connection, catalog, moment, versions),
                phone,
                answer,
                as_of=moment,
                max_age_days=self._max_age_days,
                verdict=Verdict(int(answer.verdicts[0])).name.lower(),
            )

    def stats(self) -> list[reports.ListStats]:
        """Describe every list: numbers, area codes, age, freshness left, size, versions."""
        with self._readers.take() as (_, catalog):
            return reports.stats(catalog, micros(self._clock()), self._max_age_days)

    def verify(self) -> checks.Verification:
        """Read and check everything that any look-up could rest on; minutes on a large store.

        Raises:
            DncCorruptError: anything at all does not match.
        """
        with self._readers.take() as (connection, _):
            return checks.verify(connection)

    def export(self, name: str, as_of: datetime | None = None) -> Iterator[NDArray[np.int64]]:
        """Yield a list's numbers, ascending, one int64 array an area code."""
        with self._readers.take() as (connection, catalog):
            info = catalog.get(name)
            moment = None if as_of is None else micros(as_of)
            yield from reports.export(
                connection, self._moments(connection, catalog, moment, None)[info.name], moment
            )

    # Writes

    def add_list(  # noqa: PLR0913 - each is a choice of the operator
        self,
        name: str,
        files: Sequence[PathLike],
        *,
        as_of: datetime,
        kind: str | None = None,
        covers: Collection[int] = (),
        column: str | None = None,
        max_age_days: int | None = None,
        source: str | None = None,
        states: str | None = None,
        required: bool | None = None,
        allow: Collection[str] = (),
        progress: Progress | None = None,
    ) -> LoadResult:
        """Load a full list: it replaces the area codes that it holds, as one new version.

        Args:
            name: the list; made if it is new.
            files: flat text, CSV with a header, XML, plain or zipped, together one load.
            as_of: the date of the list, from which its age counts.
            kind: see `ListSpec`, as `max_age_days`, `source`, `states` and `required`.
            covers: area codes that the files speak for even where they hold no number.
            column: of a CSV file, the column with the phones.
            allow: refusals to override: see `writer.ALLOWANCES`.
            progress: told bytes read, bytes in all, numbers read.

        Raises:
            DncRefusedError: it looks like a mistake; nothing was changed.
            DncFormatError: a file is not a list; nothing was changed.
        """
        spec = ListSpec(
            name=name,
            kind=kind,
            max_age_days=max_age_days,
            source=source,
            states=states,
            required=required,
        )
        with self._writer() as connection:
            return loading.add_list(
                connection,
                spec,
                [Path(file) for file in files],
                as_of=as_of,
                clock=self._clock,
                folder=self.path.parent,
                covers=covers,
                column=column,
                allow=allow,
                progress=progress,
            )

    def apply_changes(  # noqa: PLR0913 - each is a choice of the operator
        self,
        name: str,
        files: Sequence[PathLike],
        *,
        as_of: datetime | None = None,
        covers: Collection[int] = (),
        allow: Collection[str] = (),
        progress: Progress | None = None,
    ) -> LoadResult:
        """Apply change lists (`phone,timestamp,A|D`) in the order of their timestamps.

        The area codes that change, and those in `covers`, are then as of the change list's date.

        Args:
            name: the list.
            files: together one load.
            as_of: the date of the change list; None: its last timestamp.
            covers: area codes that the files speak for even where nothing changed.
            allow: refusals to override: see `writer.ALLOWANCES`.
            progress: told bytes read, bytes in all, changes read.

        Raises:
            DncRefusedError: it looks like a mistake; nothing was changed.
            DncFormatError: a file is not a change list; nothing was changed.
        """
        with self._writer() as connection:
            return loading.apply_changes(
                connection,
                name,
                [Path(file) for file in files],
                as_of=as_of,
                clock=self._clock,
                covers=covers,
                allow=allow,
                progress=progress,
            )

    def import_legacy(  # noqa: PLR0913 - each is a choice of the operator
        self,
        name: str,
        file: PathLike,
        *,
        as_of: datetime,
        kind: str | None = None,
        covers: Collection[int] = (),
        allow: Collection[str] = (),
        progress: Progress | None = None,
    ) -> LoadResult:
        """Import an SQLite table `dnc_list` as a full list; arguments as in `add_list`."""
        with self._writer() as connection:
            return legacy.import_legacy(
                connection,
                ListSpec(name=name, kind=kind),
                Path(file),
                as_of=as_of,
                clock=self._clock,
                folder=self.path.parent,
                covers=covers,
                allow=allow,
                progress=progress,
            )

    def opt_out(  # noqa: PLR0913 - the record that the law asks for
        self,
        phones: Iterable[str | int],
        *,
        received: datetime | None = None,
        source: str = "",
        by: str = "",
        note: str = "",
        name: str = INTERNAL,
    ) -> LoadResult:
        """Record requests to be left alone; they act on the next look-up.

        Args:
            phones: text or 10-digit numbers.
            received: when the request came in; None: now.
            source: by which way.
            by: who writes it down.
            note: anything else.
            name: the internal list.

        Raises:
            DncUsageError: one of them is not a phone, or none is given; nothing was recorded.
        """
        asked = opt_outs.ask(phones, received, source, by, note)
        with self._writer() as connection:
            return opt_outs.record(
                connection, name, asked, action=requests.OPT_OUT, clock=self._clock
            )

    def opt_out_file(  # noqa: PLR0913 - as above
        self,
        file: PathLike,
        *,
        column: str | None = None,
        received: datetime | None = None,
        source: str = "",
        by: str = "",
        note: str = "",
        name: str = INTERNAL,
        allow: Collection[str] = (),
    ) -> LoadResult:
        """Record the requests in a file: a phone a line, or CSV; the same file only once.

        CSV columns `received`, `source`, `by` and `note` win over the arguments.
        """
        read, asked = opt_outs.read_file(
            Path(file), column=column, received=received, source=source, by=by, note=note
        )
        with self._writer() as connection:
            return opt_outs.record(
                connection,
                name,
                asked,
                action=requests.OPT_OUT,
                clock=self._clock,
                read=read,
                allow=allow,
            )

    def remove_opt_out(
        self, phones: Iterable[str | int], *, reason: str, by: str, name: str = INTERNAL
    ) -> LoadResult:
        """Lift opt-outs; the requests stay on record beside the removal and its reason.

        Raises:
            DncUsageError: no reason, or a phone that is not on the list; nothing was removed.
        """
        if not reason.strip() or not by.strip():
            raise DncUsageError("the removal of an opt-out needs a reason and who decided it")
        asked = opt_outs.ask(phones, None, "", by, reason)
        with self._writer() as connection:
            return opt_outs.record(
                connection, name, asked, action=requests.REMOVAL, clock=self._clock
            )

    def compact(self, *, retention_days: int = retention.DAYS) -> retention.Compaction:
        """Drop states that no look-up within the retention needs, and give the space back.

        Args:
            retention_days: how far back look-ups stay possible; five years by default.
        """
        with self._writer() as connection:
            return retention.run(connection, self._clock(), retention_days)

    def _look_up(
        self,
        connection: sqlite3.Connection,
        catalog: Catalog,
        phones: NDArray[np.int64],
        as_of: datetime | None,
        versions: str | Mapping[str, int] | None,
    ) -> Lookup:
        moment = None if as_of is None else micros(as_of)
        return look_up(
            phones,
            lists=self._moments(connection, catalog, moment, versions),
            segments=Segments(connection),
            now=micros(self._clock()) if moment is None else moment,
            max_age_days=self._max_age_days,
        )

    def _moments(
        self,
        connection: sqlite3.Connection,
        catalog: Catalog,
        as_of: int | None,
        versions: str | Mapping[str, int] | None,
    ) -> dict[str, Moment]:
        """Work out every list as the look-up shall see it."""
        pinned = None if versions is None else parse_versions(versions)
        out = {}
        for name, info in catalog.lists.items():
            newest = None if pinned is None else pinned.pop(name, 0)
            if info.kind == "internal" and as_of is not None:
                number, state = catalog.state(info, None, newest)
                contains = partial(_in_rows, connection, catalog, info, number, as_of)
                out[name] = Moment(info, number, state, contains)
            else:
                out[name] = Moment(info, *catalog.state(info, as_of, newest))
        if pinned:
            raise DncHistoryError(f"no list named {', '.join(pinned)} in the store")
        return out

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for writing; one writer at a time in this process."""
        if self.read_only:
            raise DncUsageError(f"{self.path} was opened read-only: pass read_only=False")
        with self._write_lock, schema.translated(self.path):
            with closing(schema.connect(self.path, read_only=False)) as connection:
                yield connection


def _fill(connection: sqlite3.Connection, now: int) -> None:
    add_internal(create_catalog(connection), now)


def _in_rows(  # noqa: PLR0913 - bound beforehand
    connection: sqlite3.Connection,
    catalog: Catalog,
    info: ListInfo,
    version: int,
    as_of: int,
    phones: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Answer from the dated requests of an internal list."""
    if not version:
        return np.zeros(len(phones), dtype=np.bool_)
    expected = catalog.versions(info)[version - 1].requests
    rows = requests.of_list(connection, info.id, version, expected)
    return np.isin(phones, requests.in_force(rows, as_of))
