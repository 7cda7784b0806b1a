"""kubectl in one namespace, as a user types it: for tests of the API server's own rules, without an operator.

`devcluster.harness.jobs` is for jobs that an operator runs. Here a rejection is a result, not an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.kube import paths

from devcluster.errors import ApiError
from devcluster.harness.manifests import manifest
from devcluster.servers.cluster import Cluster

_STRICT: Final = "?fieldValidation=Strict"  # unknown fields are errors


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command."""

    accepted: bool
    text: str  # both streams


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Commands in one namespace, as an administrator.

    Creating, reading and patching a job send the same requests as kubectl, without the start of kubectl, which reads
    the API server's schemas.
    """

    cluster: Cluster
    namespace: str

    def __call__(self, *arguments: str | Path, text: str | None = None) -> CommandResult:
        """Run one command; `text` is its standard input."""
        done = self.cluster.kubectl("-n", self.namespace, *arguments, input=text, check=False)
        return CommandResult(done.returncode == 0, done.stdout + done.stderr)

    def create(self, name: str = "job", **spec: Any) -> str:
        """Create a job that must be admitted, with an input and the fields of `spec`, and return its name."""
        self.cluster.api.post(
            f"{paths.jobs(self.namespace)}{_STRICT}", manifest(name, namespace=self.namespace, **spec)
        )
        return name

    def get(self, name: str) -> dict[str, Any]:
        """Return the job."""
        body: dict[str, Any] = self.cluster.api.get(paths.job(self.namespace, name))
        return body

    def change(self, name: str, **spec: Any) -> CommandResult:
        """Patch the spec, as a user does."""
        return self.patch(name, {"spec": spec})

    def report(self, name: str, **status: Any) -> CommandResult:
        """Patch the status, as the operator does."""
        return self.patch(f"{name}/status", {"status": status})

    def patch(self, path: str, body: dict[str, Any]) -> CommandResult:
        """Send a JSON merge patch of a job or of its subresource."""
        try:
            self.cluster.api.patch(f"{paths.jobs(self.namespace)}/{path}{_STRICT}", body)
        except ApiError as refusal:
            return CommandResult(accepted=False, text=refusal.message)
        return CommandResult(accepted=True, text="")
