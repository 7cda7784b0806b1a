"""A kubeconfig holds all that a client needs, and only its owner can read it."""

import base64
import json
import stat
from pathlib import Path

from devcluster.servers.certificates import Pair
from devcluster.servers.kubeconfigs import certificate_user, kubeconfig, token_user, write_kubeconfig


def test_a_kubeconfig_has_one_cluster_one_user_and_one_context() -> None:
    assert kubeconfig(url="https://127.0.0.1:20001", ca=b"authority", user=token_user("secret"), namespace="jobs") == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "devcluster",
                "cluster": {
                    "server": "https://127.0.0.1:20001",
                    "certificate-authority-data": base64.b64encode(b"authority").decode(),
                },
            }
        ],
        "users": [{"name": "devcluster", "user": {"token": "secret"}}],
        "contexts": [
            {"name": "devcluster", "context": {"cluster": "devcluster", "user": "devcluster", "namespace": "jobs"}}
        ],
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


def test_a_kubeconfig_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "admin", {"kind": "Config"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"kind": "Config"}


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    path.touch(mode=0o644)
    write_kubeconfig(path, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
