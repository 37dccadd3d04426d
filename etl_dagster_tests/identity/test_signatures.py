"""Keys and signatures: only what was signed verifies, and no key is ever shown."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from etl_dagster.identity.signatures import KeyFileError, Signature, is_signed, make_keys, sign


def test_what_was_signed_verifies_and_nothing_else(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "new")
    _, other = make_keys(tmp_path / "other")
    signature = sign(b"text", private)
    assert is_signed(b"text", signature, public)
    assert not is_signed(b"other", signature, public)
    assert not is_signed(b"text", signature, other)
    for value in ("", "!", signature.value[:-8]):
        assert not is_signed(b"text", Signature(signature.key_id, value), public)


def test_a_private_key_is_its_owners_and_never_replaced(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path)
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_bytes(), public.read_bytes()
    with pytest.raises(KeyFileError, match="has a key already"):
        make_keys(tmp_path)
    assert (private.read_bytes(), public.read_bytes()) == before
    with pytest.raises(KeyFileError, match="Not a directory"):
        make_keys(private / "within")


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "public", "rsa", "pass phrase"])
def test_what_is_no_key_is_one_line_that_shows_nothing_of_it(tmp_path: Path, kind: str) -> None:
    _, public = make_keys(tmp_path)
    path = tmp_path / "given.pem"
    pem, private = form.Encoding.PEM, form.PrivateFormat.PKCS8
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n")
    elif kind == "public":
        path = public
    elif kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        path.write_bytes(key.private_bytes(pem, private, form.NoEncryption()))
    elif kind == "pass phrase":
        locked = form.BestAvailableEncryption(b"hush")
        path.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(pem, private, locked))
    with pytest.raises(KeyFileError) as caught:
        sign(b"text", path)
    assert str(path) in str(caught.value)
    assert "hush" not in str(caught.value)
    if kind != "public":
        with pytest.raises(KeyFileError, match=r"given\.pem"):
            is_signed(b"text", Signature("", ""), path)
