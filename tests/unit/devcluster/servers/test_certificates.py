"""Certificates: they name users and hosts as Kubernetes reads them."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from devcluster.servers.arguments import HOSTS
from devcluster.servers.certificates import Authority, Pair, signing_key


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def test_certificate_has_every_name_that_clients_use(authority: Authority) -> None:
    names = read(authority.issue("server", user="kube-apiserver", hosts=HOSTS)).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in found.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "10.0.0.1"]
    assert "kubernetes.default.svc" in found.get_values_for_type(x509.DNSName)


def test_client_certificate_has_user_and_group(authority: Authority) -> None:
    subject = read(authority.issue("client", user="anna", group="team")).subject
    assert subject.rfc4514_string() == "CN=anna,O=team"


def test_two_clusters_share_no_authority(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    assert Authority(tmp_path / "two").certificate.read_bytes() != authority.certificate.read_bytes()


def test_a_certificate_is_signed_by_its_authority(authority: Authority) -> None:
    signer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    read(authority.issue("client", user="anna")).verify_directly_issued_by(signer)


def test_key_matches_its_certificate_and_is_private(authority: Authority) -> None:
    pair = authority.issue("client", user="anna")
    ssl.create_default_context().load_cert_chain(pair.certificate, pair.key)
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600


def test_key_of_tokens_is_private_beside_a_public_key(tmp_path: Path) -> None:
    private, public = signing_key(tmp_path, "tokens")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
