"""Operators without workers."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reconstruction_operator.kube import access
from reconstruction_operator.kube.client import Api

from devcluster import Cluster
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Lease
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, System
from tests.support.systems import SharedSystems


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """The shipped manifests on the cluster, and no process yet."""
    return start_system(operator=False, fresh=True)


@pytest.fixture
def lease(cluster: Cluster) -> Lease:
    return Lease(cluster)


@pytest.fixture
def kubeconfig(jobs: Jobs, cluster: Cluster) -> Path:
    """That of the operator's own account, so that a permission that the shipped role lacks fails here."""
    return cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    """The API server, for the operator's account."""

    async def connect() -> access.ClusterAccess:
        return access.find_cluster({**os.environ, "KUBECONFIG": str(kubeconfig)})

    connected = Api(await connect(), connect)
    yield connected
    await connected.close()
