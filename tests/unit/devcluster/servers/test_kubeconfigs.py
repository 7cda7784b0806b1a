"""Kubeconfigs: each contains all that a client needs, and only its owner can read it."""

import base64
import json
import stat
from pathlib import Path

import pytest

from devcluster.servers.certificates import Pair
from devcluster.servers.kubeconfigs import certificate_user, kubeconfig, token_user, write_kubeconfig


def test_a_kubeconfig_has_one_cluster_one_user_and_one_context() -> None:
    authority = base64.b64encode(b"authority").decode()
    cluster = {"server": "https://127.0.0.1:20001", "certificate-authority-data": authority}
    context = {"cluster": "devcluster", "user": "devcluster", "namespace": "jobs"}

    assert kubeconfig(url="https://127.0.0.1:20001", ca=b"authority", user=token_user("secret"), namespace="jobs") == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "devcluster", "cluster": cluster}],
        "users": [{"name": "devcluster", "user": {"token": "secret"}}],
        "contexts": [{"name": "devcluster", "context": context}],
        "current-context": "devcluster",
    }


def test_kubeconfig_contains_the_client_certificate(tmp_path: Path) -> None:
    pair = Pair(certificate=tmp_path / "a.crt", key=tmp_path / "a.key")
    pair.certificate.write_bytes(b"certificate")
    pair.key.write_bytes(b"key")
    assert certificate_user(pair) == {
        "client-certificate-data": base64.b64encode(b"certificate").decode(),
        "client-key-data": base64.b64encode(b"key").decode(),
    }


@pytest.mark.parametrize("before", [False, True], ids=["new", "in place of a file that others can read"])
def test_a_kubeconfig_is_readable_for_its_owner_alone(before: bool, tmp_path: Path) -> None:
    path = tmp_path / "admin"
    if before:
        path.touch(mode=0o644)
    assert write_kubeconfig(path, {"kind": "Config"}) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"kind": "Config"}
