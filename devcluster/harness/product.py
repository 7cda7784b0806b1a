"""Product: processes that share a Redis, with their folder and environment, and Celery workers above all."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, reads

from devcluster.servers.processes import GRACE_SECONDS, Process
from devcluster.servers.redis import Redis
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

_INHERITED_PREFIXES = ("CELERY_", "REDIS_", "RECONSTRUCTION_", "KUBECONFIG")  # the caller's own must not leak in
_HOST = "127.0.0.1"
_REGISTER_SECONDS = 120.0  # two shared cores may be busy with anything


class Product(Running):
    """Processes that end with the `with` block; each is started separately.

    `settings` are environment variables of all of them.
    """

    name = "product"
    jobs_dir: Path
    """The volume of the workers, with a folder for each job."""

    def __init__(self, redis: Redis, *, settings: Mapping[str, str] | None = None) -> None:
        self.redis = redis
        self._settings = dict(settings or {})

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of each process: this machine's, the addresses, and the settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_PREFIXES)}
        return {
            **inherited,
            "CELERY_BROKER_URL": self.redis.url(0),
            "CELERY_RESULT_BACKEND": self.redis.url(0),
            "REDIS_STATE_DB": self.redis.url(1),
            "JOBS_DIR": str(self.jobs_dir),
            "LOG_FORMAT": "text",
            "TMPDIR": str(self.folder / "tmp"),  # a killed Celery process leaves a folder there
            "PYTHONUNBUFFERED": "1",
            **self._settings,
            **settings,
        }

    def start_worker(
        self,
        name: str = "worker",
        *,
        pool: str = "prefork",
        concurrency: int = 2,
        arguments: Sequence[str] = (),
        launcher: Sequence[str] = (),
        grace_seconds: float = GRACE_SECONDS,
        **settings: str,
    ) -> Process:
        """Start a Celery worker. `stop` kills it if it does not end within `grace_seconds`.

        `launcher` is a program that replaces itself by the command after it.
        """
        command = [
            *launcher,
            *(sys.executable, "-m", "celery", "--app=reconstruction_operator.celery_app", "worker"),
            *(f"--pool={pool}", f"--concurrency={concurrency}", f"--hostname={name}@{_HOST}", "--loglevel=INFO"),
            *arguments,
        ]
        return self._launch(name, command, self.environment(**settings), grace_seconds=grace_seconds)

    def nodes(self) -> list[str]:
        """Return the workers that have registered in Redis."""
        with redis.Redis.from_url(self.redis.url(1), decode_responses=True) as client:
            return [worker.node for worker in calls.run(client, reads.live_workers(Keys()))]

    def wait_registered(self, name: str = "worker") -> None:
        """Wait until a worker has registered in Redis."""
        process = self.processes[name]

        def registered() -> bool:
            process.check()
            return f"{name}@{_HOST}" in self.nodes()

        wait_until(registered, f"worker {name} to register", timeout_seconds=_REGISTER_SECONDS, seen=process.log_end)

    def start_program(self, name: str, command: Sequence[str | Path], **settings: str) -> Process:
        """Start another program in the environment of the product's processes."""
        return self._launch(name, command, self.environment(**settings))

    def _start(self) -> None:
        self.jobs_dir = self.folder / "jobs"
        self.jobs_dir.mkdir()
        (self.folder / "tmp").mkdir()

    def _end(self, process: Process) -> None:
        process.stop()
