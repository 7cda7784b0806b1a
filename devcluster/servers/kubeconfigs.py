"""Kubeconfigs: files that contain their certificates, so that they can be copied anywhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from devcluster.files import write_private
from devcluster.servers.certificates import Pair

_NAME = "devcluster"


def certificate_user(pair: Pair) -> dict[str, str]:
    """Return a user with a client certificate."""
    return {
        "client-certificate-data": _encoded(pair.certificate.read_bytes()),
        "client-key-data": _encoded(pair.key.read_bytes()),
    }


def write_kubeconfig(path: Path, *, url: str, ca: bytes, user: dict[str, str], namespace: str = "default") -> Path:
    """Write a kubeconfig with one cluster, one user and one context, which only this user of the machine can read."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": url, "certificate-authority-data": _encoded(ca)}}],
        "users": [{"name": _NAME, "user": user}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME, "namespace": namespace}}],
        "current-context": _NAME,
    }
    write_private(path, json.dumps(content, indent=2).encode())  # every YAML reader reads JSON
    return path


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
