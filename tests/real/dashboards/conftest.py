"""System of the tests of dashboards."""

import pytest

from devcluster.harness.system import System
from tests.support.systems import SharedSystems, Worker

SLOW = Worker("slow", concurrency=4, settings={"WORKER_POOLS": "slow", "PLACEHOLDER_STEP_SECONDS": "20"})


@pytest.fixture(scope="module")  # kube-state-metrics starts once for it
def system(start_system: SharedSystems) -> System:
    """An operator, a quick worker, and a worker of pool `slow` whose steps are long enough to be observed.

    Pool `scaled` has no worker at first.
    """
    return start_system(Worker(concurrency=2), SLOW, METRICS_POOLS="celery,scaled")
