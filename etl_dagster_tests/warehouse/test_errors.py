"""What an error of the connector means: the statement's fault, the connection's, or a bug."""

import pytest
from snowflake.connector.errors import (
    DatabaseError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from etl_dagster.warehouse.errors import (
    LoadMismatchError,
    StatementError,
    WarehouseError,
    WarehouseUnreachableError,
    lost,
    translated,
)


@pytest.mark.parametrize(
    ("error", "kind", "connection_lost"),
    [
        (ProgrammingError(msg="no such table", errno=2003), StatementError, False),
        (IntegrityError(msg="null", errno=100072), StatementError, False),
        (ProgrammingError(msg="expired", errno=390_112), WarehouseUnreachableError, True),
        (ProgrammingError(msg="expired", errno=390_100), WarehouseUnreachableError, True),
        (ProgrammingError(msg="other", errno=390_200), StatementError, False),
        (ProgrammingError(msg="network", errno=250_000), WarehouseUnreachableError, True),
        (ProgrammingError(msg="network", errno=251_999), WarehouseUnreachableError, True),
        (ProgrammingError(msg="other", errno=252_000), StatementError, False),
        (OperationalError(msg="gone", errno=1), WarehouseUnreachableError, True),
        (DatabaseError(msg="gone", errno=1), WarehouseUnreachableError, True),
        (NotSupportedError(msg="never", errno=1), WarehouseUnreachableError, False),
        (ConnectionResetError("gone"), WarehouseUnreachableError, True),
        (ValueError("what was sent: 407-555-0100"), WarehouseError, False),
    ],
)
def test_whose_fault_an_error_is(
    error: Exception, kind: type[WarehouseError], *, connection_lost: bool
) -> None:
    found = translated(error, "select_something")
    assert type(found) is kind
    assert lost(error) is connection_lost
    assert str(found).startswith("select_something: ")
    assert "555" not in str(found)


def test_an_error_of_ours_is_what_it_is() -> None:
    error = LoadMismatchError("3 rows of 4")
    assert translated(error, "load") is error
