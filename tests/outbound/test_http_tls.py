"""Certificates and names are verified against the URL, although the connection goes to an address."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outbound import http_client
from outbound.exceptions import FetchFailed
from outbound.fetch import fetch_to_file
from tests.outbound.test_http_fetch import BODY, Site, local


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for files.test, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files.test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("files.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def names() -> list[str]:
    """The server names in the TLS handshakes of clients."""
    return []


@pytest.fixture
def secure_site(certificate, names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda connection, name, _: names.append(name)
    site = Site(context)
    site.serve()
    yield site
    site.close()


@pytest.fixture
def trusted(certificate, monkeypatch):
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(http_client, "tls_context", lambda: context)


def fetch(site, host, target):
    url = f"https://{host}:{site.port}/file"
    return fetch_to_file(url, target, allow_hosts=[(host, None)], max_bytes=10_000_000, resolver=local)


def test_the_name_of_the_url_is_sent_and_verified(secure_site, trusted, names, tmp_path) -> None:
    assert fetch(secure_site, "files.test", tmp_path / "file").size_bytes == len(BODY)
    assert names == ["files.test"]


def test_a_certificate_for_another_name_is_not_trusted(secure_site, trusted, tmp_path) -> None:
    with pytest.raises(FetchFailed) as caught:
        fetch(secure_site, "other.test", tmp_path / "file")
    assert caught.value.reason == "certificate_invalid"
    assert secure_site.requests == []


def test_a_self_signed_certificate_is_not_trusted(secure_site, tmp_path) -> None:
    with pytest.raises(FetchFailed) as caught:
        fetch(secure_site, "files.test", tmp_path / "file")
    assert caught.value.reason == "certificate_invalid"
    assert secure_site.requests == []
