"""Control plane: what a cluster without nodes and a real node have in common, kubectl and kubeconfigs above all."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from devcluster import commands
from devcluster.files import write_private
from devcluster.servers.certificates import Pair
from devcluster.servers.running import Running

_KUBECTL_SECONDS = 300.0
_NAME = "devcluster"  # of cluster, user and context in a kubeconfig


class ControlPlane(Running):
    """A running control plane."""

    url: str
    """Address of the API server."""
    ca: Path
    """Certificate of the authority that signed the API server's certificate."""
    kubeconfig: Path
    """Kubeconfig of an administrator."""
    kubectl_program: Path
    """kubectl of the same release."""

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 -- as in subprocess.run
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout_seconds: float = _KUBECTL_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator, or as the user of `kubeconfig`.

        With `check`, a failure is a CommandError.
        """
        environment = {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            # The cache in the home folder is by address: an earlier cluster on the same port had other resources.
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
        }
        return commands.run(
            [self.kubectl_program, *args],
            stdin=input,
            check=check,
            environment=environment,
            timeout_seconds=timeout_seconds,
        )

    def _write_kubeconfig(self, path: Path, user: dict[str, str], *, namespace: str = "default") -> Path:
        return write_kubeconfig(path, url=self.url, ca=self.ca.read_bytes(), user=user, namespace=namespace)


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
