"""A certificate for this machine, made at its first use and thrown away when the process ends.

It is signed by an authority of its own, so a client trusts it by one CA file, and strict checkers
find what they look for. The private key of the authority is never written down.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VAULT_DOMAIN = "vault.localhost"
"""Where vaults with a name are; the certificate of this machine is theirs, too."""
_HERE = ("localhost", "127.0.0.1", "::1", f"*.{VAULT_DOMAIN}")
_VALID = timedelta(days=365)
_lock = threading.Lock()
_made: dict[tuple[str, ...], Certificate] = {}


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: what a client trusts, what a server shows, and its private key."""

    ca_file: str
    chain_file: str
    key_file: str


def local_certificate(host: str = "localhost") -> Certificate:
    """The certificate of this process for a host, and always for this machine's own names."""
    names = _HERE if host in _HERE else (*_HERE, host)
    with _lock:
        if names not in _made:
            folder = Path(tempfile.mkdtemp(prefix="appconfig-emulator-"))
            atexit.register(_remove, folder, os.getpid())
            _made[names] = _make(folder, names)
        return _made[names]


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child leaves its parent's files alone
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, names: tuple[str, ...]) -> Certificate:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(ca_key)
    leaf = _leaf(key, authority, ca_key, names)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = {
        "ca.pem": authority.public_bytes(pem),
        "chain.pem": leaf.public_bytes(pem),
        "key.pem": secret,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return Certificate(*(str(folder / name) for name in contents))


def _authority(key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("appconfig-provider emulator")
    builder = _builder(key, name, name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _leaf(
    key: EllipticCurvePrivateKey,
    authority: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    names: tuple[str, ...],
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = _builder(key, _name("localhost"), authority.subject)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    for extension, critical in (
        (x509.SubjectAlternativeName([_general(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (identifier, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(ca_key, hashes.SHA256())


def _builder(
    key: EllipticCurvePrivateKey, subject: x509.Name, issuer: x509.Name
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
