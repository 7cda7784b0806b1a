"""The resource on a real API server, and nothing behind it: no operator, no Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import Cluster
from devcluster.kubectl import Kubectl

_NAMESPACE = "test-api"
_MANIFESTS = Path(__file__).parents[3] / "manifests"


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The cluster with all that `manifests/install` brings."""
    cluster.kubectl("apply", "-f", _MANIFESTS / "crd")
    cluster.kubectl("wait", "--for=condition=Established", "crd/reconstructionjobs.reconstruction.dev")
    cluster.kubectl("apply", "-k", _MANIFESTS / "install")
    return cluster


@pytest.fixture(scope="session")
def api_namespace(installed: Cluster) -> str:
    """A namespace for all of these tests: each finds it without jobs, which is quicker than one for each."""
    installed.api.post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    return _NAMESPACE


@pytest.fixture
def kubectl(installed: Cluster, api_namespace: str) -> Kubectl:
    """Kubectl of an administrator in a namespace without jobs."""
    installed.heal()
    installed.api.delete(f"/apis/reconstruction.dev/v1alpha1/namespaces/{api_namespace}/reconstructionjobs")
    return Kubectl(installed, api_namespace)
