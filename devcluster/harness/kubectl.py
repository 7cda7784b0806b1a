"""kubectl in one namespace, as a user types it: for tests of the API server's own rules, without an operator.

`devcluster.harness.jobs` is for jobs that an operator runs; here a refusal is a result, and no error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.harness.manifests import manifest
from devcluster.servers.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command."""

    accepted: bool
    text: str  # both streams


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Commands in one namespace, as an administrator or as the user of `kubeconfig`."""

    cluster: Cluster
    namespace: str
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str | Path, text: str | None = None) -> Answer:
        """Run one command; `text` is its standard input."""
        done = self.cluster.kubectl(
            "-n", self.namespace, *arguments, input=text, check=False, kubeconfig=self.kubeconfig
        )
        return Answer(done.returncode == 0, done.stdout + done.stderr)

    def create(self, name: str = "job", **spec: Any) -> str:
        """Create a job that must be admitted, with an input and the fields of `spec`. Returns its name."""
        body = json.dumps(manifest(name, namespace=self.namespace, **spec))
        self.cluster.kubectl("create", "-f", "-", input=body, kubeconfig=self.kubeconfig)
        return name

    def get(self, name: str) -> dict[str, Any]:
        """Return the job."""
        done = self.cluster.kubectl(
            "-n", self.namespace, "get", "recon", name, "-o", "json", kubeconfig=self.kubeconfig
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def change(self, name: str, **spec: Any) -> Answer:
        """Patch the spec, as a user does."""
        return self.patch(name, {"spec": spec})

    def report(self, name: str, **status: Any) -> Answer:
        """Patch the status, as the operator does."""
        return self.patch(name, {"status": status}, "--subresource=status")

    def patch(self, name: str, body: Mapping[str, Any], *options: str) -> Answer:
        """Send a JSON merge patch. It goes through standard input, since an argument is limited to 128 kB."""
        return self("patch", "recon", name, "--type=merge", "--patch-file=/dev/stdin", *options, text=json.dumps(body))
