"""The day's report: gathered from the warehouse, the Do-Not-Call store and Dagster's own record.

Belongs here: where its numbers are found. Does not: what the page says (`etl_dagster.report`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg

from etl_dagster.defs import catalog
from etl_dagster.defs.partitions import daily_partitions, partition_key
from etl_dagster.defs.resources import (
    DncStoreResource,
    PolicyResource,
    ReportsResource,
    WarehouseResource,
)
from etl_dagster.defs.step_events import Progress
from etl_dagster.dnc import DncError, DncStore
from etl_dagster.leads.chunks import Chunk
from etl_dagster.report.api import Calls, cost
from etl_dagster.report.changes import WEEK, rates
from etl_dagster.report.lists import ListInForce, lists_in_force
from etl_dagster.report.page import Report, render_report
from etl_dagster.settings import Settings
from etl_dagster.warehouse.day_ledger import read_day_ledger
from etl_dagster.warehouse.funnel import read_day
from etl_dagster.warehouse.retention import refuse_removed

PAGE: Final = 500
"""Materializations read at a time."""


def build_scrub_report(settings: Settings) -> dg.AssetsDefinition:
    """The asset `scrub_report`."""

    @dg.asset(
        partitions_def=daily_partitions(settings),
        deps=["callable_leads"],
        group_name="publish",
        kinds={"markdown"},
        owners=["team:data"],
        tags=catalog.tags("publish"),
        metadata=catalog.links("funnel", "count_phones", "count_answers", docs=["operations.md"]),
        code_version="2",
        description=(
            "A page a day: the funnel by campaign, as numbers and picture; why phones are unknown"
            " and what to do; the difference from a week before; the Do-Not-Call lists and the CCC"
            " API behind it. Counts only, nobody's data."
        ),
    )
    def scrub_report(  # noqa: PLR0913, PLR0917  one resource each
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        dnc_store: DncStoreResource,
        policy: PolicyResource,
        reports: ReportsResource,
        progress: dg.ResourceParam[Progress],
    ) -> dg.MaterializeResult:
        step = progress.logger(context)
        day = context.partition_time_window.start.date()
        keys = [partition_key(Chunk(day, number)) for number in range(settings.chunks)]
        moment = scrubbed_at(context.instance, keys) or datetime.now(UTC)
        with warehouse.for_step(context).session() as session:
            refuse_removed(session, [day])  # it would say that there never was a lead
            found = read_day(session, day)
            before = read_day(session, day - WEEK)
            ledger = read_day_ledger(session, day, scrubbed_at=moment)
        report = Report(
            day=found,
            before=before,
            ledger=ledger,
            scrubbed_at=moment,
            lists=_lists(dnc_store, policy, ledger.list_versions, moment),
            calls=Calls.of(asked(context.instance, keys)),
            price_per_1000=settings.ccc_price_per_1000,
            full_price_per_1000=settings.ccc_full_price_per_1000,
        )
        page = render_report(report)
        path = reports.write(f"scrub_report_{day}.md", page)
        step.progress(100, f"{day}: report written")
        costs = {
            "cost": cost(ledger.endpoints, settings.ccc_price_per_1000),
            "ccc_full_cost": cost(ledger.full, settings.ccc_full_price_per_1000),
        }
        return dg.MaterializeResult(
            metadata={
                "report": dg.MetadataValue.md(page),
                "path": dg.MetadataValue.path(path),
                **vars(found.total),
                **{name: round(value, 4) for name, value in rates(found.total).items()},
                "phones": ledger.phones,
                **{name: round(value, 4) for name, value in costs.items() if value is not None},
            }
        )

    return scrub_report


def asked(
    instance: dg.DagsterInstance, keys: Sequence[str]
) -> dict[tuple[str, str], Mapping[str, float]]:
    """What each run told of each of these partitions of `ccc_enriched`: its numbers.

    All runs, not only the newest: a run again asks only for what is missing, and what went wrong
    before it, and was paid for, would be forgotten.
    """
    found: dict[tuple[str, str], Mapping[str, float]] = {}
    for record in _materializations(instance, "ccc_enriched", keys):
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            numbers = {
                name: float(value.value)
                for name, value in event.metadata.items()
                if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
                and value.value is not None
            }
            # a run tells twice, and says the same: when the chunk lands, and at its end
            found.setdefault((record.run_id, event.partition), numbers)
    return found


def scrubbed_at(instance: dg.DagsterInstance, keys: Sequence[str]) -> datetime | None:
    """When the newest of these partitions of `dnc_filtered` was made; None if none is on record."""
    newest = next(_materializations(instance, "dnc_filtered", keys), None)
    return None if newest is None else datetime.fromtimestamp(newest.timestamp, tz=UTC)


def _materializations(
    instance: dg.DagsterInstance, asset: str, keys: Sequence[str]
) -> Iterator[dg.EventLogEntry]:
    """The materializations of these partitions, newest first."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=list(keys))
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(wanted, limit=PAGE, cursor=cursor)
        cursor, more = page.cursor, page.has_more
        for record in page.records:
            yield record.event_log_entry


def _lists(
    dnc_store: DncStoreResource,
    policy: PolicyResource,
    versions: Mapping[str, int],
    moment: datetime,
) -> list[ListInForce]:
    """The lists behind the day; without what the store would add where it cannot be opened."""
    with ExitStack() as stack:
        try:
            # as it is: a page about the past has no reason to renew sample lists
            store = stack.enter_context(
                DncStore.open(Path(dnc_store.path), max_age_days=policy.load().dnc_max_age_days)
            )
        except DncError:
            store = None
        return lists_in_force(versions, store, moment=moment)
