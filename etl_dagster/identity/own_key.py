"""A random key that a home folder has for itself.

Belongs here: making and reading it. Does not: keys that people make and keep (`signatures.py`). It
goes into digests that are kept where others read (events, run keys): of few phones a bare digest
tells which, since all that there are can be tried. If it is lost, another one is made, and all that
is lost with it is that things look changed once.
"""

import os
import secrets
from pathlib import Path
from typing import Final

NAME: Final = "own.key"
SIZE: Final = 32


def own_key(home: Path) -> bytes:
    """The key, made on first use, for its owner's eyes only; the same for all processes.

    Raises:
        OSError: the folder cannot be written, or the key belongs to somebody else.
    """
    path = home / NAME
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        partial = home / f".{NAME}.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SIZE))
        try:
            os.link(partial, path)  # whole or not at all, and never over another's
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return path.read_bytes()
