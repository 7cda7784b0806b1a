"""Certificates for one cluster: its own authority, and the certificates that it signs.

They exist as long as the run. Keys are elliptic: making one takes a millisecond, an RSA key up to a second.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devcluster.files import write_private

_LIFETIME = dt.timedelta(days=365)  # a laptop's cluster may run for long
_CLOCK_SKEW = dt.timedelta(minutes=5)  # between this machine and a container on it


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs the certificates of one cluster."""

    def __init__(self, folder: Path) -> None:
        """Make an authority with its files in `folder`. Its own key stays in memory."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("devcluster")
        public = self._key.public_key()
        certificate = (
            _builder(subject=self._name, issuer=self._name, key=public, is_authority=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file_name: str, *, user: str, group: str | None = None, hosts: Sequence[str] = ()) -> Pair:
        """Sign a client certificate for `user` of `group`, which may also serve as `hosts`."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _builder(subject=_name(user, group), issuer=self._name, key=key.public_key(), is_authority=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([*map(_host, hosts)]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = Pair(certificate=self._folder / f"{file_name}.crt", key=self._folder / f"{file_name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private(pair.key, _private(key))
        return pair


def signing_key(folder: Path, file_name: str) -> tuple[Path, Path]:
    """Make a key pair for service-account tokens, and return the files of the private and the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{file_name}.key", folder / f"{file_name}.pub"
    write_private(private, _private(key))
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _builder(
    *, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, is_authority: bool
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    signs = is_authority  # certificates, and lists of revoked ones
    usage = x509.KeyUsage(True, False, False, False, False, signs, signs, False, False)  # all sign data
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
    )


def _name(user: str, group: str | None = None) -> x509.Name:
    """Return a subject: Kubernetes reads the user from the common name, and the group from the organisation."""
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
