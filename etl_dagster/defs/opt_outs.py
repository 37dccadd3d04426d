"""The company's own opt-outs as an asset: files from the inbox and rows of a table.

Belongs here: taking them onto the internal list, before anything is scrubbed too. Does not: lists
(`dnc.py`), what is taken back because of them (`retract.py`), how long they take
(`freshness.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import dagster as dg

from etl_dagster.defs import catalog
from etl_dagster.defs.checks import Check, check_result
from etl_dagster.defs.dnc import INTERNAL, list_metadata, load_files
from etl_dagster.defs.resources import DncStoreResource, WarehouseResource, WriterLocks
from etl_dagster.defs.step_events import Progress
from etl_dagster.dnc import DncError, inbox
from etl_dagster.identity.own_key import own_key
from etl_dagster.oversight.findings import Finding, Level, judge_readable
from etl_dagster.progress import ProgressLogger
from etl_dagster.settings import Settings
from etl_dagster.warehouse.errors import WarehouseError
from etl_dagster.warehouse.opt_outs import OptOuts, read_opt_outs
from etl_dagster.warehouse.session import Warehouse

NAME: Final = "internal_opt_outs"
FINGERPRINT: Final = "table_fingerprint"
"""Metadata: what the table was when it was last taken."""
INBOX_LOCK: Final = "opt-out inbox"
READABLE: Final = Check(
    name="every_opt_out_is_readable",
    blocks=True,
    says=(
        "Every row of ETL_OPT_OUTS_TABLE has a phone that can be read: up to one in a thousand that"
        " has not warns, more than that stops every scrub."
    ),
    advice=(
        "somebody asked to be left alone, and nobody knows who. The other rows are on the list;"
        " correct these in the table, or name a view that leaves out what is no request."
    ),
)


def build_internal_opt_outs(settings: Settings) -> dg.AssetsDefinition:
    """The asset `internal_opt_outs`."""
    table = settings.opt_outs_table

    @dg.asset(
        name=NAME,
        deps=[catalog.OPT_OUT_FILES, *([catalog.table_key(table)] if table else [])],
        check_specs=[READABLE.spec(NAME)],
        group_name="dnc",
        kinds={"sqlite"},
        owners=["team:compliance"],
        tags=catalog.tags("dnc"),
        metadata=catalog.links("select_opt_outs", docs=["operations.md", "opt_outs.md"]),
        code_version="2",
        description=(
            "The company's own opt-outs: files from the opt-out inbox, and the rows of"
            " ETL_OPT_OUTS_TABLE where it names a table, are recorded on the internal list with"
            " their dates. They survive every refresh of the other lists and act on the next"
            " look-up."
        ),
    )
    def internal_opt_outs(
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        progress: dg.ResourceParam[Progress],
        locks: WriterLocks,
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        taken = _take(
            step, dnc_store, locks, warehouse=lambda: warehouse.for_step(context), table=table
        )
        if taken.faults and taken.rows is None:
            raise _failure(taken.faults)
        with dnc_store.open_for_opt_outs() as store:
            stats = next(one for one in store.stats() if one.kind == INTERNAL)
        metadata = {"files": taken.files, **taken.numbers, **list_metadata(stats)}
        # what a replica keeps for itself, the host that keeps the lists has yet to record
        if taken.rows is not None and not dnc_store.snapshot_url:
            metadata[FINGERPRINT] = taken.rows.fingerprint(own_key(settings.home))
        if taken.faults:
            # what can be read is on the list: so it is known, and not told again at every tick
            context.log_event(dg.AssetMaterialization(NAME, metadata=metadata))
            if taken.finding.level is Level.WRONG:
                READABLE.stop(context, taken.finding)
            raise _failure(taken.faults)
        return dg.MaterializeResult(
            metadata=metadata, check_results=[check_result(READABLE.name, [(taken.finding, None)])]
        )

    return internal_opt_outs


def take_opt_outs(
    step: ProgressLogger,
    dnc_store: DncStoreResource,
    locks: WriterLocks,
    *,
    warehouse: Warehouse,
    table: str | None,
) -> None:
    """Record every opt-out that waits, in a file or in the table, before a scrub.

    Raises:
        dagster.Failure: who asked to be left alone is not known, so nothing may be scrubbed; what
            can be heard is on the list nevertheless.
        WarehouseError: the table cannot be read: the same.
        DncError: the store cannot be written: the same.
    """
    taken = _take(step, dnc_store, locks, warehouse=lambda: warehouse, table=table)
    if taken.faults:
        raise _failure(taken.faults)


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """What became of all that waited.

    Attributes:
        files: files that were recorded.
        rows: the table's; None if there is no table or it was not heard.
        numbers: of those rows, for the asset.
        finding: whether its rows can be read.
        faults: why somebody may not be known who asked to be left alone; empty if all are.
    """

    files: int
    rows: OptOuts | None
    numbers: Mapping[str, Any]
    finding: Finding
    faults: Sequence[Exception]


def _take(
    step: ProgressLogger,
    dnc_store: DncStoreResource,
    locks: WriterLocks,
    *,
    warehouse: Callable[[], Warehouse],
    table: str | None,
) -> _Taken:
    """Record what waits in the table and in files; neither waits for the other to be mended."""
    files, rows, numbers, faults = 0, None, dict[str, Any](), list[Exception]()
    finding = Finding(level=Level.RIGHT, says="there is no table of opt-outs")
    if table:
        try:
            rows, numbers = take_table(warehouse(), table, dnc_store, locks)
        except (WarehouseError, DncError) as error:
            faults.append(error)
        else:
            finding = judge_readable(rows.unreadable, rows.rows, table=table)
            if finding.level is Level.WRONG:
                faults.append(READABLE.failure(finding))
    try:
        files = take_files(step, dnc_store, locks)
    except (dg.Failure, DncError) as error:
        faults.append(error)
    return _Taken(files=files, rows=rows, numbers=numbers, finding=finding, faults=faults)


def _failure(faults: Sequence[Exception]) -> Exception:
    """The only fault there is, or one that says what all of them do."""
    says = list(dict.fromkeys(map(str, faults)))
    return faults[0] if len(says) == 1 else dg.Failure(". ".join(says), allow_retries=False)


def take_table(
    warehouse: Warehouse, table: str, dnc_store: DncStoreResource, locks: WriterLocks
) -> tuple[OptOuts, dict[str, Any]]:
    """Record the requests of the table that are not on record; return its rows and their numbers.

    Those that can be read are recorded, whatever becomes of the others.
    """
    with locks.hold(INBOX_LOCK):
        with warehouse.session() as session:
            found = read_opt_outs(session, table)
        with dnc_store.open_for_opt_outs() as store:
            new = store.opt_out_rows(found.phones, found.moments, table=table)
    return found, {
        "table_rows": found.rows,
        "table_rows_new": new,
        "table_rows_unreadable": found.unreadable,
    }


def take_files(step: ProgressLogger, dnc_store: DncStoreResource, locks: WriterLocks) -> int:
    """Record the opt-outs of the waiting files; return how many files there were.

    Raises:
        dagster.Failure: a file could not be read, now or before, and nobody has dealt with it: who
            asked in it to be left alone is not known, so nothing may be scrubbed without it.
    """
    folder = Path(dnc_store.opt_out_inbox)
    files = []
    with locks.hold(INBOX_LOCK):
        if inbox.waiting(folder):
            with dnc_store.open_for_writing() as store:
                files = inbox.waiting(folder)
                loads = [
                    (path, partial(store.opt_out_file, path, source=inbox.shown(path)))
                    for path in files
                ]
                load_files(step, loads)
        if rejected := inbox.rejected(folder):
            raise dg.Failure(
                f"opt-out files that could not be read are in {rejected[0].parent}:"
                f" {', '.join(map(inbox.shown, rejected))}. The reason stands beside each:"
                " put it right and move it back into the inbox, or remove it",
                allow_retries=False,
            )
    return len(files)
