"""Workers without Kubernetes: Celery processes on a Redis, and messages as a user at a prompt sends them.

For the tests of the worker. It has the shipped models, and those of tests/data/models, which misbehave.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from celery.result import AsyncResult
from PIL import Image
from reconstruction_operator.api.identity import AttemptRef, JobRef, parse_task_id
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.state import calls, operator_calls, reads

from devcluster.files import CHECKOUT
from devcluster.harness.product import Product
from devcluster.servers.processes import Process
from devcluster.servers.redis import Redis
from devcluster.waiting import wait_until

_SETTINGS = {"PLACEHOLDER_STEP_SECONDS": "0.5", "RECONSTRUCTION_SIMULATE": "never"}
_START_SECONDS = 120.0  # two shared cores may be busy with anything
_GRACE_SECONDS = 60.0  # for a worker that drains


def attempt_of(job_id: str, number: int = 1, *, name: str = "banana") -> AttemptRef:
    """Return the attempt of a job in the namespace default."""
    return AttemptRef(JobRef("default", name, job_id, "test"), number, "celery")


def put_record(state: redis.Redis, job_id: str, attempt: int) -> None:
    """Write the job's record, which requests the attempt, as the operator does."""
    call = operator_calls.put_record(Keys(), attempt_of(job_id, attempt), fence=1, install_id="test")
    calls.run(state, call)


class Farm(Product):
    """The workers of a Redis, as a user without Kubernetes has them. They end with the `with` block."""

    pids_dir: Path

    def __init__(self, server: Redis, **settings: str) -> None:
        super().__init__(server, settings=_SETTINGS | settings)
        self.server = server
        self.state = redis.Redis.from_url(server.url(1), decode_responses=True)
        self.app = Celery("reader", broker=server.url(0), backend=server.url(0), set_as_current=False)
        # Without a backend: a sender with a backend subscribes to the result, and fails to unsubscribe while Redis is
        # unavailable.
        self._sender = Celery("sender", broker=server.url(0), set_as_current=False)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of its workers, and of a user's prompt beside them."""
        rough = {"PYTHONPATH": str(CHECKOUT / "tests" / "data" / "models"), "ROUGH_MODELS_PIDS": str(self.pids_dir)}
        return super().environment(**(rough | settings))

    def start_worker(self, name: str = "worker", **options: Any) -> Process:
        """Start a worker with the options of `Product.start_worker`, and return when it has registered in Redis."""
        process = super().start_worker(name, **{"concurrency": 4, "grace_seconds": _GRACE_SECONDS} | options)
        self.wait_registered(name)
        return process

    def send(self, job_id: str, model: str, job: Mapping[str, Any] | None = None, **options: Any) -> AsyncResult:
        """Send a message to the default queue."""
        sent = self._sender.send_task("reconstruction.process", (job_id, model, job), **options)
        return AsyncResult(sent.id, app=self.app)

    def order_cleanup(self, job_id: str) -> None:
        """Order the deletion of a job's files, as the operator does."""
        self._sender.send_task("reconstruction.cleanup", (job_id,))

    def photo(self, job_id: str) -> None:
        """Put one photo into the job's own input folder, for models that need one."""
        folder = self.jobs_dir / job_id / "input"
        folder.mkdir(parents=True)
        Image.effect_noise((64, 48), 80).save(folder / "a.jpg")

    def cancel(self, job_id: str) -> None:
        """Take both steps of a cancel, as the job manager does."""
        self.state.set(f"cancel_request:{job_id}", "pending", ex=3600)
        self.state.set(f"cancel:{job_id}", "1", ex=3600)
        self.state.delete(f"cancel_request:{job_id}")

    def seen(self, job_id: str, task_id: str) -> ObservedJob:
        """Return a task as the operator observes it in Redis."""
        parsed = parse_task_id(task_id)
        if parsed is None:
            raise ValueError(f"{task_id!r} is not an attempt")
        (seen,) = calls.run(self.state, reads.observe(Keys(), [(job_id, parsed[1])])).jobs
        return seen

    def put_record(self, job_id: str, attempt: int) -> None:
        """Write the job's record, which requests the attempt, as the operator does."""
        put_record(self.state, job_id, attempt)

    def model_pid(self) -> int:
        """Wait until a rough model misbehaves, and return its pid."""
        (file,) = wait_until(
            lambda: list(self.pids_dir.iterdir()), "a model to run", timeout_seconds=_START_SECONDS, seen=self.log_ends
        )
        file.unlink()
        return int(file.stem)

    def wait_state(self, result: AsyncResult, state: str, *, timeout_seconds: float = _START_SECONDS) -> Any:
        """Wait until the result is in the state, and return its value."""
        wait_until(
            lambda: result.state == state,
            f"task {result.id} to be {state}",
            timeout_seconds=timeout_seconds,
            seen=lambda: f"{result.state}: {result.info}\n{self.log_ends()}",
        )
        return result.result

    def wait_step(self, result: AsyncResult, step: str) -> None:
        """Wait until the task reports the step."""
        wait_until(
            lambda: result.state == "PROGRESS" and result.info["step"] == step,
            f"task {result.id} to be at {step}",
            timeout_seconds=_START_SECONDS,
            seen=lambda: f"{result.state}: {result.info}",
        )

    def _start(self) -> None:
        super()._start()
        self.pids_dir = self.folder / "pids"
        self.pids_dir.mkdir()
        for connected in (self.state, self._sender, self.app):
            self.at_end(connected.close)

    def _end(self, process: Process) -> None:
        process.kill()


def is_gone(pid: int) -> bool:
    """Whether no such process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
