"""Making a snapshot of the store for other hosts, and removing old ones.

Belongs here: the copy, and the order in which things appear, the pointer last. Does not: fetching
(snapshot_fetch.py), where snapshots are kept (places.py).

A snapshot is `VACUUM INTO` of one moment of the store: readers and writers go on meanwhile, and the
same lists always make the same bytes, so the same name. It is not compressed: its pages are dense
bits (docs/dnc_hosts.md has the figures).
"""

import contextlib
import hashlib
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from etl_dagster.dnc import header, schema
from etl_dagster.dnc.errors import DncError, DncFormatError, DncRefusedError, DncUsageError
from etl_dagster.dnc.moments import utc_now
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshots import FOLDER, MOST_BYTES, POINTER, Contents, Snapshot
from etl_dagster.dnc.store import DncStore


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export did.

    Attributes:
        snapshot: the one in force now.
        uploaded: bytes that were sent; 0 where the place had it.
        removed: old snapshots that were removed.
    """

    snapshot: Snapshot
    uploaded: int
    removed: int


def export_snapshot(
    path: Path,
    place: Place,
    *,
    keep: int | None = None,
    allow_other: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> Exported:
    """Put the store as it is now where other hosts fetch it.

    Args:
        path: the store; not a replica.
        place: where to.
        keep: so many snapshots stay, the one in force among them; None: all.
        allow_other: take the place over from another store, or from newer lists of this one.
        clock: tells the time.

    Raises:
        DncUsageError: the store is a replica.
        DncRefusedError: the place has another store's snapshots, or newer ones.
        DncError: the store cannot be opened, or the place not be read or written; what was in
            force there still is.
    """
    with _ours(path):
        place.sweep()
        exported_at = clock()  # what is written from now on may be in it, or not
        with DncStore.open(path, clock=clock) as store:
            ours = store.contents()
        try:
            before = in_force(place)
        except DncFormatError as error:
            if not allow_other:
                raise DncFormatError(
                    f"{error}; to export over it, whatever it was, use --allow-other"
                ) from error
            before = None
        if before and not allow_other:
            _check_place(before, ours, place)
        if before and before.content == ours.content and place.size(before.path) == before.size:
            snapshot, uploaded = replace(before, exported_at=exported_at), 0
        else:
            snapshot, uploaded = _send(path, place, exported_at=exported_at, clock=clock)
        place.write(POINTER, snapshot.text())
        removed = 0 if keep is None else prune(place, snapshot, keep=keep)
    return Exported(snapshot=snapshot, uploaded=uploaded, removed=removed)


def back_up(
    path: Path, place: Place, *, clock: Callable[[], datetime] = utc_now
) -> tuple[str, int]:
    """Copy the store as it is now, to be put in its place should it be lost.

    Args:
        path: the store; not a replica.
        place: where to.
        clock: tells the time.

    Returns:
        The file's name there, by the moment, and its size in bytes.

    Raises:
        DncUsageError: the store is a replica.
        DncError: the store cannot be opened, or the place not be written; no file is left there.
    """
    with _ours(path), _copied(path, header.APPLICATION_ID, journal="WAL") as copy:
        name = f"dnc-{clock():%Y%m%dT%H%M%SZ}.sqlite"
        DncStore.open(copy, clock=clock).close()  # tests itself
        place.upload(copy, name)
        return name, copy.stat().st_size


def in_force(place: Place) -> Snapshot | None:
    """The snapshot in force at a place; None if there is none yet."""
    text = place.read(POINTER, most=MOST_BYTES)
    return None if text is None else Snapshot.parse(text, name=f"{place.shown}/{POINTER}")


def prune(place: Place, current: Snapshot, *, keep: int) -> int:
    """Remove the oldest snapshots but `keep`, never the current one; return how many."""
    found = dict[str, Snapshot]()
    for name in place.names(FOLDER):
        if name.endswith(".json"):
            text = place.read(f"{FOLDER}/{name}", most=MOST_BYTES)
            if text is not None:
                with contextlib.suppress(DncError):  # what is no record of ours is left alone
                    one = Snapshot.parse(text, name=name)
                    found[one.digest] = one
    others = sorted(
        (one for one in found.values() if one.digest != current.digest),
        key=lambda one: one.exported_at,
        reverse=True,
    )
    old = others[max(keep - 1, 0) :]
    for one in old:
        place.remove(one.path)
        place.remove(one.manifest_path)  # last: so that a killed prune finds the file again
    return len(old)


def _check_place(before: Snapshot, ours: Contents, place: Place) -> None:
    """Refuse to take a place over in silence: two stores would take turns on the other hosts."""
    problem = None
    if before.store != ours.store:
        problem = f"holds snapshots of another store, kept on {before.host}"
    elif before.revision > ours.revision:
        problem = (
            f"has newer lists ({before.list_versions}) than this store: it was restored from a"
            " backup, or there are two of it"
        )
    elif before.revision == ours.revision and before.seal != ours.seal:
        problem = f"has other lists than this store, as many writes old, kept on {before.host}"
    if problem:
        raise DncRefusedError(
            f"{place.shown} {problem}: nothing was exported (--allow-other to take it over all the"
            " same; replicas will then refuse it until they are told, too)",
            ["other"],
        )


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    """See that the store is one that this host keeps, and copy it alone."""
    header.check_file(path)
    if header.is_replica(path):
        raise DncUsageError(
            f"{path} is a replica, and only the host that keeps the lists exports them"
        )
    with FileLock(path.with_name(f".{path.name}.export.lock")):
        for left in path.parent.glob(f".{path.name}.export-*"):
            left.unlink(missing_ok=True)
        yield


def _send(
    path: Path, place: Place, *, exported_at: datetime, clock: Callable[[], datetime]
) -> tuple[Snapshot, int]:
    with _copied(path, header.REPLICA_ID, journal="DELETE") as copy:
        with DncStore.open(copy, clock=clock) as store:
            contents = store.contents()
        with copy.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = copy.stat().st_size
        snapshot = contents.snapshot(
            digest=digest, size=size, exported_at=exported_at, host=socket.gethostname()
        )
        # the record first: whatever file there is has one, by which it is pruned
        place.write(snapshot.manifest_path, snapshot.text())
        if place.size(snapshot.path) == size:
            return snapshot, 0
        place.upload(copy, snapshot.path)
    return snapshot, size


@contextlib.contextmanager
def _copied(path: Path, application: int, *, journal: str) -> Iterator[Path]:
    """A copy of the store as of one moment, marked as what it is, removed after use."""
    copy = path.with_name(f".{path.name}.export-copy")
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with schema.translated(path):
            schema.own_file(copy)
            with contextlib.closing(
                sqlite3.connect(uri, uri=True, isolation_level=None, timeout=schema.BUSY_SECONDS)
            ) as connection:
                connection.execute("VACUUM INTO ?", (str(copy),))
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA journal_mode = {journal}")
                connection.execute(f"PRAGMA application_id = {application}")
        yield copy
    finally:
        for left in path.parent.glob(f"{copy.name}*"):
            left.unlink(missing_ok=True)
