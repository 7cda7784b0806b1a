"""The whole system for tests of a job's life: one operator and one worker on the session's control plane and a Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from devcluster import Cluster, Redis
from devcluster.jobs import Jobs, Seen, watch
from devcluster.system import REPOSITORY, System

STEP_SECONDS = 0.4
SETTINGS = {
    "PLACEHOLDER_STEP_SECONDS": str(STEP_SECONDS),
    "INPUT_ROOTS": f"{REPOSITORY}/examples/photos,{REPOSITORY}/tests/data/photos",
    "RECONSTRUCTION_SIMULATE": "never",
    "BACKOFF_SECONDS": "1",
    "SWEEP_SECONDS": "3",
    "LIST_SECONDS": "10",
    "ALIVE_TTL_SECONDS": "3",
    "BEAT_SECONDS": "0.5",
    "LOST_AFTER_SECONDS": "2",
    "EPOCH_GRACE_SECONDS": "4",
    "RESEND_SECONDS": "3",
    "DRAIN_SECONDS": "1",
    "LEASE_SECONDS": "4",
    "WORKER_TTL_SECONDS": "5",
}


@pytest.fixture
def seen(jobs: Jobs) -> Iterator[Seen]:
    """What a watcher of the test's namespace sees from now on."""
    collected, stop = watch(jobs.system.cluster, jobs.namespace)
    yield collected
    stop()


@pytest.fixture(scope="package")
def system(cluster: Cluster) -> Iterator[System]:
    """One operator and one worker with eight slots, with short times; shared by the tests that break nothing."""
    with Redis() as server, System(cluster, server, settings=SETTINGS) as running:
        running.install()
        running.start_operator()
        running.start_worker(concurrency=8)
        yield running


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    return Jobs(system, namespace)


@pytest.fixture
def state(system: System) -> Iterator[redis.Redis]:
    """The job state (DB 1) of the shared system."""
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        yield client
