"""A system for the tests of a file: some files have one of their own, and two operators on a cluster would share its Lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster import Cluster, Redis
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import QUICK_SETTINGS, System


@pytest.fixture(scope="module")
def system(cluster: Cluster) -> Iterator[System]:
    """An operator, a quick worker, and on queue `slow` one that stays long enough in each step to be caught there."""
    with Redis() as server, System(cluster, server, settings=QUICK_SETTINGS) as running:
        running.install()
        running.start_operator()
        running.start_worker("worker", concurrency=2)
        running.start_worker("slow", concurrency=4, WORKER_POOLS="slow", PLACEHOLDER_STEP_SECONDS="20")
        yield running


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    return Jobs(system, namespace)
