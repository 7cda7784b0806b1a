"""Systems for tests that break them."""

import pytest

from devcluster import Redis
from devcluster.harness.system import System
from tests.support.systems import SharedSystems, Worker


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """An operator and a worker with four slots and one second a step; its Redis can keep its data over a restart.

    The next test uses it too, unless one of its processes was killed.
    """
    settings = {"PLACEHOLDER_STEP_SECONDS": "1", "LIST_SECONDS": "6"}
    return start_system(Worker(concurrency=4), redis={"persistent": True}, **settings)


@pytest.fixture
def server(system: System) -> Redis:
    return system.redis
