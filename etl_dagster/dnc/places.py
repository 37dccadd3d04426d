"""Where snapshots are kept: a folder, a bucket, or whatever fsspec speaks.

Belongs here: reading and writing whole files there, and its errors as this package's. Does not:
what the files are. No message holds what a URL has besides scheme, host and path: keys travel
there.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

from etl_dagster.dnc.errors import DncError, DncMissingError, DncUsageError
from etl_dagster.dnc.schema import own_file

BLOCK: Final = 8 * 1024**2
"""Bytes that are in memory at once."""
PARTS: Final = "uploads"
"""Folder of files on their way, where a file does not appear whole by itself."""
_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"})
"""Protocols whose files appear whole or not at all."""


class Place:
    """A folder of snapshots, near or far.

    Args:
        url: a path, or a URL such as `s3://bucket/prefix`.

    Raises:
        DncUsageError: no such kind of place, or what speaks it is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # noqa: PLC0415  most uses of the store need none

        self.shown, self._secrets = _told(url)
        if "::" in url:
            raise DncUsageError(f"{self.shown}: expected one place, not a chain of them")
        try:
            self._files, self._root = fsspec.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise DncUsageError(
                f"{self.shown}: what speaks this protocol is not installed (for s3:// install"
                " etl-dagster[s3])"
            ) from error
        except (ValueError, OSError) as error:
            raise DncUsageError(f"{self.shown}: {self._hushed(error)}") from None
        protocol = self._files.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)

    def read(self, name: str, *, most: int) -> bytes | None:
        """Read a small file; None if there is none.

        Raises:
            DncError: it cannot be read, or is longer than `most` bytes.
        """
        with self._translated(name):
            try:
                content = b""
                with self._open(name) as file:  # which may give less than it is asked for
                    while len(content) <= most and (more := file.read(most + 1 - len(content))):
                        content += more
            except FileNotFoundError:
                return None
        if len(content) > most:
            raise DncError(f"{self.shown}/{name}: expected at most {most:,} bytes: another file?")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, over another one if there is one; it appears whole or not at all."""
        with self._translated(name), self._appearing(name) as path:
            self._files.pipe_file(path, content)

    def upload(self, file: Path, name: str) -> None:
        """Copy a file there; it appears whole or not at all."""
        many = {"chunksize": 2 * BLOCK, "max_concurrency": 2} if "s3" in self._protocols else {}
        with self._translated(name), self._appearing(name) as path:
            self._files.put_file(str(file), path, **many)

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if there is none."""
        with self._translated(name):
            try:
                self._files.invalidate_cache()
                return int(self._files.size(self._at(name)))
            except FileNotFoundError:
                return None

    def download(self, name: str, into: BinaryIO, *, size: int) -> str:
        """Copy a file from there as far as it was promised to go; return its SHA-256.

        Raises:
            DncMissingError: there is none.
            DncError: it cannot be read, or has not `size` bytes.
        """
        digest, got = hashlib.sha256(), 0
        with self._translated(name):
            try:
                with self._open(name) as file:
                    while got <= size and (block := file.read(BLOCK)):
                        into.write(block)
                        digest.update(block)
                        got += len(block)
            except FileNotFoundError:
                raise DncMissingError(
                    f"{self.shown}/{name} is not there, though the pointer names it: export again"
                ) from None
        if got != size:
            raise DncError(
                f"{self.shown}/{name}: {'more than ' if got > size else ''}{min(got, size):,} of"
                f" {size:,} bytes: cut off or another file; remove it and export again"
            )
        return digest.hexdigest()

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder; none if there is no folder."""
        with self._translated(folder):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._at(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(name for one in found if (name := one.rstrip("/").rpartition("/")[2]))

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""
        with self._translated(name), suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def sweep(self) -> None:
        """Remove what a killed upload left; only who is alone in uploading may."""
        for name in self.names(PARTS):
            self.remove(f"{PARTS}/{name}")

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _open(self, name: str) -> Any:
        return self._files.open(self._at(name), "rb", block_size=BLOCK, cache_type="none")

    @contextmanager
    def _appearing(self, name: str) -> Iterator[str]:
        """Give a path to write at; what is written there is at `name` when the body is done."""
        path = self._at(name)
        if self._protocols & _WHOLE:
            yield path
            return
        draft = self._at(f"{PARTS}/{uuid.uuid4().hex}.{os.getpid()}")
        for one in (draft, path):
            self._files.makedirs(one.rpartition("/")[0], exist_ok=True)
        try:
            if "file" in self._protocols:
                own_file(Path(draft))  # it holds phones, whatever the umask
            yield draft
            self._files.mv(draft, path)
        except BaseException:
            with suppress(Exception):
                self._files.rm_file(draft)
            raise

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        try:
            yield
        except DncError:
            raise
        except Exception as error:  # noqa: BLE001  each file system has errors of its own
            raise DncError(f"{self.shown}/{name}: {self._hushed(error)}") from None

    def _hushed(self, error: Exception) -> str:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _told(url: str) -> tuple[str, list[str]]:
    """What messages call a URL, and texts of it that none may hold, longest first.

    A key that was pasted as it is may have `/`, `?` or `#` in it, where no URL has one.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return url, []
    before = re.split("[?#]", rest)[0]
    asked = rest[len(before) + 1 :]
    keys, _, place = before.rpartition("@")
    first = before.partition("/")[0]
    if "::" in url or ("@" in asked and ":" in first):
        keys, place = rest, "***"
    elif "@" not in first and ":" not in first:  # it is in the name of a folder
        keys, place = "", before
    password = keys.partition(":")[2]
    told = [url, asked, *asked.split("#"), keys, password, *password.split("/")]
    texts = {text for one in told if one for text in (one, unquote(one))}
    return f"{scheme}://{place}", sorted(texts, key=len, reverse=True)
