"""The small local web over https: its certificate authority, its server, and what a service needs to reach it."""

import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.local.emulator.site import HOSTS, REDIRECT_HOST, REDIRECT_PATH, pages, redirects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_CA_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=30)


def prepare(state_dir: Path, port: int) -> dict[str, str]:
    """Makes the authority and the certificate of all hosts, once, and returns the environment that services need.

    FETCH_STATIC_HOSTS: JSON, host name to "127.0.0.1:port". FETCH_CA_FILE: the authority, PEM.
    Safe to call from several processes at once.
    """
    files = CertificateFiles(state_dir)
    with _locked(state_dir):
        if not files.usable():
            files.write()
    hosts = dict.fromkeys(HOSTS, f"127.0.0.1:{port}")
    return {"FETCH_STATIC_HOSTS": json.dumps(hosts), "FETCH_CA_FILE": str(files.ca.resolve())}


class CertificateFiles:
    """`web-ca.pem` and `web-cert.pem` (certificate and key together) in a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.ca = state_dir / "web-ca.pem"
        self.leaf = state_dir / "web-cert.pem"

    def usable(self) -> bool:
        """True when the certificate is for all hosts and holds for a while."""
        if not (self.ca.exists() and self.leaf.exists()):
            return False
        leaf = x509.load_pem_x509_certificate(self.leaf.read_bytes())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fresh = leaf.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
        return fresh and set(names.get_values_for_type(x509.DNSName)) >= set(HOSTS)

    def write(self) -> None:
        """A new authority, whose key is thrown away, and one certificate signed by it."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        ca = _authority(ca_key)
        leaf = _leaf(leaf_key, ca, ca_key)
        private = leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _replace(self.ca, ca.public_bytes(serialization.Encoding.PEM))
        _replace(self.leaf, leaf.public_bytes(serialization.Encoding.PEM) + private)


def create_web_app() -> Starlette:
    """The local web's pages, by host name and path, and the redirects of grounding links."""
    return Starlette(
        routes=[
            Route(REDIRECT_PATH + "{token}", _redirect, methods=["GET", "HEAD"]),
            Route("/robots.txt", _robots, methods=["GET", "HEAD"]),
            Route("/{path:path}", _page, methods=["GET", "HEAD"]),
        ]
    )


async def _redirect(request: "Request") -> Response:
    address = redirects().get(request.path_params["token"])
    if request.url.hostname != REDIRECT_HOST or address is None:
        return PlainTextResponse("Not Found", status_code=404)
    return RedirectResponse(address, status_code=302)


async def _robots(_request: "Request") -> Response:
    return PlainTextResponse("User-agent: *\nAllow: /\n")


async def _page(request: "Request") -> Response:
    page = pages().get((request.url.hostname or "", request.url.path))
    if page is None:
        return HTMLResponse("<!DOCTYPE html><title>404</title><h1>Página não encontrada</h1>", status_code=404)
    return HTMLResponse(page)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Local web of the emulator")])
    return (
        _builder(name, name, key.public_key(), _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])])
    return (
        _builder(name, ca.subject, key.public_key(), _LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + life)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)


@contextmanager
def _locked(state_dir: Path) -> "Iterator[None]":
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / ".web.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
