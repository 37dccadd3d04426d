"""What a step tells Dagster and the ledger of itself while it runs and when it is done.

Belongs here: progress events, one materialization a chunk, how numbers are shown. Does not: the
numbers, which the domain returns, or checks (`checks.py`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from etl_dagster.defs.partitions import partition_key
from etl_dagster.leads.chunks import Chunk
from etl_dagster.leads.policy import Policy
from etl_dagster.progress import ProgressEvent, ProgressLogger, Sink
from etl_dagster.report.markdown import table
from etl_dagster.settings import Settings
from etl_dagster.warehouse.ledger import Provenance
from etl_dagster.warehouse.session import Column


class Progress:
    """Makes the progress of a step visible: in the run's log, and to whoever listens.

    Not a configurable resource: it holds listeners, such as the command line's display.
    """

    def __init__(self, *listeners: Sink) -> None:
        """Tell these too."""
        self._listeners = listeners

    def logger(self, context: dg.AssetExecutionContext) -> ProgressLogger:
        """A logger for the step that runs in `context`."""
        return ProgressLogger(
            context.asset_key.to_user_string(), _dagster_sink(context), *self._listeners
        )


def _dagster_sink(context: dg.AssetExecutionContext) -> Sink:
    """A sink that writes progress into the run's event log."""

    def tell(event: ProgressEvent) -> None:
        parts = [event.message, *(f"{name}={value}" for name, value in event.fields.items())]
        if event.percent is not None:
            parts.insert(0, f"{event.percent:.0f}%")
        text = " | ".join(parts)
        if event.kind == "error":
            context.log.error(text)
        else:
            context.log.info(text)

    return tell


def landed(context: dg.AssetExecutionContext, chunk: Chunk, metadata: Mapping[str, Any]) -> None:
    """Tell that a chunk is committed: one materialization now, confirmed when the step ends.

    A run covers many partitions; without the first, a run that fails half way would show none of
    the chunks it committed, and without the second, all chunks would show the same numbers.
    """
    key, told = partition_key(chunk), dict(metadata)
    context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=told))
    context.add_asset_metadata(told, partition_key=key)


def provenance(
    context: dg.AssetExecutionContext,
    settings: Settings,
    policy: Policy,
    chunk: Chunk,
    *,
    source: str,
) -> Provenance:
    """What a step tells the ledger of itself."""
    return Provenance(
        chunk=chunk,
        source=source,
        policy_hash=policy.hash,
        run_id=context.run.run_id,
        deployment=settings.deployment.value,
    )


def column_schema(columns: list[Column]) -> dg.TableSchema:
    """A table's columns as the UI shows them."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name=column.name, type=column.type) for column in columns]
    )


def seconds(step: ProgressLogger) -> dict[str, float]:
    """What a step took its time for, as metadata."""
    return {f"seconds_{name}": round(value, 3) for name, value in step.timings.items()}


def counts_preview(
    name: str, counts: Mapping[str, Mapping[str, float]]
) -> dg.MarkdownMetadataValue:
    """Counts as a small table: a row each for what is named, a column each for what is counted."""
    heads = list(next(iter(counts.values()), {}))
    rows = [[key, *(f"{row[head]:,}" for head in heads)] for key, row in counts.items()]
    return dg.MetadataValue.md(table([name, *(head.replace("_", " ") for head in heads)], rows))
