"""Fixtures: the CRD on a real API server, without operator and Redis."""

import json

import pytest

from devcluster import Cluster, wait_until
from devcluster.harness.kubectl import Kubectl
from devcluster.harness.manifests import manifest
from tests.support.paths import CHECKOUT

_NAMESPACE = "test-api"
_DISCOVERY_SECONDS = 60.0
_ACTIVE_SECONDS = 60.0
_MANIFESTS = CHECKOUT / "manifests"


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The cluster with `manifests/install` applied."""
    cluster.kubectl("apply", "-f", _MANIFESTS / "crd")
    cluster.kubectl("wait", "--for=condition=Established", "crd/reconstructionjobs.reconstruction.dev")
    cluster.kubectl("apply", "-k", _MANIFESTS / "install")
    # The short names are served a moment later, and kubectl caches discovery for hours.
    wait_until(
        lambda: "recon,rjob" in cluster.kubectl("api-resources", "--api-group=reconstruction.dev", check=False).stdout,
        "the API server to serve the short names",
        timeout_seconds=_DISCOVERY_SECONDS,
    )
    _wait_for_the_creation_policy(cluster)
    return cluster


@pytest.fixture(scope="session")
def api_namespace(installed: Cluster) -> str:
    """One namespace for all tests, emptied between them: faster than a namespace for each."""
    installed.api.post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    return _NAMESPACE


@pytest.fixture
def kubectl(installed: Cluster, api_namespace: str) -> Kubectl:
    """Kubectl of an administrator, in a namespace without jobs."""
    installed.heal()
    installed.api.delete(f"/apis/reconstruction.dev/v1alpha1/namespaces/{api_namespace}/reconstructionjobs")
    return Kubectl(installed, api_namespace)


def _wait_for_the_creation_policy(cluster: Cluster) -> None:
    """Wait until jobs that are created cancelled are rejected: a new policy is enforced a moment after its creation."""
    body = json.dumps(manifest("probe", cancelRequested=True, cancelConfirmed=True))
    command = ("create", "--dry-run=server", "-f", "-")
    wait_until(
        lambda: cluster.kubectl(*command, input=body, check=False).returncode != 0,
        "the API server to reject new jobs that are cancelled",
        timeout_seconds=_ACTIVE_SECONDS,
    )
