"""Workers without Kubernetes: Celery processes on a Redis, and messages as a user at a prompt sends them.

For the tests of the worker: besides the shipped models they know those of tests/data/models, which misbehave.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import redis
from celery import Celery
from celery.result import AsyncResult
from PIL import Image
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.state import calls, operator_calls, reads

from devcluster.servers.processes import Process
from devcluster.servers.redis import Redis
from devcluster.servers.runs import Run
from devcluster.waiting import wait_until

_ROUGH_MODELS = Path(__file__).resolve().parents[2] / "tests" / "data" / "models"
_START_SECONDS = 120.0  # Celery's mingle alone takes one; two shared cores may be busy with anything
_GRACE_SECONDS = 60.0  # for a worker that drains


class Farm:
    """The workers of a Redis, as a user without Kubernetes has them. They end with the `with` block."""

    def __init__(self, server: Redis, **settings: str) -> None:
        self.server = server
        self._settings = {"PLACEHOLDER_STEP_SECONDS": "0.5", "RECONSTRUCTION_SIMULATE": "never", **settings}
        self._run = Run.new("workers")
        self.processes: list[Process] = []
        self.jobs_dir = self._run.folder / "jobs"
        self.pids_dir = self._run.folder / "pids"
        self.jobs_dir.mkdir()
        self.pids_dir.mkdir()
        self.state = redis.Redis.from_url(server.url(1), decode_responses=True)
        self.app = Celery("reader", broker=server.url(0), backend=server.url(0), set_as_current=False)
        # Without a backend: what sends to one subscribes to the answer, and wants to unsubscribe when Redis is gone.
        self._sender = Celery("sender", broker=server.url(0), set_as_current=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes:
            if process.alive:
                process.resume()
            process.kill()
        self.state.close()
        self._sender.close()
        self.app.close()
        self._run.close()

    @property
    def environment(self) -> dict[str, str]:
        """What its workers see, and a user's prompt beside them."""
        mine = ("CELERY_", "REDIS_", "RECONSTRUCTION_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(mine)},
            "CELERY_BROKER_URL": self.server.url(0),
            "CELERY_RESULT_BACKEND": self.server.url(0),
            "REDIS_STATE_DB": self.server.url(1),
            "JOBS_DIR": str(self.jobs_dir),
            "PYTHONPATH": str(_ROUGH_MODELS),
            "ROUGH_MODELS_PIDS": str(self.pids_dir),
            **self._settings,
        }

    def start(self, name: str = "worker", *, pool: str = "prefork", concurrency: int = 4, **settings: str) -> Process:
        """A worker that is ready: it has said so in Redis."""
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "celery",
            "--app=reconstruction_operator.celery_app",
            "worker",
            f"--pool={pool}",
            f"--concurrency={concurrency}",
            f"--hostname={name}@test",
            "--loglevel=INFO",
        ]
        process = Process(
            name, command, run=self._run, environment={**self.environment, **settings}, grace_seconds=_GRACE_SECONDS
        )
        self.processes.append(process)
        wait_until(
            lambda: f"{name}@test" in self.nodes(),
            f"worker {name} to register",
            timeout_seconds=_START_SECONDS,
            seen=process.log_end,
        )
        return process

    def nodes(self) -> list[str]:
        """Workers that say that they are there."""
        return [worker.node for worker in calls.run(self.state, reads.live_workers(Keys()))]

    def send(self, job_id: str, model: str, job: Mapping[str, Any] | None = None, **options: Any) -> AsyncResult:
        """A message to the default queue."""
        sent = self._sender.send_task("reconstruction.process", (job_id, model, job), **options)
        return AsyncResult(sent.id, app=self.app)

    def order_cleanup(self, job_id: str) -> None:
        """As the operator does it."""
        self._sender.send_task("reconstruction.cleanup", (job_id,))

    def photo(self, job_id: str) -> None:
        """One photo in the job's own input folder, for models that want one."""
        folder = self.jobs_dir / job_id / "input"
        folder.mkdir(parents=True)
        Image.effect_noise((64, 48), 80).save(folder / "a.jpg")

    def cancel(self, job_id: str) -> None:
        """Both steps of a cancel, as the job manager does them."""
        self.state.set(f"cancel_request:{job_id}", "pending", ex=3600)
        self.state.set(f"cancel:{job_id}", "1", ex=3600)
        self.state.delete(f"cancel_request:{job_id}")

    def seen(self, job_id: str, task_id: str) -> ObservedJob:
        """What the protocol's keys say of a task."""
        task = TaskId.parse(task_id)
        if task is None:
            raise ValueError(f"{task_id!r} is no attempt")
        (seen,) = calls.run(self.state, reads.observe(Keys(), [(job_id, task)])).jobs
        return seen

    def put_record(self, job_id: str, attempt: int) -> None:
        """The operator's wish."""
        call = operator_calls.put_record(
            Keys(),
            fence=1,
            install_id="test",
            job_id=job_id,
            namespace="default",
            name="test",
            attempt=attempt,
            queue="celery",
        )
        calls.run(self.state, call)

    def model_pid(self) -> int:
        """Pid of a rough model that has got to its misbehaviour."""
        (file,) = wait_until(
            lambda: list(self.pids_dir.iterdir()),
            "a model to run",
            timeout_seconds=_START_SECONDS,
            seen=lambda: "\n".join(process.log_end() for process in self.processes),
        )
        file.unlink()
        return int(file.stem)

    def wait_state(self, result: AsyncResult, state: str, *, timeout_seconds: float = _START_SECONDS) -> Any:
        """What the result holds when it is in that state."""
        wait_until(
            lambda: result.state == state,
            f"task {result.id} to be {state}",
            timeout_seconds=timeout_seconds,
            seen=lambda: f"{result.state}: {result.info}\n" + "\n".join(one.log_end() for one in self.processes),
        )
        return result.result

    def wait_step(self, result: AsyncResult, step: str) -> None:
        """Until the task reports that step."""
        wait_until(
            lambda: result.state == "PROGRESS" and result.info["step"] == step,
            f"task {result.id} to be at {step}",
            timeout_seconds=_START_SECONDS,
            seen=lambda: f"{result.state}: {result.info}",
        )


def is_gone(pid: int) -> bool:
    """Whether no such process runs; one that nobody has waited for is gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
