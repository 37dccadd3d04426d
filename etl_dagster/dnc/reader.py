"""Asking the store: the half of `DncStore` that never writes.

Belongs here: look-ups and reports, each inside one read transaction. Does not: loading (store.py),
the rule of a verdict (lookup.py).
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc import checks, explanation, header, repetition, replica, reports, schema
from etl_dagster.dnc.errors import DncUsageError
from etl_dagster.dnc.lookup import Lookup, Moment, look_up, missing
from etl_dagster.dnc.moments import micros, utc_now
from etl_dagster.dnc.phones_text import read_phones
from etl_dagster.dnc.readers import Readers
from etl_dagster.dnc.segments import Segments
from etl_dagster.dnc.snapshots import Contents
from etl_dagster.leads.verdicts import Verdict


class DncReader:
    """What can be asked of a store; see `DncStore`, which adds opening and writing."""

    def __init__(
        self,
        path: Path,
        *,
        max_age_days: int | None = None,
        must_have: Collection[str] = (),
        clock: Callable[[], datetime] = utc_now,
        snapshot_max_age: timedelta = replica.MAX_AGE,
    ) -> None:
        self.path = path
        with schema.translated(path):
            self.is_replica = header.is_replica(path)
        self._max_age_days = max_age_days
        self._must_have = frozenset(must_have)
        self._clock = clock
        self._snapshot_max_age = snapshot_max_age
        self._readers = Readers(path, replica=self.is_replica)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the store cannot be asked afterwards."""
        self._readers.close()

    def lookup(
        self,
        phones: NDArray[np.int64],
        as_of: datetime | None = None,
        *,
        versions: str | None = None,
        moment: datetime | None = None,
    ) -> Lookup:
        """Ask every list about many phones at once.

        Args:
            phones: int64, 10 digits each; any order, duplicates allowed. What is no phone is
                answered UNKNOWN with the reason `invalid`.
            as_of: answer as of this moment: lists by their date, opt-outs by when they were
                received, freshness as it was then. None: now.
            versions: use no version above these (`Lookup.list_versions`): with the moment of an
                earlier look-up as `as_of`, that look-up is repeated, whatever was loaded since.
            moment: judge freshness at this moment, which `repeat` is then given. None: `as_of`.

        Raises:
            DncCorruptError: what the answer rests on is damaged.
            DncHistoryError: the moment or a version is not in the store any more, or never was.
        """
        numbers = np.asarray(phones)
        if numbers.ndim != 1 or (numbers.size and numbers.dtype != np.int64):
            raise DncUsageError("phones must be a one-dimensional int64 array")
        with self._readers.take() as (connection, catalog):
            past = None if as_of is None else micros(as_of)
            lists = repetition.moments(connection, catalog, past, versions)
            judged = moment or as_of or self._clock()
            return self._look_up(connection, numbers, lists, judged, seal=catalog.seal)

    def repeat(
        self, phones: NDArray[np.int64], versions: str, moment: datetime
    ) -> tuple[Lookup, list[str]]:
        """Answer as a look-up did: with its lists, opt-outs and freshness, whatever came since.

        Args:
            phones: as in `lookup`.
            versions: what the look-up named (`Lookup.list_versions`).
            moment: when it was made.

        Returns:
            The answer; and versions that the store had at the moment, newer than those named.

        Raises:
            DncCorruptError: what the answer rests on is damaged.
            DncHistoryError: the store cannot tell: versions are gone, or not of that time.
        """
        then = micros(moment)
        with self._readers.take() as (connection, catalog):
            lists = repetition.moments_then(catalog, versions, then)
            answer = self._look_up(connection, phones, lists, moment)
            return answer, repetition.passed_over(catalog, versions, then)

    def refuse_lost(self, asked: Mapping[str, datetime]) -> None:
        """See that the store had what look-ups on record named, as `repetition.refuse_lost`."""
        with self._readers.take() as (_, catalog):
            repetition.refuse_lost(catalog, asked)

    def check_phones_batch(self, phones: Iterable[str]) -> set[str]:
        """Return the phones that must not be called: LISTED or UNKNOWN, as they were given.

        A set cannot say UNKNOWN, and its callers dial what is not in it; so what is left out is
        exactly what is CLEAR. Ask `lookup` to tell the listed from the unknown.

        Args:
            phones: text, as people and exports write phones.
        """
        texts = phones if isinstance(phones, list) else list(phones)
        verdicts = self.lookup(read_phones(texts)).verdicts
        return {texts[index] for index in np.flatnonzero(verdicts != Verdict.CLEAR).tolist()}

    def explain(
        self, phone: int, as_of: datetime | None = None, *, versions: str | None = None
    ) -> explanation.Explanation:
        """Say why a phone is answered as it is: lists, versions, files, dates, requests.

        Args:
            phone: 10 digits.
            as_of: as in `lookup`; with `versions` the moment of the look-up that named them.
            versions: what an earlier look-up named: its answer is explained, as `repeat` finds it.

        Raises:
            DncHistoryError: the store cannot tell: versions are gone, or not of that time.
        """
        asked = np.array([phone], dtype=np.int64)
        with self._readers.take() as (connection, catalog):
            past = None if as_of is None else micros(as_of)
            if versions is not None and past is not None:
                lists = repetition.moments_then(catalog, versions, past)
                past = None  # opt-outs are those of the versions, whenever they were received
            else:
                lists = repetition.moments(connection, catalog, past, versions)
            seal = catalog.seal if versions is None else None
            answer = self._look_up(connection, asked, lists, as_of or self._clock(), seal=seal)
            return explanation.explain(
                connection,
                catalog,
                lists,
                phone,
                answer,
                as_of=past,
                max_age_days=self._max_age_days,
                must_have=self._must_have,
            )

    def stats(
        self, moment: datetime | None = None, *, versions: str | None = None
    ) -> list[reports.ListStats]:
        """Describe every list: numbers, area codes, age, freshness left, size, versions.

        Args:
            moment: judge freshness at this moment. None: now.
            versions: describe no version above these (`Lookup.list_versions`); a list that is not
                named is described as before its first load.

        Raises:
            DncHistoryError: a version is not in the store any more, or never was.
        """
        with self._readers.take() as (connection, catalog):
            moments = repetition.moments(connection, catalog, None, versions)
            now = micros(moment or self._clock())
            return reports.stats(catalog, moments, now, self._max_age_days)

    def history(self, name: str) -> list[reports.VersionRecord]:
        """Tell every version of a list: what was loaded, when, from which files."""
        with self._readers.take() as (_, catalog):
            return reports.history(catalog, name)

    def missing(self) -> tuple[str, ...]:
        """Name the lists without which nobody is clear, and that are not there, or are empty."""
        with self._readers.take() as (connection, catalog):
            moments = repetition.moments(connection, catalog, None, None)
            return missing(moments, self._must_have)

    def evidence_until(self) -> datetime | None:
        """Until when a replica clears anybody; None where the store is no replica."""
        with self._readers.take() as (_, catalog):
            return self._until(catalog.seal) if self.is_replica else None

    def contents(self) -> Contents:
        """Tell which store it is, and how far it has come."""
        with self._readers.take() as (_, catalog):
            return Contents.of(catalog)

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
            catalog.get(name)
            moment = None if as_of is None else micros(as_of)
            moments = repetition.moments(connection, catalog, moment, None)
            if name in moments:
                yield from reports.export(connection, moments[name])

    def _look_up(
        self,
        connection: sqlite3.Connection,
        phones: NDArray[np.int64],
        lists: Mapping[str, Moment],
        now: datetime,
        *,
        seal: tuple[int, bytes] | None = None,
    ) -> Lookup:
        """Apply the rule; of a store with a seal, also what holds for replicas alone."""
        ours = seal if self.is_replica else None
        return look_up(
            phones,
            lists=lists,
            segments=Segments(connection),
            now=micros(now),
            max_age_days=self._max_age_days,
            must_have=self._must_have,
            snapshot_stale=ours is not None and now > self._until(ours),
            heard=None if ours is None else replica.heard(self.path),
        )

    def _until(self, seal: tuple[int, bytes]) -> datetime:
        return replica.evidence_until(
            self.path, seal, now=self._clock(), max_age=self._snapshot_max_age
        )
