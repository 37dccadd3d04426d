"""The folder: all of it or nothing, for its owner's eyes only.

Belongs here: which files there are, modes, the name it gets when it is whole. Does not: what is in
them (`gathering.py`, `page.py`).
"""

import hashlib
import json
import os
import shutil
from importlib import resources
from pathlib import Path
from typing import Final

from etl_dagster.evidence import page, verify
from etl_dagster.evidence.forms import EvidenceError
from etl_dagster.evidence.gathering import Evidence
from etl_dagster.warehouse.export_files import create, left_behind, unfinished

FOLDER_MODE: Final = 0o700
HEADS: Final = "heads.json"
PUBLIC_KEY: Final = "heads_key.pub.pem"


def check_target(folder: Path) -> None:
    """Refuse a place where the folder cannot be put.

    Raises:
        EvidenceError: something is there already, or there is nothing to put it into.
    """
    if not folder.parent.is_dir():
        raise EvidenceError(f"there is no folder {folder.parent}; nothing was written")
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise EvidenceError(f"{folder} exists: choose another name; nothing was written")


def write(
    evidence: Evidence, folder: Path, *, heads: Path | None = None, public_key: Path | None = None
) -> list[str]:
    """Write the folder; it appears whole, or not at all.

    Args:
        evidence: what `gather` found.
        folder: its place; new, or empty.
        heads: a file of heads that was kept, to be put in.
        public_key: of those who signed it, to be put in.

    Returns:
        The names of the files.

    Raises:
        EvidenceError: there is something already, or it cannot be written.
    """
    check_target(folder)
    content = {**evidence.content}
    files = dict(evidence.files)
    try:
        if heads:
            files[HEADS] = heads.read_bytes()
            content["heads"] = {"file": HEADS, "public_key": PUBLIC_KEY if public_key else None}
        if public_key:
            files[PUBLIC_KEY] = public_key.read_bytes()
        files["evidence.json"] = json.dumps(content, indent=1).encode("ascii") + b"\n"
        files["evidence.html"] = page.render(content).encode("utf-8")
        for name, source in {"verify.py": "verify.py", "README.txt": "readme.txt"}.items():
            files[name] = resources.files(__package__).joinpath(source).read_bytes()
        sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
        files[verify.SUMS] = "".join(sums).encode("utf-8")
        for left in left_behind(folder):
            shutil.rmtree(left, ignore_errors=True)
        _put(files, folder)
    except OSError as error:
        raise EvidenceError(f"{folder}: {error.strerror}; nothing was written") from error
    return sorted(files)


def _put(files: dict[str, bytes], folder: Path) -> None:
    partial = unfinished(folder)
    try:
        partial.mkdir(FOLDER_MODE)
        for name, body in files.items():
            path = partial / name
            path.parent.mkdir(FOLDER_MODE, exist_ok=True)
            with create(path) as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
        partial.rename(folder)  # fails if the folder is there and has something in it
    finally:
        shutil.rmtree(partial, ignore_errors=True)
