"""A confirmed cancel, at each step and inside native code, in every pool."""

import time
from collections.abc import Iterator

import pytest
from reconstruction_operator.contract import steps

from devcluster import Redis, wait_until
from devcluster.harness.workers import Farm, is_gone

STEPS = [step.name for step in steps.STEPS]
_TRIES = 3  # the machine may be busy during one try


@pytest.fixture(scope="module")
def farm(server: Redis) -> Iterator[Farm]:
    with Farm(server) as running:
        running.start_worker()
        yield running


def test_the_state_revoked_stays_after_the_task_has_ended(farm: Farm, job_id: str) -> None:
    result = farm.send(job_id, "placeholder")
    farm.wait_step(result, STEPS[2])
    farm.cancel(job_id)
    farm.wait_state(result, "REVOKED")

    farm.wait_state(farm.send(f"{job_id}-next", "placeholder"), "SUCCESS")

    assert result.state == "REVOKED"


def test_a_job_cancelled_in_the_queue_never_begins(farm: Farm, job_id: str) -> None:
    farm.cancel(job_id)
    farm.wait_state(farm.send(job_id, "placeholder"), "REVOKED")
    assert not (farm.jobs_dir / job_id).exists()


def test_an_unconfirmed_cancel_request_changes_nothing(farm: Farm, job_id: str) -> None:
    farm.state.set(f"cancel_request:{job_id}", "pending", ex=3600)
    farm.wait_state(farm.send(job_id, "placeholder"), "SUCCESS")
    assert not farm.state.exists(f"cancel_request:{job_id}", f"cancel:{job_id}")


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_cancel_stops_native_code_within_two_seconds(pool: str, own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker(pool=pool, concurrency=2)
    for model in ("rough-sleep", "rough-stubborn"):
        needed = []
        for number in range(_TRIES):
            name = f"{job_id}-{model}-{number}"
            own_farm.photo(name)
            result = own_farm.send(name, model)
            pid = own_farm.model_pid()
            own_farm.cancel(name)
            begun = time.monotonic()
            wait_until(lambda pid=pid: is_gone(pid), f"the process of {model} to end")
            needed.append(time.monotonic() - begun)
            own_farm.wait_state(result, "REVOKED")
            assert not (own_farm.jobs_dir / name).exists()
            if needed[-1] < 2.0:
                break
        assert min(needed) < 2.0, (model, needed)
