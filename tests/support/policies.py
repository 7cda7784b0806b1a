"""Admission policies of the CRD: the API server enforces a new one a moment after it was created."""

from __future__ import annotations

import json
from typing import Final

from devcluster import Cluster, wait_until
from devcluster.harness.manifests import manifest

_ACTIVE_SECONDS: Final = 60.0


def wait_for_the_creation_policy(cluster: Cluster) -> None:
    """Return when no job is created cancelled any more."""
    body = json.dumps(manifest("probe", cancelRequested=True, cancelConfirmed=True))
    command = ("create", "--dry-run=server", "-f", "-")
    wait_until(
        lambda: cluster.kubectl(*command, input=body, check=False).returncode != 0,
        "the API server to refuse new jobs that are cancelled",
        timeout_seconds=_ACTIVE_SECONDS,
    )
