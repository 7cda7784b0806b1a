"""Real Celery workers, as processes on a real Redis, without Kubernetes."""

import uuid
from collections.abc import Iterator

import pytest

from devcluster import Redis
from devcluster.harness.workers import Farm


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """A Redis for the tests of one file."""
    with Redis() as running:
        yield running


@pytest.fixture
def job_id() -> str:
    return f"job-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def own_farm() -> Iterator[Farm]:
    """A Redis without workers yet, for tests that damage theirs."""
    with Redis() as server, Farm(server) as running:
        yield running
