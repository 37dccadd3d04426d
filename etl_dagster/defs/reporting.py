"""What a step tells Dagster while it runs and when it is done.

Belongs here: progress events, one materialization a chunk, check results. Does not: the numbers,
which the domain returns.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from etl_dagster.defs.partitions import partition_key
from etl_dagster.leads.chunks import Chunk
from etl_dagster.progress import ProgressEvent, ProgressLogger, Sink
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
            context.asset_key.to_user_string(),
            dagster_sink(context),
            *self._listeners,
        )


def dagster_sink(context: dg.AssetExecutionContext) -> Sink:
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


class ChunkReport:
    """One materialization a chunk, logged when it lands and confirmed when the step ends.

    A run covers many partitions; without the first, a run that fails half way would show none of
    the chunks it committed, and without the second, all chunks would show the same numbers.
    """

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context

    def landed(self, chunk: Chunk, metadata: Mapping[str, Any]) -> None:
        """Tell that a chunk is committed."""
        self._context.log_event(
            dg.AssetMaterialization(
                self._context.asset_key, partition=partition_key(chunk), metadata=dict(metadata)
            )
        )
        self._context.add_asset_metadata(dict(metadata), partition_key=partition_key(chunk))

    def checked(
        self, check: str, chunk: Chunk, *, passed: bool, metadata: Mapping[str, Any]
    ) -> None:
        """Tell what a check found in a chunk."""
        self._context.log_event(
            dg.AssetCheckEvaluation(
                asset_key=self._context.asset_key,
                check_name=check,
                passed=passed,
                partition=partition_key(chunk),
                metadata=dict(metadata),
                severity=dg.AssetCheckSeverity.ERROR,
            )
        )


def column_schema(columns: list[Column]) -> dg.TableSchema:
    """A table's columns as the UI shows them."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name=column.name, type=column.type) for column in columns]
    )
