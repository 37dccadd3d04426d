"""Values on their way into SQL: parameters of a statement, session variables.

Belongs here: how a Python value becomes one that means the same in Snowflake. Does not: running.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from etl_dagster.warehouse.errors import WarehouseMisuseError

Params = Mapping[str, object] | Sequence[object] | None

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
# https://docs.snowflake.com/en/sql-reference/session-variables
_VARIABLE_BYTES = 256


def bound(name: str, params: Params) -> Any:
    """Return a statement's parameters as the connector takes them, moments in UTC.

    Raises:
        WarehouseMisuseError: A datetime has no time zone.
    """
    if params is None:
        return None
    if isinstance(params, Mapping):
        return {key: _utc(name, value) for key, value in params.items()}
    return [_utc(name, value) for value in params]


def _utc(name: str, value: object) -> object:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise WarehouseMisuseError(
            f"{name}: a datetime parameter without time zone; expected aware"
        )
    return value.astimezone(UTC).replace(tzinfo=None)


def literal(name: str, value: str) -> str:
    """Return the text that is the value of session variable ``name`` as SQL.

    Raises:
        WarehouseMisuseError: The name or the value cannot be one of a session variable.
    """
    if not _VARIABLE.fullmatch(name):
        raise WarehouseMisuseError(f"not a session variable's name: {name!r}")
    if len(value.encode()) > _VARIABLE_BYTES:
        raise WarehouseMisuseError(f"session variable {name}: longer than 256 bytes")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
