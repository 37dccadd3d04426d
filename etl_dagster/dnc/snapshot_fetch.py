"""Fetching a snapshot: the replica of this host becomes the store as another host exported it.

Belongs here: what is refused, the download, the switch. Does not: what a replica answers
(replica.py, lookup.py), making snapshots (snapshot_export.py).

The new file is checked whole beside the old one and then renamed over it: who has the old one open
reads on in it, and nobody ever sees half of either. A store that this host writes itself is never
replaced, so no log of one file can meet another: a snapshot has none, and is opened without.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from etl_dagster.dnc import header, replica, schema
from etl_dagster.dnc.errors import DncCorruptError, DncError, DncRefusedError, DncUsageError
from etl_dagster.dnc.moments import utc_now
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import in_force
from etl_dagster.dnc.snapshots import POINTER, Contents, Snapshot
from etl_dagster.dnc.store import DncStore


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a fetch did.

    Attributes:
        snapshot: the one that this host has now.
        changed: False where it had it already; then only its date is newer.
    """

    snapshot: Snapshot
    changed: bool


def fetch_snapshot(
    path: Path,
    place: Place,
    *,
    allow_older: bool = False,
    allow_other: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> Fetched:
    """Make the store at a path the snapshot that is in force at a place.

    Args:
        path: a replica, or nothing.
        place: where from.
        allow_older: take it also if this host has newer lists.
        allow_other: take it also if it is another store, or one whose past is another.
        clock: tells the time.

    Raises:
        DncUsageError: the store at the path is one that this host keeps itself.
        DncRefusedError: the snapshot is older, another store's, or of a moment to come.
        DncCorruptError: what came is not what was exported.
        DncError: there is no snapshot, or it cannot be read. Whatever is raised, the store at the
            path is what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    header.check_nothing_left(path)
    with FileLock(path.with_name(f".{path.name}.fetch.lock")):
        for left in path.parent.glob(f".{path.name}.fetch-*"):
            left.unlink(missing_ok=True)
        found = in_force(place)
        if found is None:
            raise DncError(
                f"{place.shown}/{POINTER} is not there: export first, on the host that keeps the"
                " lists (`etl-dagster dnc snapshot`)"
            )
        _check_date(found, place, clock())
        known, _ = replica.noted(path)
        here = _contents_of(path, known, clock)
        if here and here.content == found.content:
            same = [one for one in known if one.content == found.content]
            newest = max([*same, found], key=lambda one: one.exported_at)
            replica.note(path, [newest], source=place.shown)
            return Fetched(snapshot=newest, changed=False)
        _check_pointer(found, here, known, place, older=allow_older, other=allow_other)
        draft = path.with_name(f".{path.name}.fetch-{os.getpid()}")
        try:
            _download(found, place, draft)
            came = _checked(found, place, draft, clock)
            if here and not allow_other:
                _check_past(came, here, place, older=allow_older)
            old = [one for one in known if here and one.content == here.content]
            replica.note(path, [*old, found], source=place.shown)
            draft.replace(path)
            replica.sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)
        replica.note(path, [found], source=place.shown)
    return Fetched(snapshot=found, changed=True)


def _contents_of(
    path: Path, known: Sequence[Snapshot], clock: Callable[[], datetime]
) -> Contents | None:
    """What the replica at a path holds; None if there is none, or one that is damaged."""
    if not path.exists():
        return None
    try:
        header.check_file(path)
        if header.is_replica(path):
            with DncStore.open(path, clock=clock) as store:
                return store.contents()
    except DncCorruptError:
        if known:  # noted beside it: so it was a replica, and is to be replaced
            return None
        raise
    raise DncUsageError(
        f"{path} is a store that this host keeps itself, with lists and opt-outs that may be"
        " nowhere else: nothing was fetched. Export it, or move it away, or correct the path"
    )


def _check_date(found: Snapshot, place: Place, now: datetime) -> None:
    if found.exported_at > now + replica.SKEW:
        raise DncRefusedError(
            f"{place.shown}/{POINTER} was exported at {found.exported_at:%Y-%m-%d %H:%M:%S} UTC,"
            f" which by this host's clock ({now:%Y-%m-%d %H:%M:%S} UTC) is still to come: nothing"
            " was fetched; set the clocks of both hosts",
            [],
        )


def _check_pointer(  # noqa: PLR0913  two stores and what is allowed
    found: Snapshot,
    here: Contents | None,
    known: list[Snapshot],
    place: Place,
    *,
    older: bool,
    other: bool,
) -> None:
    """Refuse by what the pointer says, before anything is fetched."""
    stores = {here.store} if here else {one.store for one in known}
    newest = here.revision if here else max((one.revision for one in known), default=0)
    if stores and found.store not in stores and not other:
        _refuse(place, "is of another store than this host has", "other")
    if found.store in stores and found.revision < newest and not older:
        _refuse(place, f"has older lists ({found.list_versions}) than this host", "older")


def _check_past(came: Contents, here: Contents, place: Place, *, older: bool) -> None:
    """Refuse a store whose versions are not those that verdicts of this host have named."""
    if came.follows(here) or (older and here.follows(came)):
        return
    _refuse(
        place,
        "has versions with the numbers that this host knows and another content: the store was"
        " restored from a backup or there are two of it",
        "other",
    )


def _refuse(place: Place, what: str, flag: str) -> None:
    also = (
        " Verdicts name lists by version: keep a copy of the present store, by which those of"
        " before can still be proven."
        if flag == "other"
        else ""
    )
    raise DncRefusedError(
        f"the snapshot at {place.shown} {what}: nothing was fetched (--allow-{flag} to take it all"
        f" the same).{also}",
        [flag],
    )


def _download(found: Snapshot, place: Place, draft: Path) -> None:
    with schema.translated(draft):
        schema.own_file(draft)
        with draft.open("wb") as file:
            digest = place.download(found.path, file, size=found.size)
            file.flush()
            os.fsync(file.fileno())
    if digest != found.digest:
        raise DncCorruptError(
            f"{place.shown}/{found.path} has not the digest that is its name: it was damaged there"
            " or on its way; fetch again, and if it stays so remove it there and export again"
        )


def _checked(found: Snapshot, place: Place, draft: Path, clock: Callable[[], datetime]) -> Contents:
    """Open what came, which tests itself, and hold it to the pointer."""
    name = f"{place.shown}/{found.path}"
    try:
        header.check_file(draft)
        if not header.is_replica(draft):
            raise DncCorruptError(f"{name} is a store, and no snapshot of one: export again")
        with DncStore.open(draft, clock=clock) as store:
            came = store.contents()
    except DncError as error:
        says = str(error).replace(str(draft), name)
        raise DncCorruptError(f"{says} (nothing was fetched)") from error
    if came.content != found.content or came.lists != found.lists:
        raise DncCorruptError(
            f"{name} holds other lists than {place.shown}/{POINTER} says: export again"
        )
    return came
