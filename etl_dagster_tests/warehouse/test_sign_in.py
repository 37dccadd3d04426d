"""What keeps from signing in is named, with Snowflake's words, and no secret."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from etl_dagster.warehouse.config import WarehouseConfig
from etl_dagster.warehouse.errors import SignInError
from etl_dagster.warehouse.session import Warehouse

PHRASE = "open sesame"
CONFIG = WarehouseConfig(account="acme", user="ETL", database="SALES", schema="LEAD_SCRUB")


@contextmanager
def refusing(code: str, words: str, *, status: int = 200) -> Iterator[WarehouseConfig]:
    """An account that lets nobody in, as Snowflake says it."""
    said = json.dumps({"data": {}, "code": code, "message": words, "success": False}).encode()

    class Account(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Account)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = {"host": "127.0.0.1", "port": server.server_port, "protocol": "http"}
        yield replace(CONFIG, password="hunter2", connection_args=address, login_timeout=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        ("390100", "Incorrect username or password was specified.", 200),
        ("390144", "JWT token is invalid. [89a5e1c6]", 200),
        ("394304", "JWT token is invalid. [89a5e1c6]", 200),
        ("394300", "JWT token is invalid. [5c1f20aa]", 200),
        ("390189", "Role 'NOBODY' specified in the connect string is not granted", 200),
        ("390420", "Incoming request with IP/Token 203.0.113.77 is not allowed", 200),
        ("", "404 Not Found", 404),
        ("", "Verify the account name is correct", 403),
    ],
)
def test_who_is_not_let_in_is_told_why(code: str, words: str, status: int) -> None:
    with refusing(code, words, status=status) as config, pytest.raises(SignInError) as caught:
        Warehouse(config).session().__enter__()
    text = str(caught.value)
    assert words in text
    assert "SNOWFLAKE_ACCOUNT" in text
    assert "hunter2" not in text
    assert "\n" not in text


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, phrase: str = "") -> str:
    how = form.BestAvailableEncryption(phrase.encode()) if phrase else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, how).decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_a_key_is_taken_from_its_file_or_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    for phrase in ("", PHRASE):
        path.write_text(pem(RSA, phrase))
        for config in (
            replace(CONFIG, private_key=pem(RSA, phrase)),
            replace(CONFIG, private_key_path=str(path)),
        ):
            given = replace(config, private_key_password=phrase or None).connector_arguments({})
            key = form.load_der_private_key(given["private_key"], password=None)
            assert isinstance(key, rsa.RSAPrivateKey)
            assert key.private_numbers() == RSA.private_numbers()
            assert not {"password", "private_key_file"} & given.keys()


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n", ""),
        ("hush", ""),
        ("", ""),
        (pem(RSA, PHRASE), ""),
        (pem(RSA, PHRASE), "hush"),
        (pem(RSA), PHRASE),
        (pem(ed25519.Ed25519PrivateKey.generate()), ""),
    ],
)
def test_what_is_no_key_is_one_line_that_shows_nothing_of_it(
    tmp_path: Path, text: str, phrase: str
) -> None:
    path = tmp_path / "key.p8"
    path.write_text(text)
    for name, config in (
        ("SNOWFLAKE_PRIVATE_KEY ", replace(CONFIG, private_key=text)),
        (f"SNOWFLAKE_PRIVATE_KEY_PATH: {path} ", replace(CONFIG, private_key_path=str(path))),
    ):
        with pytest.raises(SignInError, match="is not an RSA private key in PEM") as caught:
            Warehouse(replace(config, private_key_password=phrase or None)).session().__enter__()
        said = str(caught.value)
        assert said.startswith(name)
        assert caught.value.__cause__ is None
        assert not [secret for secret in ("hush", "BEGIN", PHRASE, "\n") if secret in said]


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing.p8", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SignInError, match=f"{path}: {words}"):
            replace(CONFIG, private_key_path=str(path)).connector_arguments({})
