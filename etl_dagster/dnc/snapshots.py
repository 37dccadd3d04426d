"""What a snapshot of a store is: the record that the pointer, manifests and replicas keep of it.

Belongs here: its shape, its text, reading it off a store. Does not: where snapshots are kept
(places.py), making and fetching them (snapshot_export.py, snapshot_fetch.py), how old a replica may
be (replica.py).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

import msgspec

from etl_dagster.dnc.catalog import Catalog
from etl_dagster.dnc.errors import DncFormatError
from etl_dagster.dnc.moments import from_micros
from etl_dagster.dnc.records import INTERNAL

FORMAT: Final = 1
POINTER: Final = "current.json"
"""The snapshot in force; the last thing that an export writes."""
FOLDER: Final = "snapshots"
MOST_BYTES: Final = 1_000_000
"""What is longer is no record of a snapshot."""
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


@dataclass(frozen=True, kw_only=True)
class ListVersion:
    """A list in a snapshot: its name, version, and that version's date (ISO 8601; None: empty)."""

    list: str
    version: int
    as_of: str | None


@dataclass(frozen=True, kw_only=True)
class State:
    """What the lists of a store are.

    Attributes:
        store: which store it is of, 16 hex digits: the same for all snapshots of one store.
        revision: how many writes the store had seen.
        seal: digest over every list of the store, 64 hex digits.
        lists: every list.
    """

    store: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
    revision: int
    seal: _Digest
    lists: tuple[ListVersion, ...]

    @property
    def content(self) -> tuple[str, int, str]:
        """What the lists in it are, however the file is laid out."""
        return self.store, self.revision, self.seal

    @property
    def list_versions(self) -> str:
        """As verdicts name versions: `internal@3;national@12`."""
        return ";".join(f"{one.list}@{one.version}" for one in self.lists)


@dataclass(frozen=True, kw_only=True)
class Snapshot(State):
    """One snapshot.

    Attributes:
        format: of the record.
        digest: SHA-256 of the file, 64 hex digits.
        size: of the file, bytes.
        exported_at: the store had nothing newer at this moment; aware.
        host: where the lists are kept.
    """

    format: Literal[1]
    digest: _Digest
    size: Annotated[int, msgspec.Meta(gt=0)]
    exported_at: Annotated[datetime, msgspec.Meta(tz=True)]
    host: str

    @property
    def path(self) -> str:
        """Where the file is, below the place of snapshots."""
        return f"{FOLDER}/{self.digest}.sqlite"

    @property
    def manifest_path(self) -> str:
        """Where the record beside the file is."""
        return f"{FOLDER}/{self.digest}.json"

    def text(self) -> bytes:
        """As JSON."""
        return (json.dumps(asdict(self), indent=2, default=datetime.isoformat) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, *, name: str) -> Self:
        """Read the record of a snapshot.

        Args:
            text: JSON.
            name: what errors call it.

        Raises:
            DncFormatError: it does not say what a record must.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DncFormatError(
                f"{name} is no record of a snapshot of this format ({FORMAT}): export again, with"
                " the same release of etl-dagster on all hosts"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Contents(State):
    """What is in a store: which one it is, how far it has come, every version of every list.

    Attributes:
        history: of each list, of each version, whatever compaction leaves as it is.
    """

    history: Mapping[str, Sequence[tuple[object, ...]]]

    @classmethod
    def of(cls, catalog: Catalog) -> Self:
        """Read it off a catalog."""
        born = catalog.lists[INTERNAL].created_at
        revision, seal = catalog.seal
        lists, history = [], {}
        for name, info in sorted(catalog.lists.items()):
            versions = catalog.versions(info)
            as_of = from_micros(versions[-1].as_of).isoformat() if versions else None
            lists.append(ListVersion(list=name, version=info.version, as_of=as_of))
            # not `manifest_digest`, the last: compaction replaces manifests
            history[name] = [one.columns[:-1] for one in versions]
        return cls(
            store=hashlib.sha256(f"{INTERNAL} {born}".encode()).hexdigest()[:16],
            revision=revision,
            seal=seal.hex(),
            lists=tuple(lists),
            history=history,
        )

    def follows(self, earlier: "Contents") -> bool:
        """Tell whether every version of an earlier state of the store is in this one, unaltered."""
        return self.store == earlier.store and all(
            list(self.history.get(name, ()))[: len(versions)] == list(versions)
            for name, versions in earlier.history.items()
        )

    def snapshot(self, *, digest: str, size: int, exported_at: datetime, host: str) -> Snapshot:
        """The record of a snapshot with this content."""
        return Snapshot(
            format=FORMAT,
            digest=digest,
            size=size,
            store=self.store,
            revision=self.revision,
            seal=self.seal,
            lists=self.lists,
            exported_at=exported_at.astimezone(UTC),
            host=host,
        )
