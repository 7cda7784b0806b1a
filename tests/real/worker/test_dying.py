"""Models and workers that die, and messages that are delivered twice."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.outcomes import Outcome

from devcluster import Redis, wait_until
from devcluster.harness.workers import Farm, is_gone
from tests.support.refs import make_attempt


@pytest.fixture(scope="module")
def farm(server: Redis) -> Iterator[Farm]:
    with Farm(server, MODEL_MEMORY_BYTES=str(200 << 20)) as running:
        running.start_worker("first", concurrency=2)
        running.start_worker("second", concurrency=2)
        yield running


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("rough-segfault", "BACKEND_CRASHED"),
        ("rough-meshless", "BACKEND_CRASHED"),
        ("rough-hungry", "OUT_OF_MEMORY"),
        ("rough-failure", "NOT_ENOUGH_OVERLAP"),
    ],
)
def test_a_dead_model_fails_its_job_but_not_its_worker(model: str, reason: str, farm: Farm, job_id: str) -> None:
    farm.photo(job_id)
    result = farm.send(job_id, model)

    error = farm.wait_state(result, "FAILURE")

    assert type(error).__name__ == "ReconstructionFailedError"
    assert error.args[0] == reason
    assert len(str(result.traceback)) < 2000
    assert [path.name for path in (farm.jobs_dir / job_id).iterdir()] == ["input"]
    assert all(process.alive for process in farm.processes.values())


def test_a_message_delivered_twice_runs_once(farm: Farm, job_id: str) -> None:
    task_id = f"{job_id}-1"
    farm.put_record(job_id, 1)
    envelope = Envelope(make_attempt(job_id)).to_json()
    results = [farm.send(job_id, "placeholder", envelope, task_id=task_id) for _ in range(3)]

    farm.wait_state(results[0], "SUCCESS")

    wait_until(
        lambda: sum("is dropped: duplicate" in process.log.read_text() for process in farm.processes.values()) >= 1,
        "a duplicate to be dropped",
    )
    end = farm.seen(job_id, task_id).end
    assert end is not None
    assert end.outcome is Outcome.SUCCEEDED
    assert results[0].state == "SUCCESS"


def test_a_message_ahead_of_its_record_is_requeued(farm: Farm, job_id: str) -> None:
    result = farm.send(job_id, "placeholder", Envelope(make_attempt(job_id)).to_json(), task_id=f"{job_id}-1")
    wait_until(lambda: result.state == "RETRY", "the message to be requeued")

    farm.put_record(job_id, 1)

    assert farm.wait_state(result, "SUCCESS")["status"] == "completed"


def test_a_bare_task_of_a_killed_worker_continues_at_its_next_delivery(own_farm: Farm, job_id: str) -> None:
    slow = {"ALIVE_TTL_SECONDS": "2", "BEAT_SECONDS": "0.5", "PLACEHOLDER_STEP_SECONDS": "30"}
    worker = own_farm.start_worker("first", concurrency=1, **slow)
    result = own_farm.send(job_id, "placeholder")
    own_farm.wait_step(result, "Loading input files")
    worker.kill()
    wait_until(lambda: not own_farm.state.exists(f"alive:{result.id}"), "its heartbeat to expire")

    own_farm.start_worker("second", concurrency=1, PLACEHOLDER_STEP_SECONDS="0")
    own_farm.send(job_id, "placeholder", task_id=result.id)

    assert own_farm.wait_state(result, "SUCCESS")["status"] == "completed"


@pytest.mark.parametrize("model", [pytest.param("rough-sleep", marks=pytest.mark.release), "rough-stubborn"])
def test_a_killed_worker_leaves_no_model_behind(model: str, own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker(concurrency=1)
    own_farm.photo(job_id)
    own_farm.send(job_id, model)
    pid = own_farm.model_pid()

    worker.kill()

    wait_until(lambda: is_gone(pid), "the model to end")


def test_a_model_whose_guard_is_killed_ends_and_fails_its_job(own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker(concurrency=1)
    own_farm.photo(job_id)
    result = own_farm.send(job_id, "rough-sleep")
    pid = own_farm.model_pid()
    guard = psutil.Process(pid).parent()
    assert guard is not None

    os.kill(guard.pid, signal.SIGKILL)

    wait_until(lambda: is_gone(pid), "the model to end")
    own_farm.wait_state(result, "FAILURE")
