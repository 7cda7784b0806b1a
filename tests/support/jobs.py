"""Builders of ReconstructionJobs, for tests without an API server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.types import Job

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_key(name: str = "banana", namespace: str = "default") -> JobRef:
    """Return the key of the job that `make_body` and `make_job` make."""
    return JobRef(namespace, name, f"uid-{name}")


def make_body(
    name: str = "banana",
    *,
    uid: str | None = None,
    version: int = 1,
    namespace: str = "default",
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """A ReconstructionJob as the API server returns it. `spec` is added to the model and the input."""
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": "2026-03-01T12:00:00Z",
        },
        "spec": {"modelType": "placeholder", "input": {"uri": "file:///photos/banana"}, **(spec or {})},
        "status": status,
    }


def make_job(status: Status | None = None, name: str = "banana", spec: Spec | None = None) -> Job:
    """Return a job with that status."""
    return Job(key=make_key(name), generation=1, created=NOON, spec=spec or Spec(), status=status or Status())
