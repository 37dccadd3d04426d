"""List files on disk: their digest, what is inside them, and guards against hostile archives.

Belongs here: bytes. Does not: what the bytes say (formats.py, xml_lists.py).
"""

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from etl_dagster.dnc.errors import DncFormatError, printable

MOST_MEMBERS: Final = 10_000
MOST_BYTES: Final = 64 * 1024**3
"""Of an unpacked archive: over ten times the whole registry as text."""
MOST_RATIO: Final = 250
"""Unpacked to packed. Sorted numbers as XML reach about 40; a zip bomb 1,000."""
RATIO_FROM: Final = 64 * 1024**2
"""Unpacked bytes from which the ratio is judged."""
_BLOCK: Final = 4 * 1024**2
_ENCRYPTED: Final = 0x1
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""What reading a damaged archive raises."""
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways of packing that are unpacked piece by piece; of others one piece can fill the memory."""


Progress = Callable[[int, int, int], None]
"""Told now and then how far a load has come: bytes read, bytes in all, and numbers read so far."""


@dataclass(frozen=True)
class SourceFile:
    """A file as recorded with the version that it made; of a full list, with its source."""

    name: str
    sha256: str
    size: int
    source: str = ""


@dataclass(frozen=True)
class Member:
    """A stream of list data: a file, whose last line may have no end, or one of an archive."""

    name: str
    stream: io.BufferedReader
    open_end: bool = False


def identify(paths: Sequence[Path]) -> list[SourceFile]:
    """Digest files, so that the same input is recognised whatever it is called.

    Raises:
        DncFormatError: a file is missing, empty, or not a file.
    """
    if not paths:
        raise DncFormatError("no list file given")
    out = []
    for path in paths:
        if not path.is_file():
            raise DncFormatError(f"{path} is not a file: pass list files, not folders")
        if not path.stat().st_size:
            raise DncFormatError(f"{path.name} is empty: an empty list would clear everybody")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        out.append(SourceFile(printable(path.name), digest, path.stat().st_size))
    return out


def inputs_digest(files: Sequence[SourceFile], *extra: object) -> bytes:
    """Digest a set of files, in any order, with what else the load depends on."""
    parts = [*sorted(file.sha256 for file in files), *map(repr, extra)]
    return hashlib.sha256("\n".join(parts).encode()).digest()


@contextmanager
def unchanged(paths: Sequence[Path]) -> Iterator[None]:
    """Make sure that files are not written to while they are digested and read.

    Raises:
        DncFormatError: one was.
    """
    before = {path: _stamp(path) for path in paths if path.is_file()}
    yield
    for path, stamp in before.items():
        if _stamp(path) != stamp:
            raise DncFormatError(
                f"{path.name} changed while it was read: wait until it is complete"
            )


def members(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Member]:
    """Open a list file, or each file inside a zip archive, as a stream.

    Args:
        path: the file.
        on_bytes: told how many bytes of the file were read, each time.

    Raises:
        DncFormatError: the archive is damaged, encrypted, nested, empty or a bomb.
    """
    with _Metered(path, on_bytes) as raw:
        if not zipfile.is_zipfile(raw):
            raw.seek(0)
            if raw.read(4) == b"PK\3\4":
                raise DncFormatError(f"{path.name} is a zip archive cut off: fetch it again")
            raw.seek(-1, os.SEEK_END)
            open_end = raw.read(1) not in b"\r\n"
            raw.seek(0)
            yield Member(path.name, io.BufferedReader(raw, _BLOCK), open_end)
            return
        try:
            with zipfile.ZipFile(raw) as archive:
                yield from _unzipped(path.name, archive)
        except _DAMAGE:  # whose words quote names
            raise DncFormatError(f"{path.name} is a damaged zip archive: fetch it again") from None


def _unzipped(name: str, archive: zipfile.ZipFile) -> Iterator[Member]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if not infos or len(infos) > MOST_MEMBERS:
        raise DncFormatError(f"{name} holds {len(infos):,} files: 1 to {MOST_MEMBERS:,} expected")
    budget = _Budget(name)
    for info in infos:
        if info.flag_bits & _ENCRYPTED:
            raise DncFormatError(f"{name} is encrypted: unpack it and load what is inside")
        if info.compress_type not in _BOUNDED:
            raise DncFormatError(f"{name} is packed in a rare way: pack it as usual (deflate)")
        with archive.open(info) as stream:
            yield Member(
                f"{name}!{info.filename}",
                io.BufferedReader(_Guarded(stream, info.compress_size, budget), _BLOCK),
            )


class _Metered(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._on_bytes = on_bytes

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        count = super().readinto(buffer) or 0
        self._on_bytes(count)
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._on_bytes(len(data))
        return data


class _Budget:
    """How much an archive may still unpack to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unpacked = 0


class _Guarded(io.RawIOBase):
    """A member of an archive that stops where it unpacks to more than a list can be."""

    def __init__(self, stream: IO[bytes], packed: int, budget: _Budget) -> None:
        self._stream, self._packed, self._budget = stream, packed, budget
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(min(len(buffer), _BLOCK))
        except _DAMAGE:
            raise DncFormatError(
                f"{self._budget.name} is a damaged zip archive: fetch it again"
            ) from None
        self._read += len(data)
        self._budget.unpacked += len(data)
        ratio = self._read / max(self._packed, 1)
        if self._budget.unpacked > MOST_BYTES or (self._read > RATIO_FROM and ratio > MOST_RATIO):
            raise DncFormatError(
                f"{self._budget.name} unpacks to far more than a list can be "
                f"({self._budget.unpacked:,} bytes, {ratio:.0f} times its size): not loaded"
            )
        buffer[: len(data)] = data
        return len(data)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
