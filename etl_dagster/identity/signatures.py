"""Ed25519 signatures by keys in PEM files.

Belongs here: making, reading and using keys. Does not: what is signed. No message says more of a
key than the name of its file.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE_NAME: Final = "ledger_key.pem"
PUBLIC_NAME: Final = "ledger_key.pub.pem"


class KeyFileError(ValueError):
    """A key file is missing, is none, or would be overwritten."""


@dataclass(frozen=True)
class Signature:
    """A signature in base64, and its key: 16 hex digits of the public key's SHA-256."""

    key_id: str
    value: str


def make_keys(folder: Path) -> tuple[Path, Path]:
    """Write a new pair of keys; the private one is for its owner's eyes only.

    Returns:
        The private and the public key's file.

    Raises:
        KeyFileError: there is a key already, or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415  50 ms
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    key = ed25519.Ed25519PrivateKey.generate()
    texts = {
        PRIVATE_NAME: key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        ),
        PUBLIC_NAME: key.public_key().public_bytes(
            form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
        ),
    }
    modes = {PRIVATE_NAME: 0o600, PUBLIC_NAME: 0o644}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(folder / name, flags, modes[name]), "wb") as file:
                file.write(text)
    except FileExistsError as error:
        raise KeyFileError(
            f"{folder} has a key already, which is not replaced: what it signed needs it"
        ) from error
    except OSError as error:
        raise KeyFileError(f"{folder}: {error.strerror}") from error
    return folder / PRIVATE_NAME, folder / PUBLIC_NAME


def sign(text: bytes, private_key: Path) -> Signature:
    """Sign with the private key in a PEM file.

    Raises:
        KeyFileError: the file has no such key.
    """
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        key = form.load_pem_private_key(_read(private_key), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        # not chained: a parser's error could quote what it read
        raise KeyFileError(
            f"{private_key} is not an Ed25519 private key in PEM without a pass phrase"
        )
    value = base64.b64encode(key.sign(text)).decode("ascii")
    public = key.public_key().public_bytes_raw()
    return Signature(hashlib.sha256(public).hexdigest()[:16], value)


def is_signed(text: bytes, signature: Signature, public_key: Path) -> bool:
    """Whether the text bears the signature of the public key in a PEM file.

    Raises:
        KeyFileError: the file has no such key.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        key = form.load_pem_public_key(_read(public_key))
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise KeyFileError(f"{public_key} is not an Ed25519 public key in PEM")
    try:
        key.verify(base64.b64decode(signature.value, validate=True), text)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
