"""Manifest of a ReconstructionJob, as a user writes it."""

from __future__ import annotations

from typing import Any


def manifest(name: str = "job", *, namespace: str | None = None, **spec: Any) -> dict[str, Any]:
    """Return a job with an input and the fields of `spec`."""
    return {
        "apiVersion": "reconstruction.dev/v1alpha1",
        "kind": "ReconstructionJob",
        "metadata": {"name": name} | ({} if namespace is None else {"namespace": namespace}),
        "spec": {"input": {"uri": "file:///photos/banana"}} | spec,
    }
