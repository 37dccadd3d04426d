"""A replica: a store that this host fetched, which is read, and never written.

Belongs here: what is noted beside it, which is how long it is evidence; opt-outs that were heard on
this host and are not in its lists yet. Does not: fetching it (snapshot_fetch.py), verdicts
(lookup.py).

Beside `dnc.sqlite` there is `dnc.sqlite.snapshot.json` with the snapshot that was fetched, or two
while one replaces the other. Whatever store is opened is evidence only as the one of them that has
its seal, so that no crash can lend a store the date of another.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from etl_dagster.dnc.errors import DncError
from etl_dagster.dnc.snapshots import Snapshot

MAX_AGE: Final = timedelta(hours=24)
"""How old a replica's snapshot may be and still clear phones, where the policy does not say."""
SKEW: Final = timedelta(seconds=60)
"""By so much clocks of hosts may differ; a snapshot of a later moment is evidence of nothing."""
REASONS: Final = ("snapshot_stale", "opted_out")
"""Why a replica is in doubt beside what its lists say: it does not follow from their versions."""
NEVER: Final = datetime.fromtimestamp(0, UTC)
"""Until when a replica speaks that is evidence of nothing."""
_NOTE: Final = ".snapshot.json"
_HEARD: Final = ".heard"


@dataclass(frozen=True)
class _Note:
    source: str
    snapshots: tuple[Snapshot, ...]


def note(path: Path, snapshots: Sequence[Snapshot], *, source: str) -> None:
    """Note which snapshots the store at a path may be, and where they came from."""
    said = asdict(_Note(source, tuple(snapshots)))
    text = json.dumps(said, indent=2, default=datetime.isoformat)
    replace_file(path.with_name(path.name + _NOTE), f"{text}\n".encode())


def noted(path: Path) -> tuple[list[Snapshot], str]:
    """What was noted, and the source; nothing where nothing can be read, which clears nobody."""
    try:
        said = msgspec.json.decode(path.with_name(path.name + _NOTE).read_bytes(), type=_Note)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [], ""
    return list(said.snapshots), said.source


def evidence_until(
    path: Path, seal: tuple[int, bytes], *, now: datetime, max_age: timedelta
) -> datetime:
    """Tell until which moment a replica speaks, that moment included.

    Args:
        path: the replica.
        seal: of the store that was opened there.
        now: by this host's clock; a snapshot of later than `SKEW` after it is evidence of nothing.
        max_age: how old its snapshot may be.

    Returns:
        The moment; one that is long past where it is evidence of nothing.
    """
    revision, digest = seal
    return max(
        (
            one.exported_at + max_age
            for one in noted(path)[0]
            if (one.revision, one.seal) == (revision, digest.hex())
            and one.exported_at <= now + SKEW
        ),
        default=NEVER,
    )


def refusal(path: Path) -> str:
    """Why a replica is not written, and where to write instead."""
    snapshots, source = noted(path)
    host = snapshots[-1].host if snapshots else "another host"
    what = f"is a replica, fetched from {source}" if source else "is, or is to be, a replica"
    return (
        f"{path} {what}: nothing was changed. The lists and opt-outs are kept on {host}:"
        " load or record there what shall be on them; this host fetches it from there"
    )


def hear(path: Path, phones: NDArray[np.int64]) -> None:
    """Keep opt-outs that are not in the replica's lists yet, instead of those kept before.

    Args:
        path: the replica.
        phones: ten digits each, shape (n,).
    """
    place = path.with_name(path.name + _HEARD)
    if len(phones):
        replace_file(place, np.unique(phones).astype("<i8").tobytes())
    else:
        place.unlink(missing_ok=True)


def heard(path: Path) -> NDArray[np.int64]:
    """The opt-outs that were kept, ascending.

    Raises:
        DncError: they cannot be read: who asked to be left alone is not known.
    """
    place = path.with_name(path.name + _HEARD)
    try:
        content = place.read_bytes()
        return np.frombuffer(content, dtype="<i8").astype(np.int64)
    except FileNotFoundError:
        return np.empty(0, np.int64)
    except (OSError, ValueError) as error:
        raise DncError(
            f"{place} with opt-outs heard on this host cannot be read ({error}): remove it and run"
            " again, which reads the table of opt-outs again"
        ) from error


def replace_file(place: Path, content: bytes) -> None:
    """Write a small file whole or not at all, for its owner alone, and see it on the disk."""
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """See a rename on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
