"""What a machine lacks (disk, rights, Dagster's database), as one line with a way out.

Belongs here: errors of the operating system and of databases that no part of the program
translates, since they can come from anywhere. Does not: errors of our own, which have their words.
"""

import errno
import sqlite3
import sys
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNUSABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
_AGAIN: Final = "the same command goes on where it stopped"


def said(error: BaseException) -> str | None:
    """Say what this machine lacks; None if the error, and what caused it, are of no such kind."""
    cause: BaseException | None = error
    while cause:
        if words := _words(cause):
            return words
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _words(error: BaseException) -> str | None:
    if isinstance(error, KeyboardInterrupt):
        return f"stopped by Ctrl-C: what was committed is kept, and {_AGAIN}"
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return f"no space left on the disk ({error.filename or 'a file'}): make room, {_AGAIN}"
        if error.errno in _UNUSABLE and error.filename:
            return (
                f"cannot use {error.filename}: {error.strerror}; expected a place that this user"
                " may write to. Correct its owner or rights, or name another (ETL_HOME)"
            )
        return None
    alchemy = sys.modules.get("sqlalchemy.exc")
    if alchemy and isinstance(error, alchemy.OperationalError) and error.orig:
        error = error.orig
        if not isinstance(error, sqlite3.Error):
            first = str(error).strip().partition("\n")[0]
            return (
                f"Dagster's database cannot be used: {first}. See"
                " that it is up, and that ETL_DAGSTER_YAML and the variables in it name it"
            )
    return _of_sqlite(str(error)) if isinstance(error, sqlite3.OperationalError) else None


def _of_sqlite(message: str) -> str | None:
    if "is full" in message or "disk I/O" in message:
        return f"the disk is full or failing ({message}): make room, {_AGAIN}"
    if "readonly" in message or "unable to open" in message:
        return (
            f"a database cannot be written ({message}): see that its folder exists, belongs to"
            " this user and is not on a read-only disk, or name another (ETL_HOME, DNC_DB_PATH)"
        )
    return None
