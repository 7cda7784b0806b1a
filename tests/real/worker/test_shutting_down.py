"""Workers that start and shut down, and outages of Redis."""

import os
import signal
import threading

import psutil
import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.state import calls, reads
from reconstruction_operator.worker.lifecycle.watchdog import GRACE_SECONDS

from devcluster import wait_until
from devcluster.harness.workers import Farm
from tests.support.refs import make_attempt

pytestmark = pytest.mark.long

_OUTAGE_SECONDS = 10.0
_SLOW = {"stepSeconds": 60}


def test_a_worker_registers_its_queues_and_unregisters_at_its_end(own_farm: Farm) -> None:
    worker = own_farm.start_worker(concurrency=3, WORKER_POOLS="gpu,celery", WORKER_TTL_SECONDS="600")
    (worker_info,) = calls.run(own_farm.state, reads.live_workers(Keys()))
    assert worker_info.node == "worker@127.0.0.1"
    assert set(worker_info.queues) == {"gpu-high", "gpu", "gpu-low", "celery-high", "celery", "celery-low"}

    os.kill(worker.pid, signal.SIGTERM)

    wait_until(lambda: not worker.alive, "the worker to end", seen=worker.log_end)
    assert own_farm.nodes() == []


@pytest.mark.parametrize("pool", ["prefork", "threads", pytest.param("solo", marks=pytest.mark.release)])
def test_a_draining_worker_stops_its_job_at_the_deadline(pool: str, own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker(pool=pool, concurrency=1, DRAIN_SECONDS="1")
    own_farm.put_record(job_id, 1)
    envelope = Envelope(make_attempt(job_id), parameters=_SLOW).to_json()
    result = own_farm.send(job_id, "placeholder", envelope, task_id=f"{job_id}-1")
    own_farm.wait_step(result, "Loading input files")

    os.kill(worker.pid, signal.SIGTERM)

    own_farm.wait_state(result, "REVOKED")
    end = own_farm.seen(job_id, f"{job_id}-1").end
    assert end is not None
    assert (end.outcome, end.reason) == (Outcome.STOPPED, "DRAINED")
    assert not (own_farm.jobs_dir / job_id).exists()
    wait_until(lambda: not worker.alive, "the worker to end", seen=worker.log_end)


def test_a_bare_task_of_a_draining_worker_continues_in_another(own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker("first", concurrency=1, DRAIN_SECONDS="1", PLACEHOLDER_STEP_SECONDS="30")
    result = own_farm.send(job_id, "placeholder")
    own_farm.wait_step(result, "Loading input files")
    own_farm.start_worker("second", concurrency=1, PLACEHOLDER_STEP_SECONDS="0")

    os.kill(worker.pid, signal.SIGTERM)

    assert own_farm.wait_state(result, "SUCCESS")["status"] == "completed"
    wait_until(lambda: not worker.alive, "the worker to end", seen=worker.log_end)


def test_a_draining_worker_completes_a_job_that_is_nearly_done(own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker(concurrency=1, DRAIN_SECONDS="60")
    result = own_farm.send(job_id, "placeholder")
    own_farm.wait_step(result, "Generating previews")

    os.kill(worker.pid, signal.SIGTERM)

    own_farm.wait_state(result, "SUCCESS")
    wait_until(lambda: not worker.alive, "the worker to end", seen=worker.log_end)


def test_a_job_ends_during_an_outage_of_redis_and_is_recorded_later(own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker(concurrency=1, PLACEHOLDER_STEP_SECONDS="1", REDIS_TIMEOUT_SECONDS="1")
    result = own_farm.send(job_id, "placeholder")
    own_farm.wait_step(result, "Preprocessing images")
    output = own_farm.jobs_dir / job_id / "output" / "manifest.json"

    own_farm.server.pause()
    threading.Event().wait(_OUTAGE_SECONDS)  # there is no event to wait for
    wait_until(output.exists, "the job to be done without Redis", seen=worker.log_end)
    own_farm.server.resume()

    assert own_farm.wait_state(result, "SUCCESS")["status"] == "completed"


@pytest.mark.release
def test_the_watchdog_kills_a_worker_whose_pool_does_not_end(own_farm: Farm) -> None:
    worker = own_farm.start_worker(concurrency=2, DRAIN_SECONDS="1")
    below = psutil.Process(worker.pid).children(recursive=True)
    below[0].suspend()  # Celery waits for this process without a limit

    os.kill(worker.pid, signal.SIGTERM)

    patience_seconds = 1.0 + GRACE_SECONDS + 60.0
    wait_until(lambda: not worker.alive, "its end", timeout_seconds=patience_seconds, seen=worker.log_end)
    assert "killing this worker" in worker.log_end()
    wait_until(lambda: not any(child.is_running() for child in below), "the end of its pool")
