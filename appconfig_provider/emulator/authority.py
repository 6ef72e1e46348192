"""A certificate authority for development: it signs the certificates that local servers show.

Strict checkers find in them what they look for. The authority is a key and a certificate; where
they are kept, and for how long, is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_LEAF_VALID = timedelta(days=365)
_AUTHORITY_VALID = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs certificates; the repr hides the key."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return "Authority()"

    @property
    def pem(self) -> bytes:
        """What a client has to trust."""
        from cryptography.hazmat.primitives import serialization

        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, which must stay private."""
        return _private(self.key)

    def issue(self, names: Sequence[str]) -> tuple[bytes, bytes]:
        """A certificate for names and addresses, and its private key."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(key, self, names)
        return leaf.public_bytes(serialization.Encoding.PEM), _private(key)


def make_authority() -> Authority:
    """A new authority, for ten years."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("appconfig-provider emulator")
    builder = _builder(key, name, name, _AUTHORITY_VALID)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(pem: bytes, key_pem: bytes) -> Authority:
    """The authority whose certificate and private key these are.

    Raises:
        ValueError: they are not what :func:`make_authority` made, or are out of date.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
        signs = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise ValueError("they cannot be read as a CA certificate and its private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not signs:
        raise ValueError("they are no CA that the emulator has made")
    if key.public_key() != certificate.public_key():
        raise ValueError("the private key is that of another certificate")
    if datetime.now(timezone.utc) >= valid_until(certificate):
        raise ValueError("the CA certificate has expired")
    return Authority(certificate, key)


def valid_until(certificate: x509.Certificate) -> datetime:
    """When a certificate ends."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)  # before cryptography 42


def _private(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _leaf(
    key: EllipticCurvePrivateKey, authority: Authority, names: Sequence[str]
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = _builder(key, _name("localhost"), authority.certificate.subject, _LEAF_VALID)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    for extension, critical in (
        (x509.SubjectAlternativeName([_general(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (issuer, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    key: EllipticCurvePrivateKey, subject: x509.Name, issuer: x509.Name, valid: timedelta
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
        .not_valid_after(now + valid)
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
        return x509.IPAddress(ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name.lower().removesuffix("."))
