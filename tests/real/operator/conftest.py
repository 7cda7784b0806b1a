"""The whole system for tests of a job's life: an operator and workers on the session's control plane and a Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from devcluster import Cluster, Redis
from devcluster.harness.jobs import Jobs, Seen, watch
from devcluster.harness.system import QUICK_SETTINGS, REPOSITORY, System


@pytest.fixture
def seen(jobs: Jobs) -> Iterator[Seen]:
    """What a watcher of the test's namespace sees from now on."""
    collected, stop = watch(jobs.system.cluster, jobs.namespace)
    yield collected
    stop()


@pytest.fixture(scope="session")
def cluster(control_plane_programs: None) -> Iterator[Cluster]:
    """A control plane for these tests alone: their operator stays, and would take the jobs of others on a shared one."""
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def photos_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which the workers take photos, for sets that a test makes."""
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="session")
def system(cluster: Cluster, photos_root: Path) -> Iterator[System]:
    """One operator, a quick worker, one that stays long in each step, and one whose models misbehave."""
    settings = QUICK_SETTINGS | {"INPUT_ROOTS": f"{QUICK_SETTINGS['INPUT_ROOTS']},{photos_root}"}
    with Redis() as server, System(cluster, server, settings=settings) as running:
        running.install()
        running.start_operator()
        running.start_worker("worker", concurrency=4)
        running.start_worker("slow", concurrency=8, WORKER_POOLS="slow", PLACEHOLDER_STEP_SECONDS="2")
        running.start_worker("rough", concurrency=2, WORKER_POOLS="rough", PYTHONPATH=f"{REPOSITORY}/tests/data/models")
        yield running


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    return Jobs(system, namespace)


@pytest.fixture
def state(system: System) -> Iterator[redis.Redis]:
    """The job state (DB 1) of the shared system."""
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        yield client
