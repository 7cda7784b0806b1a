"""Celery's remote control: it is off, so that an account that may write to Redis cannot stop the workers."""

from celery.app.control import Control

from devcluster import wait_until
from devcluster.harness.workers import Farm


def test_a_broadcast_shutdown_does_nothing(own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker()

    Control(own_farm.app).broadcast("shutdown")

    own_farm.wait_state(own_farm.send(job_id, "placeholder"), "SUCCESS")
    assert own_farm.processes["worker"].alive


def test_remote_control_works_if_the_setting_allows_it(own_farm: Farm) -> None:
    worker = own_farm.start_worker(WORKER_REMOTE_CONTROL="on")

    Control(own_farm.app).broadcast("shutdown")

    wait_until(lambda: not worker.alive, "the worker to stop", timeout_seconds=60, seen=own_farm.log_ends)
