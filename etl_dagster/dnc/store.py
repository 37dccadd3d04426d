"""The Do-Not-Call store: the one door to everything in this package.

Belongs here: opening a store, and handing writes to the module that does them. Does not: look-ups
(reader.py), parsing, refusals, layout.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self, Unpack

import numpy as np

from etl_dagster.dnc import checks, header, legacy, loading, retention, schema
from etl_dagster.dnc.catalog import create_catalog
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.lists import add
from etl_dagster.dnc.moments import micros, utc_now
from etl_dagster.dnc.recorder import DncRecorder, Limits
from etl_dagster.dnc.records import INTERNAL
from etl_dagster.dnc.segments import Segments
from etl_dagster.dnc.writer import LoadResult
from etl_dagster.leads.policy import Policy

PathLike = str | Path
Clock = Callable[[], datetime]


class DncStore(DncRecorder):
    """Who may not be called, as of now or of any moment within the retention.

    Open it with `DncStore.open` (or `DncStore.create`), best as a context manager. Look-ups may be
    made from many threads and processes at once; each sees one version of every list. Writes go
    through one connection, one at a time; another process's write is waited for.
    """

    @classmethod
    def open(
        cls,
        path: PathLike,
        read_only: bool = True,  # noqa: FBT001, FBT002 - callable either way
        **limits: Unpack[Limits],
    ) -> Self:
        """Open a store and test it.

        Args:
            path: the file.
            read_only: False to load lists or record opt-outs.
            limits: max_age_days (lists older than this are stale, even if their own limit is
                higher), must_have (names of lists without which look-ups clear nobody), clock
                (tells the time; must return an aware datetime), snapshot_max_age (of a replica:
                how old its snapshot may be and still clear phones).

        Raises:
            DncMissingError, DncForeignError, DncSchemaError: it is not a store to work with.
            DncUsageError: a replica was to be opened for writing.
            DncCorruptError: the self-test failed.
        """
        place = Path(path)
        header.check_file(place)
        if (most := limits.get("max_age_days")) is not None and most < 1:
            raise DncUsageError("max_age_days is at least 1")
        store = cls(place, read_only=read_only, **limits)
        try:
            if not read_only:
                with store._writer():
                    pass  # brings an older store forward
            with store._readers.take() as (connection, catalog):
                checks.self_test(catalog, Segments(connection), np.random.default_rng())
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open_under(cls, path: PathLike, policy: Policy, *, clock: Clock = utc_now) -> Self:
        """Open a store for look-ups as a scrub policy wants them; as `open`.

        Whoever asks so gets the verdicts of the pipeline, which asks so, too.
        """
        return cls.open(
            path,
            max_age_days=policy.dnc_max_age_days,
            must_have=policy.dnc_lists,
            clock=clock,
            snapshot_max_age=policy.dnc_snapshot_max_age,
        )

    @classmethod
    def create(
        cls, path: PathLike, *, max_age_days: int | None = None, clock: Clock = utc_now
    ) -> Self:
        """Create a store with an empty internal list, and open it for writing.

        Until a national list is loaded it answers UNKNOWN for every phone.

        Raises:
            DncUsageError: there is a file at that path.
        """
        now = micros(clock())
        schema.create(
            Path(path), lambda connection: add(create_catalog(connection), INTERNAL, {}, now)
        )
        return cls.open(path, read_only=False, max_age_days=max_age_days, clock=clock)

    def add_list(
        self,
        name: str,
        files: Sequence[PathLike],
        *,
        as_of: datetime,
        column: str | None = None,
        **options: Unpack[loading.ListOptions],
    ) -> LoadResult:
        """Load a full list: it replaces the area codes that it holds, as one new version.

        Args:
            name: the list; made if it is new.
            files: flat text, CSV with a header, XML, plain or zipped, together one load.
            as_of: the date of the list, from which its age counts.
            column: of a CSV file, the column with the phones.
            options: covers (area codes that the files speak for even where they hold no number),
                allow (refusals to override: see `writer.ALLOWANCES`), progress (told bytes read,
                bytes in all, numbers read); kind, max_age_days, source, states, required: see
                `lists.About`.

        Raises:
            DncRefusedError: it looks like a mistake; nothing was changed.
            DncFormatError: a file is not a list; nothing was changed.
        """
        return self._load(
            name, files, loading.text_numbers(column), reading=column, as_of=as_of, **options
        )

    def import_legacy(
        self, name: str, file: PathLike, *, as_of: datetime, **options: Unpack[loading.ListOptions]
    ) -> LoadResult:
        """Import an SQLite table `dnc_list` as a full list; arguments as in `add_list`."""
        return self._load(name, [file], legacy.numbers, reading="legacy", as_of=as_of, **options)

    def apply_changes(
        self,
        name: str,
        files: Sequence[PathLike],
        *,
        as_of: datetime | None = None,
        **options: Unpack[loading.ChangesOptions],
    ) -> LoadResult:
        """Apply change lists (`phone,timestamp,A|D`) in the order of their timestamps.

        The area codes that change, and those in `covers`, are then as of the change list's date,
        which is its last timestamp unless `as_of` says otherwise. Arguments as in `add_list`.
        """
        paths = [Path(file) for file in files]
        with self._writer() as connection:
            return loading.apply_changes(
                connection, name, paths, as_of=as_of, clock=self._clock, **options
            )

    def _load(
        self,
        name: str,
        files: Sequence[PathLike],
        numbers: loading.Numbers,
        *,
        reading: str | None,
        as_of: datetime,
        **options: Unpack[loading.ListOptions],
    ) -> LoadResult:
        with self._writer() as connection:
            return loading.add_list(
                connection,
                name,
                [Path(file) for file in files],
                numbers=numbers,
                reading=reading,
                as_of=as_of,
                clock=self._clock,
                folder=self.path.parent,
                **options,
            )

    def refuse_sample(self) -> None:
        """See that this is no sample's store, which clears nobody in production.

        Raises:
            DncUsageError: it holds sample lists; it is closed.
        """
        if any(found.is_sample for found in self.stats()):
            self.close()
            raise DncUsageError(f"{self.path} holds sample lists, which clear nobody in production")

    def compact(self, *, retention_days: int = retention.DAYS) -> retention.Compaction:
        """Drop states that no look-up within the retention needs, and give the space back.

        Args:
            retention_days: how far back look-ups stay possible; five years by default.
        """
        with self._writer() as connection:
            return retention.run(connection, self._clock(), retention_days)
