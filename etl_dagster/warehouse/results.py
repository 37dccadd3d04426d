"""What a query returns: its columns, and its rows as Arrow in types that do not vary.

Belongs here: reading the connector's cursors. The connector picks the Arrow type of a NUMBER
column chunk by chunk, from the values in it; here the column's declared type decides. Does not:
running queries.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any

from etl_dagster.leads.campaign_columns import Column

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector.cursor import ResultMetadata, SnowflakeCursor


def column(metadata: "ResultMetadata") -> Column:
    """Return the column that the connector describes."""
    name = _type_names()[metadata.type_code]
    number = name == "FIXED"
    return Column(
        name=metadata.name,
        type="NUMBER" if number else name,
        precision=metadata.precision if number else None,
        scale=metadata.scale if number else None,
    )


def schema(description: "Sequence[ResultMetadata]") -> "pa.Schema":
    """Return the Arrow schema of such a result."""
    import pyarrow as pa  # noqa: PLC0415 - only who reads Arrow needs it

    return pa.schema([(c.name, _arrow_type(column(c))) for c in description])


def batches(cursor: "SnowflakeCursor") -> "Iterator[pa.RecordBatch]":
    """Yield the rows of an executed query, cast to :func:`schema`."""
    wanted = schema(cursor.description)
    for chunk in cursor.fetch_arrow_batches(force_microsecond_precision=True):
        yield from chunk.rename_columns(wanted.names).cast(wanted).to_batches()


def is_utc(metadata: "ResultMetadata") -> bool:
    """Whether the column holds moments without a time zone, which are UTC in this project."""
    return _type_names()[metadata.type_code] == "TIMESTAMP_NTZ"


def aware(row: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    """Return the row with the datetimes at ``places`` marked as UTC."""
    values = list(row)
    for place in places:
        if values[place] is not None:
            values[place] = values[place].replace(tzinfo=UTC)
    return tuple(values)


def _arrow_type(described: Column) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415

    if described.type == "NUMBER":
        if described.scale:
            return pa.decimal128(described.precision or 38, described.scale)
        return pa.int64()
    fixed = {
        "REAL": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "BINARY": pa.binary(),
        "TIMESTAMP_NTZ": pa.timestamp("us"),
        "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
        "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
    }
    return fixed.get(described.type, pa.string())


@cache
def _type_names() -> dict[int, str]:
    from snowflake.connector.constants import FIELD_ID_TO_NAME  # noqa: PLC0415

    return dict(FIELD_ID_TO_NAME)
