"""The same over TLS, as in production: trust, deadlines and cutting off."""

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from etl_dagster.ccc import CccClient, CccConfig, CccScrubber
from etl_dagster.ccc.errors import CccConnectionError
from etl_dagster.sandbox.ccc_service import CccSandbox, CccSandboxOptions
from etl_dagster_tests.ccc.conftest import Sandbox, leave_at_once, phones
from etl_dagster_tests.ccc.test_scrubber import table, truth
from etl_dagster_tests.stand_ins import in_thread

Settings = Callable[..., CccConfig]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[Sandbox]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    service = CccSandbox(CccSandboxOptions(latency_ms=1))
    with in_thread(service, tls=context) as url:
        yield Sandbox(service, url)


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("_trusted")
def test_a_scrub_over_tls(secure: Sandbox, settings: Settings) -> None:
    assert secure.url.startswith("https:")
    with CccScrubber(settings(url=secure.url, batch_size=50)) as scrubber:
        assert table(scrubber.scrub(phones(300))) == truth(phones(300))


def test_a_certificate_that_is_not_trusted_gets_no_phones(
    secure: Sandbox, settings: Settings
) -> None:
    with pytest.raises(CccConnectionError):
        CccClient(settings(url=secure.url)).ask(phones(3))
    assert secure.requests == 0


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("kind", ["drip", "drip_headers", "hang"])
def test_the_total_time_holds_over_tls(secure: Sandbox, settings: Settings, kind: str) -> None:
    secure.fault(kind, seconds=0.05)
    started = time.monotonic()
    with pytest.raises(CccConnectionError):
        CccClient(settings(url=secure.url)).ask(phones(20))
    assert time.monotonic() - started < 1.5


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_cancelling_cuts_off_over_tls(secure: Sandbox, settings: Settings, kind: str) -> None:
    secure.fault(kind, batches=range(8, 1_000), seconds=20.0)
    leave_at_once(settings(url=secure.url, batch_size=10, read_timeout=30.0, answer_timeout=60.0))


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("kind", ["reset", "reset_in_body", "truncated"])
def test_broken_connections_over_tls_are_failures(
    secure: Sandbox, settings: Settings, kind: str
) -> None:
    secure.fault(kind, batches=[2])
    with CccScrubber(settings(url=secure.url)) as scrubber:
        assert table(scrubber.scrub(phones(20))) == truth(phones(20))
        assert scrubber.summary.retries == 1
