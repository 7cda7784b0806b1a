"""Processes of the product that share a Redis: their folder, their environment, and Celery workers."""

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
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_INHERITED_PREFIXES = ("CELERY_", "REDIS_", "RECONSTRUCTION_", "KUBECONFIG")  # the caller's own must not leak in
_HOST = "127.0.0.1"
_REGISTER_SECONDS = 120.0  # two shared cores may be busy with anything


class Product(Running):
    """Processes that end with the `with` block. `settings` are environment variables for all of them."""

    def __init__(self, redis: Redis, *, settings: Mapping[str, str] | None = None) -> None:
        self.redis = redis
        self._settings = dict(settings or {})
        self._run = RunFolder.new(type(self).__name__.lower())
        self.processes: dict[str, Process] = {}
        self.jobs_dir = self.folder / "jobs"
        self.jobs_dir.mkdir()
        self._temporary = self.folder / "tmp"
        self._temporary.mkdir()

    @property
    def folder(self) -> Path:
        """Where the logs and the job folders lie until it is stopped."""
        return self._run.folder

    def start(self) -> None:
        """Nothing to do: each process is started on its own."""

    def stop(self) -> None:
        """Stop every process, the last one first, and remove the folder."""
        for process in reversed(self.processes.values()):
            process.stop()
        self._run.close()

    def log_ends(self) -> str:
        """The end of each process's log."""
        return "\n".join(f"--- {name}:\n{process.log_end()}" for name, process in self.processes.items())

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of each process: this machine's, the addresses, and the settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_PREFIXES)}
        return {
            **inherited,
            "CELERY_BROKER_URL": self.redis.url(0),
            "CELERY_RESULT_BACKEND": self.redis.url(0),
            "REDIS_STATE_DB": self.redis.url(1),
            "JOBS_DIR": str(self.jobs_dir),
            "LOG_FORMAT": "text",
            "TMPDIR": str(self._temporary),  # a killed Celery process leaves a folder there
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
        """Start one Celery worker, which `stop` kills if it does not end within `grace_seconds`.

        `launcher` is a program that replaces itself by the command after it.
        """
        command = [
            *launcher,
            *(sys.executable, "-m", "celery", "--app=reconstruction_operator.celery_app", "worker"),
            *(f"--pool={pool}", f"--concurrency={concurrency}", f"--hostname={name}@{_HOST}", "--loglevel=INFO"),
            *arguments,
        ]
        return self._start(name, command, self.environment(**settings), grace_seconds=grace_seconds)

    def nodes(self) -> list[str]:
        """The workers that have registered in Redis."""
        with redis.Redis.from_url(self.redis.url(1), decode_responses=True) as client:
            return [worker.node for worker in calls.run(client, reads.live_workers(Keys()))]

    def wait_registered(self, name: str = "worker") -> None:
        """Return when a worker has registered in Redis."""
        process = self.processes[name]

        def registered() -> bool:
            process.check()
            return f"{name}@{_HOST}" in self.nodes()

        wait_until(registered, f"worker {name} to register", timeout_seconds=_REGISTER_SECONDS, seen=process.log_end)

    def start_program(self, name: str, command: Sequence[str | Path], **settings: str) -> Process:
        """Start any other program in the environment of the product's processes."""
        return self._start(name, command, self.environment(**settings))

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> Process:
        process = Process(name, command, run=self._run, environment=environment, grace_seconds=grace_seconds)
        self.processes[name] = process
        return process
