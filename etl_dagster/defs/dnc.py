"""The Do-Not-Call lists as an asset: list files from the inbox folder into the store.

Belongs here: one materialization for what an inbox held. Does not: file names and formats, or the
store (`etl_dagster.dnc`), the company's own opt-outs (`opt_outs.py`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from etl_dagster.defs import catalog
from etl_dagster.defs.resources import DncStoreResource, WriterLocks
from etl_dagster.defs.step_events import Progress
from etl_dagster.dnc import (
    DncError,
    DncFormatError,
    DncRefusedError,
    DncStore,
    DncUsageError,
    ListStats,
    LoadResult,
    inbox,
)
from etl_dagster.dnc.inbox import InboxFile
from etl_dagster.progress import ProgressLogger

LISTS = dg.DynamicPartitionsDefinition(name="dnc_list")
INTERNAL = "internal"


@dg.asset(
    partitions_def=LISTS,
    deps=[catalog.LIST_FILES],
    group_name="dnc",
    kinds={"sqlite"},
    owners=["team:compliance"],
    tags=catalog.tags("dnc"),
    metadata=catalog.links(docs=["operations.md"]),
    code_version="1",
    description=(
        "The Do-Not-Call store: one SQLite file with every version of every list. A partition is"
        " a list; materializing it loads that list's files from the inbox, in the order of their"
        " dates. A file that cannot be used is set aside with the reason beside it, and the run"
        " fails."
    ),
)
def dnc_registry(
    context: dg.AssetExecutionContext,
    dnc_store: DncStoreResource,
    progress: dg.ResourceParam[Progress],
    locks: WriterLocks,
) -> dg.MaterializeResult:
    """Load the list's waiting files."""
    step = progress.logger(context)
    name = context.partition_key

    def load(store: DncStore, file: InboxFile) -> LoadResult:
        if file.changes:
            need_earlier(store, file)
            return store.apply_changes(file.list, [file.path], as_of=file.as_of)
        source = inbox.shown(file.path)
        return store.add_list(file.list, [file.path], as_of=file.as_of, source=source)

    with locks.hold("dnc inbox"), dnc_store.open_for_writing() as store:
        files = [file for file in inbox.pending(Path(dnc_store.inbox)) if file.list == name]
        load_files(step, [(file.path, partial(load, store, file)) for file in files])
        found = _stats_of(store, name)
    if found is None:
        raise dg.Failure(
            f"there is no list {name} in the store, and no file {name}@<date> in"
            f" {dnc_store.inbox} to load it from",
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata={"files": len(files), **list_metadata(found)})


def need_earlier(store: DncStore, file: InboxFile) -> None:
    """See that no change list is passed over: its numbers would stay as they were, unnoticed.

    Raises:
        DncError: one before this file was set aside.
    """
    stats = _stats_of(store, file.list)
    since = stats.newest_as_of if stats else None
    if missed := inbox.missed(file.path.parent, file, since=since):
        names = ", ".join(map(inbox.shown, missed))
        raise DncError(
            f"{names} before it could not be loaded: put it right and move it back, or load a full"
            f" list of a later day; if it is not needed, remove it from `{inbox.REJECTED}`"
        )


def _stats_of(store: DncStore, name: str) -> ListStats | None:
    return next((stats for stats in store.stats() if stats.list == name), None)


def list_metadata(stats: ListStats) -> dict[str, Any]:
    """A list's numbers, as the UI plots them over time."""
    now = datetime.now(UTC)
    return {
        **({"age_days": _days(now - stats.as_of)} if stats.as_of else {}),
        **({"fresh_days_left": _days(stats.fresh_until - now)} if stats.fresh_until else {}),
        "dagster/row_count": stats.numbers,
        "version": stats.version,
        "area_codes": stats.area_codes,
        "stale_area_codes": stats.stale_area_codes,
        "bytes": stats.bytes,
        "as_of": str(stats.as_of),
        "fresh_until": str(stats.fresh_until),
    }


def _days(span: timedelta) -> float:
    return round(span / timedelta(days=1), 2)


def load_files(
    step: ProgressLogger, loads: Sequence[tuple[Path, Callable[[], LoadResult]]]
) -> None:
    """Load file after file; the step fails if one is not loaded.

    What cannot be used is set aside. What could not be loaded for another reason, such as a full
    disk or a store that is being written to, stays where it is, to be tried again.
    """
    failed = []
    for number, (path, load) in enumerate(loads):
        try:
            read = inbox.stamp(path)
            load()
        except DncError as error:
            aside = isinstance(error, DncFormatError | DncRefusedError | DncUsageError)
            if aside:
                inbox.set_aside(path, error)
            became = "is in the inbox's folder `rejected`" if aside else "waits to be tried again"
            failed.append(f"{inbox.shown(path)} {became}: {error}")
            step.error(failed[-1])
        else:
            if inbox.stamp(path) == read:
                inbox.set_done(path, read)
            else:
                step.info(f"{inbox.shown(path)} was written to meanwhile: it is read again")
        step.progress(100 * (number + 1) / len(loads), inbox.shown(path))
    if failed:
        raise dg.Failure("not loaded: " + "; ".join(failed), allow_retries=False)
