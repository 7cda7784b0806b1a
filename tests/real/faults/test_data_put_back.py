"""A running Redis gets older data, like a replica that synchronizes with a lagging one: cancels stay valid."""

from pathlib import Path

import pytest
import redis

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, Seen, phase
from devcluster.harness.system import REPOSITORY, System
from tests.support.systems import SharedSystems

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

_GRACE_SECONDS = "10"  # time in which the operator ends no attempt, enough to observe the flag first


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """An operator without workers."""
    return start_system(fresh=True, EPOCH_GRACE_SECONDS=_GRACE_SECONDS)


def test_the_flag_of_a_cancelled_job_is_restored_before_a_worker_runs_it(
    jobs: Jobs, seen: Seen, state: redis.Redis, held: str, tmp_path: Path
) -> None:
    system = jobs.system
    name = jobs.create_in("Queued", modelType="rough-sleep", queue=held)
    uid = jobs.get(name)["metadata"]["uid"]
    before = system.redis.dump()
    jobs.cancel(name)
    jobs.wait_phase(name, "Cancelled")

    system.redis.load(before)

    assert not state.exists(f"end:{uid}-1")
    wait_until(lambda: state.exists(f"cancel:{uid}"), "the flag to be restored", seen=system.log_ends)
    assert not state.exists(f"end:{uid}-1"), (
        "the attempt was ended first, so the test does not show that the flag came at once"
    )
    models = {"PYTHONPATH": f"{REPOSITORY}/tests/data/models", "ROUGH_MODELS_PIDS": str(tmp_path)}
    system.start_worker(held, WORKER_POOLS=held, **models)
    end = wait_until(lambda: state.hgetall(f"end:{uid}-1"), "the message to be taken", seen=system.log_ends)
    assert end["outcome"] == "Cancelled"
    assert list(tmp_path.iterdir()) == [], "the model ran"
    assert "Running" not in {phase(version) for version in seen.of(name)}
    assert phase(jobs.get(name)) == "Cancelled"
