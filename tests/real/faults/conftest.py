"""Systems of their own for tests that break them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster import Cluster, Redis
from devcluster.harness.jobs import Jobs, Seen, watch
from devcluster.harness.system import QUICK_SETTINGS, System


@pytest.fixture
def server() -> Iterator[Redis]:
    """A Redis that keeps its data over a restart, if the test wants it to."""
    with Redis(persistent=True) as running:
        yield running


@pytest.fixture
def system(cluster: Cluster, server: Redis) -> Iterator[System]:
    """An operator and a worker with four slots and one second a step."""
    settings = QUICK_SETTINGS | {"PLACEHOLDER_STEP_SECONDS": "1"}
    with System(cluster, server, settings=settings) as running:
        running.install()
        running.start_operator()
        running.start_worker(concurrency=4)
        yield running


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    return Jobs(system, namespace)


@pytest.fixture
def seen(jobs: Jobs) -> Iterator[Seen]:
    """What a watcher of the test's namespace sees from now on."""
    collected, stop = watch(jobs.system.cluster, jobs.namespace)
    yield collected
    stop()
