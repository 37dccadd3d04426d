"""Lists, their versions, and the state of each list at a version or a moment.

Belongs here: reading and writing `store`, `list` and `version`, and the digests that tie them
together. Does not: the numbers themselves (segments.py), what a state means for a phone
(lookup.py), whether a load is acceptable (loading.py).
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

import numpy as np

from etl_dagster.dnc.errors import DncCorruptError, DncHistoryError, DncUsageError
from etl_dagster.dnc.records import (
    ENTRY,
    MOST_LISTS,
    ListInfo,
    State,
    Version,
    empty_state,
    from_row,
)

_LIST_COLUMNS: Final = ", ".join(field.name for field in fields(ListInfo))
_VERSION_COLUMNS: Final = ", ".join(field.name for field in fields(Version))


class Catalog:
    """The lists of a store as of one transaction.

    Args:
        connection: inside a transaction.
        known: an earlier catalog of the same store: what it verified is not verified again.

    Raises:
        DncCorruptError: a row of `store`, `list` or `version` does not match its digest.
    """

    def __init__(self, connection: sqlite3.Connection, known: "Catalog | None" = None) -> None:
        self._connection = connection
        row = connection.execute("SELECT revision, digest FROM store WHERE id = 1").fetchone()
        rows = connection.execute(f"SELECT {_LIST_COLUMNS} FROM list ORDER BY id").fetchall()  # noqa: S608  our columns
        if row is None or _digest(row[0], *rows) != row[1]:
            raise _corrupt("the list of lists")
        self.revision: int = row[0]
        self.seal: tuple[int, bytes] = (row[0], row[1])
        self.lists: dict[str, ListInfo] = {row[1]: from_row(row) for row in rows}
        self._versions: dict[int, list[Version]] = {}
        for info in self.lists.values():
            self._versions[info.id] = self._verified_versions(info, known)

    def is_current(self) -> bool:
        """Tell whether nobody wrote to the store since."""
        row = self._connection.execute("SELECT revision, digest FROM store WHERE id = 1").fetchone()
        return bool(row == self.seal)

    def get(self, name: str) -> ListInfo:
        """Find a list by name.

        Raises:
            DncUsageError: there is none.
        """
        if name not in self.lists:
            known = ", ".join(self.lists) or "none"
            raise DncUsageError(f"no list named {name!r} in the store; it has: {known}")
        return self.lists[name]

    def versions(self, info: ListInfo) -> list[Version]:
        """Return every version of a list, oldest first."""
        return self._versions[info.id]

    def state(self, info: ListInfo, as_of: int | None, newest: int | None) -> tuple[int, State]:
        """Work out a list as it stood.

        Args:
            info: the list.
            as_of: leave out what is dated later than this moment (microseconds), if given.
            newest: leave out versions above this one, if given.

        Returns:
            The newest version that counts (0: none) and the state.

        Raises:
            DncHistoryError: that part of the history was compacted away or never was.
        """
        if as_of is None and newest is None:
            return info.version, info.head
        newest = info.version if newest is None else newest
        if newest > info.version:
            raise DncHistoryError(
                f"list {info.name}: version {newest} was never recorded, the newest is "
                f"{info.version}: was the store restored from an older backup?"
            )
        if newest < info.floor or (as_of is not None and as_of < info.horizon):
            raise DncHistoryError(
                f"list {info.name}: the history before version {info.floor} and "
                f"{np.datetime64(info.horizon, 'us')} is past its retention and was compacted away"
            )
        number, state = 0, empty_state()
        for version in self._versions[info.id]:
            if version.number <= newest and (as_of is None or version.as_of <= as_of):
                number = version.number
                entries = self.manifest(version)
                state[entries["area"]] = entries
        return number, state

    def manifest(self, version: Version) -> State:
        """Read the entries that a version changed."""
        row = self._connection.execute(
            "SELECT manifest FROM version WHERE list = ? AND number = ?",
            (version.list, version.number),
        ).fetchone()
        if (
            row is None
            or not isinstance(row[0], bytes)
            or sha256(row[0]) != version.manifest_digest
        ):
            raise _corrupt(f"version {version.number} of a list")
        return np.frombuffer(row[0], dtype=ENTRY)

    def add_list(self, info: ListInfo) -> ListInfo:
        """Add a list; its id and digest are set here."""
        if len(self.lists) >= MOST_LISTS:
            raise DncUsageError(f"a store holds at most {MOST_LISTS} lists")
        info = replace(info, id=len(self.lists), chain=_digest(info.name))
        self._versions[info.id] = []
        return self.replace_list(info)

    def add_version(self, info: ListInfo, version: Version, entries: State) -> ListInfo:
        """Add a version to a list and put it in place; its manifest digest is set here."""
        head, manifest = info.head.copy(), entries.tobytes()
        head[entries["area"]] = entries
        version = replace(version, manifest_digest=sha256(manifest))
        self._connection.execute(
            f"INSERT INTO version ({_VERSION_COLUMNS}, manifest)"  # noqa: S608  our columns
            f" VALUES ({'?,' * len(version.columns)}?)",
            (*version.columns, manifest),
        )
        self._versions[info.id].append(version)
        chain = _digest(info.chain, version.columns)
        return self.replace_list(replace(info, version=version.number, chain=chain, head=head))

    def replace_list(self, info: ListInfo) -> ListInfo:
        """Write a list's row, anew where it is there."""
        self.lists[info.name] = info
        row = info.columns
        self._connection.execute(
            f"REPLACE INTO list ({_LIST_COLUMNS}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608  our columns
            row,
        )
        self._seal()
        return info

    def replace_manifests(
        self, info: ListInfo, manifests: Mapping[int, State], *, floor: int, horizon: int
    ) -> ListInfo:
        """Replace what some versions of a list changed, and the digests that follow from it.

        From then on, only moments from `horizon` and versions from `floor` can be asked for.
        """
        chain, versions = _digest(info.name), list[Version]()
        for version in self._versions[info.id]:
            if version.number in manifests:
                manifest = manifests[version.number].tobytes()
                version = replace(version, manifest_digest=sha256(manifest))  # noqa: PLW2901
                self._connection.execute(
                    "UPDATE version SET manifest = ?, manifest_digest = ?"
                    " WHERE list = ? AND number = ?",
                    (manifest, version.manifest_digest, info.id, version.number),
                )
            chain = _digest(chain, version.columns)
            versions.append(version)
        self._versions[info.id] = versions
        return self.replace_list(replace(info, chain=chain, floor=floor, horizon=horizon))

    def _verified_versions(self, info: ListInfo, known: "Catalog | None") -> list[Version]:
        """Read a list's versions and follow their chain of digests to the list's own."""
        before = known.lists.get(info.name) if known else None
        chain, out = _digest(info.name), list[Version]()
        if (
            known
            and before
            and (before.id, before.floor, before.horizon) == (info.id, info.floor, info.horizon)
            and before.version <= info.version
        ):
            chain, out = before.chain, list(known.versions(before))
        rows = self._connection.execute(
            f"SELECT {_VERSION_COLUMNS} FROM version WHERE list = ? AND number > ?"  # noqa: S608  our columns
            " ORDER BY number",
            (info.id, out[-1].number if out else 0),
        )
        for row in rows:
            chain = _digest(chain, row)
            out.append(Version(*row))
        if chain != info.chain or [v.number for v in out] != list(range(1, info.version + 1)):
            raise _corrupt(f"the history of list {info.name}")
        return out

    def _seal(self) -> None:
        """Count the write and make the store's digest cover every list as it now is."""
        self.revision += 1
        rows = sorted(info.columns for info in self.lists.values())
        self._connection.execute(
            "REPLACE INTO store (id, revision, digest) VALUES (1, ?, ?)",
            (self.revision, _digest(self.revision, *rows)),
        )


def create_catalog(connection: sqlite3.Connection) -> Catalog:
    """Write the row of an empty store."""
    connection.execute("INSERT INTO store (id, revision, digest) VALUES (1, 0, ?)", (_digest(0),))
    return Catalog(connection)


def sha256(blob: bytes) -> bytes:
    """Digest a manifest, or the content of a small file."""
    return hashlib.sha256(blob).digest()


def _digest(*parts: object) -> bytes:
    return sha256(json.dumps(parts, default=bytes.hex).encode())


def _corrupt(what: str) -> DncCorruptError:
    return DncCorruptError(
        f"{what} does not match its digest: the store is damaged; restore it from a backup, or "
        "rebuild it from the list files"
    )
