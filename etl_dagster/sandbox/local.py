"""The whole outside world of a local deployment, brought up on first use.

Belongs here: which stand-ins there are and how they get their sample. Does not: the stand-ins
themselves. Everything is idempotent and safe to call from many processes at once.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from etl_dagster.dnc import DncStore
from etl_dagster.dnc.records import INTERNAL
from etl_dagster.dnc.reports import SAMPLE_MARK
from etl_dagster.sandbox.ccc_start import SANDBOX_KEY, start_ccc
from etl_dagster.sandbox.snowflake import start_snowflake
from etl_dagster.warehouse.session import Warehouse

if TYPE_CHECKING:
    from etl_dagster.sandbox.lists import SampleList

SAMPLE_DAYS: Final = 7
"""Days up to yesterday that the sample has leads for."""
RENEW_LISTS_AFTER: Final = timedelta(days=7)
"""Sample lists are renewed like real ones, long before they are too old to clear a phone."""


@dataclass(frozen=True)
class CccSandbox:
    """Where the CCC sandbox listens, and the key that it accepts."""

    url: str
    key: str = field(repr=False)


class LocalWorld:
    """The stand-ins that live in one home folder."""

    def __init__(self, home: Path) -> None:
        """Know the folder; nothing is started yet."""
        self.home = home

    def snowflake_address(self) -> Mapping[str, Any]:
        """Connection arguments of the embedded Snowflake, started if it is not up."""
        server = start_snowflake(self.home)
        return {"host": server.host, "port": server.port, "protocol": "http"}

    def ccc(self, url: str = "") -> CccSandbox:
        """The CCC sandbox at `url`, or our own, started if it is not up."""
        return CccSandbox(url or start_ccc(self.home).url, SANDBOX_KEY)

    def load_sample(self, warehouse: Warehouse, *, today: date | None = None) -> None:
        """Load the sample leads of the last days that are not in the warehouse yet."""
        from etl_dagster.sandbox import data  # noqa: PLC0415  not before the first statement

        today = today or _today()
        wanted = [today - timedelta(days=back) for back in range(SAMPLE_DAYS, 0, -1)]
        with self._locked("sample"), warehouse.session() as session:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {data.SCHEMA}")
            # making a schema makes it the session's current one
            session.execute(f'USE SCHEMA "{warehouse.config.schema}"')
            days = f"{data.SCHEMA}.SAMPLE_DAYS"
            session.execute(f"CREATE TABLE IF NOT EXISTS {days} (day DATE)")
            present = {day for (day,) in session.rows(f"SELECT day FROM {days}")}  # noqa: S608  ours
            missing = [day for day in wanted if day not in present]
            for ddl in data.sample_tables().values() if missing else ():
                session.execute(ddl)
            for day in missing:
                with session.transaction():
                    session.load(f"{data.SCHEMA}.{data.PROPERTIES}", data.sample_properties(day))
                    session.load(f"{data.SCHEMA}.{data.CONTACTS}", data.sample_contacts(day))
                    session.execute(
                        f"INSERT INTO {days} VALUES (%(day)s)",  # noqa: S608  a name of ours
                        {"day": day},
                    )

    def deliver_lists(self, store: Path, inbox: Path, opt_outs: Path) -> None:
        """Put the sample Do-Not-Call lists into the inboxes if the store has no fresh ones.

        Args:
            store: the store's file.
            inbox: where list files arrive.
            opt_outs: where opt-out files arrive.
        """
        with self._locked("lists"):
            if self._fresh(store):
                return
            for sample in self._write_lists():
                folder = opt_outs if sample.kind == INTERNAL else inbox
                folder.mkdir(parents=True, exist_ok=True)
                name = f"{sample.name}@{sample.as_of}{SAMPLE_MARK}{sample.path.suffix}"
                # a list carries its date; one written this moment would pass for half copied
                os.utime(sample.path, times=(_start_of(sample.as_of).timestamp(),) * 2)
                shutil.move(sample.path, folder / name)

    def load_lists(self, store: Path) -> None:
        """Load the sample Do-Not-Call lists into the store if it has no fresh ones."""
        with self._locked("lists"):
            if self._fresh(store):
                return
            exists = store.exists()
            store.parent.mkdir(parents=True, exist_ok=True)
            with DncStore.open(store, read_only=False) if exists else DncStore.create(store) as to:
                for sample in self._write_lists():
                    _load(to, sample)

    def _write_lists(self) -> "list[SampleList]":
        from etl_dagster.sandbox.lists import write_dnc_lists  # noqa: PLC0415  once a week

        return write_dnc_lists(self.home / "sample", as_of=_today())

    def _fresh(self, store: Path) -> bool:
        """Whether the store needs nothing: its lists are fresh, or are not the sample's."""
        if not store.exists():
            return False
        with DncStore.open(store) as opened:
            lists = [found for found in opened.stats() if found.kind != INTERNAL]
        if any(found.version and SAMPLE_MARK not in found.source for found in lists):
            return True  # somebody's own lists are never touched
        return bool(lists) and all(
            found.as_of is not None and _today() - found.as_of.date() < RENEW_LISTS_AFTER
            for found in lists
        )

    def _locked(self, name: str) -> FileLock:
        folder = self.home / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")


def _today() -> date:
    return datetime.now(UTC).date()


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _load(store: DncStore, sample: "SampleList") -> None:
    if sample.kind == INTERNAL:
        store.opt_out_file(sample.path, source="sample")
        return
    store.add_list(
        sample.name,
        [sample.path],
        as_of=_start_of(sample.as_of),
        source=f"{sample.name}{SAMPLE_MARK}",
        covers=sample.covers,
    )
