"""Operators without workers."""

import pytest

from devcluster import Cluster
from devcluster.harness.replicas import Lease
from devcluster.harness.system import System
from tests.support.systems import SharedSystems


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """The shipped manifests on the cluster, and no process yet."""
    return start_system(operator=False, fresh=True)


@pytest.fixture
def lease(cluster: Cluster) -> Lease:
    return Lease(cluster)
