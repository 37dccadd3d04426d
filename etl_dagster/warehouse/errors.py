"""What can go wrong between this process and Snowflake.

::

    WarehouseError
    ├── WarehouseUnreachableError   transient: no connection, or it was lost
    ├── StatementError              Snowflake refused or aborted a statement
    ├── SignInError                 the key of the settings is none, or Snowflake lets nobody in
    ├── SchemaMissingError          the settings name a schema that is not there
    ├── ClockError                  this host's clock is not Snowflake's
    ├── LoadMismatchError           a load stored other than what was sent; it is undone
    └── WarehouseMisuseError        a mistake of the calling code, found before Snowflake saw it

Belongs here: the tree, and how a connector's error becomes one of it. Messages name the statement
and carry Snowflake's number and words, never a value: Snowflake quotes data in many of its
messages ("Numeric value '...' is not recognized"), so what is quoted, with all between two
quotations, is masked unless the message comes from compiling the statement, which sees names and
no rows.
"""

import re

_COMPILATION = "SQL compilation error"
_SIGN_IN = {390, 394}
"""Thousands of Snowflake's numbers for what is wrong with a user, a role, a key or a token."""
_NO_ACCOUNT = {290_403, 290_404, 540_001}
"""The connector's: no such account answers there (HTTP 403, 404)."""
_QUOTED = re.compile(r"['\"](?:.*['\"]|.*)", re.DOTALL)
"""From the first quote to the last, as a value may have quotes; to the end where one is alone."""
_ROW_VALUES = re.compile(r"Row Values:.*", re.IGNORECASE | re.DOTALL)
# A run of digits that could be a phone, however it is written, and anything like an e-mail address.
_PERSONAL = re.compile(r"\+?\(?\d[\d\-. ()]{6,}\d|[^\s@'\"]+@[^\s@'\"]+")


class WarehouseError(RuntimeError):
    """Anything that goes wrong between this process and Snowflake."""


class WarehouseUnreachableError(WarehouseError):
    """No connection could be made, or the one in use was lost; trying again may help."""


class WarehouseStoppedError(WarehouseError):
    """The session was told to stop, because the run is ending; nothing was run."""


class WarehouseMisuseError(WarehouseError):
    """The calling code asks for what must not be done, such as DDL inside a transaction."""


class SignInError(WarehouseError):
    """The settings are not those of an account, or do not open it; trying again does not help."""


class SchemaMissingError(WarehouseError):
    """The schema that the settings name is not there, or this role may not use it."""


class ClockError(WarehouseError):
    """The clock of this host is too far from Snowflake's."""


class LoadMismatchError(WarehouseError):
    """A load stored another number of rows than were sent; nothing of it was kept."""


class StatementError(WarehouseError):
    """Snowflake refused a statement, or stopped it.

    Attributes:
        number: Snowflake's error number.
    """

    def __init__(self, message: str, *, statement: str, number: int, sqlstate: str) -> None:
        super().__init__(f"{statement}: {message} (number {number}, SQLSTATE {sqlstate})")
        self.number = number


def translated(error: BaseException, statement: str) -> WarehouseError:
    """Return what ``error``, raised by the connector while running ``statement``, means.

    The connector's error is not chained: its message holds the values that are masked here.
    """
    from snowflake.connector import errors  # noqa: PLC0415 - half a second, once it is needed

    if isinstance(error, WarehouseError):
        return error
    number = getattr(error, "errno", None) or -1
    if isinstance(error, errors.ProgrammingError | errors.IntegrityError) and not lost(error):
        return StatementError(
            _without_values(getattr(error, "raw_msg", None) or str(error)),
            statement=statement,
            number=number,
            sqlstate=getattr(error, "sqlstate", None) or "n/a",
        )
    if isinstance(error, errors.Error | OSError):
        return WarehouseUnreachableError(
            f"{statement}: the connection to Snowflake failed ({type(error).__name__}, number "
            f"{number}); check that it can be reached, then run again"
        )
    return WarehouseError(f"{statement}: {type(error).__name__} in the Snowflake connector")


def not_signed_in(error: BaseException) -> WarehouseError:
    """Return what ``error``, raised by the connector while it connects, means.

    Where Snowflake says no, its words are told: they name a role or an address, and no data.
    """
    number = getattr(error, "errno", None) or -1
    if number // 1000 not in _SIGN_IN and number not in _NO_ACCOUNT:
        return translated(error, "connect")
    words = " ".join(str(getattr(error, "raw_msg", None) or error).split())
    return SignInError(
        f"Snowflake refuses the connection: {words} (number {number}); look at SNOWFLAKE_ACCOUNT,"
        " SNOWFLAKE_USER, SNOWFLAKE_ROLE and the key or password"
    )


def lost(error: BaseException) -> bool:
    """Whether ``error`` means that the connection, not the statement, is at fault."""
    from snowflake.connector import errors  # noqa: PLC0415

    number = getattr(error, "errno", None) or 0
    # 250xxx and 251xxx: network and connection; 3901xx: session or token no longer known.
    if 250_000 <= number < 252_000 or 390_100 <= number < 390_200:  # noqa: PLR2004 - see above
        return True
    statement_level = errors.ProgrammingError | errors.IntegrityError | errors.NotSupportedError
    return isinstance(error, errors.Error | OSError) and not isinstance(error, statement_level)


def _without_values(message: str) -> str:
    if not message.startswith(_COMPILATION):
        message = _QUOTED.sub("'***'", _ROW_VALUES.sub("Row Values: ***", message))
    return _PERSONAL.sub("***", message)
