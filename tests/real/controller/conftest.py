"""Operators without workers: what is tested here is the operator's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster import Cluster, Redis
from devcluster.harness.replicas import Lease
from devcluster.harness.system import QUICK_SETTINGS, System


@pytest.fixture
def system(cluster: Cluster, redis_server: Redis, redis_url: str) -> Iterator[System]:
    """The shipped manifests on the cluster, and no process yet."""
    cluster.heal()
    with System(cluster, redis_server, settings=QUICK_SETTINGS) as running:
        running.install()
        yield running


@pytest.fixture
def lease(cluster: Cluster) -> Lease:
    return Lease(cluster)
