"""Control plane: what a cluster without nodes and a real node have in common, kubectl above all."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devcluster import commands
from devcluster.servers.kubeconfigs import write_kubeconfig
from devcluster.servers.running import Running

_KUBECTL_SECONDS = 300.0


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
        """Run kubectl as an administrator, or as the user of `kubeconfig`. With `check`, a failure is a CommandError."""
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
