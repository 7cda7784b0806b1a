"""Systems: an operator and its workers, shared by the tests of a session that request the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from reconstruction_operator.contract import info

from devcluster import Cluster, Redis
from devcluster.errors import ApiError
from devcluster.harness.system import QUICK_SETTINGS, REPOSITORY, System
from devcluster.servers.processes import Process
from devcluster.waiting import wait_until


@dataclass(frozen=True)
class Worker:
    """The arguments of one worker of a system; `settings` are its own environment variables."""

    name: str = "worker"
    concurrency: int = 4
    pool: str = "prefork"
    settings: Mapping[str, str] = field(default_factory=dict)


QUICK: Final = Worker()
SLOW: Final = Worker("slow", concurrency=8, settings={"WORKER_POOLS": "slow", "PLACEHOLDER_STEP_SECONDS": "2"})
ROUGH: Final = Worker(
    "rough", concurrency=2, settings={"WORKER_POOLS": "rough", "PYTHONPATH": f"{REPOSITORY}/tests/data/models"}
)
"""Serves pool `rough`, and has the models that misbehave (tests/data/models)."""


@contextmanager
def running_system(
    cluster: Cluster,
    *workers: Worker,
    operator: bool | Mapping[str, str] = True,
    redis: Mapping[str, Any] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Run a system on `cluster` with its own Redis, which gets the arguments `redis`.

    `settings` are added to the quick ones.

    `operator`: whether there is one, or the operator's own settings.
    """
    with (
        Redis(**(redis or {})) as server,
        System(cluster, server, settings=QUICK_SETTINGS | dict(settings or {})) as system,
    ):
        system.install()
        if operator is not False:
            system.start_operator(**({} if operator is True else operator))
        for worker in workers:
            system.start_worker(worker.name, pool=worker.pool, concurrency=worker.concurrency, **dict(worker.settings))
        yield system


def wait_published(system: System, text: str) -> None:
    """Wait until what the operator publishes for users contains `text`."""
    api, path = system.cluster.api, f"/api/v1/namespaces/{info.NAMESPACE}/configmaps?labelSelector={info.SELECTOR}"
    wait_until(lambda: text in str([item["data"] for item in api.get(path)["items"]]), f"{text!r} in what it publishes")


class SharedSystems:
    """Keeps at most one system on the session's cluster, where two operators would compete for the Lease and the jobs.

    A call returns the running system if it was started with the same arguments and is intact; otherwise it stops that
    system and starts another. So a fixture with a system has the scope of one test, and costs nothing if the next test
    needs the same.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stack = ExitStack()
        self._arguments: object = None
        self._system: System | None = None
        self._processes: dict[str, Process] = {}

    def __call__(
        self,
        *workers: Worker,
        operator: bool | Mapping[str, str] = True,
        redis: Mapping[str, Any] | None = None,
        fresh: bool = False,
        **settings: str,
    ) -> System:
        """Return a system with these processes and settings. `fresh`: for this test alone, which may harm it."""
        self._cluster.heal()
        arguments = None if fresh else (workers, operator, redis, settings)
        if self._system is None or arguments is None or arguments != self._arguments or not self._intact(self._system):
            self.stop()
            self._system = self._stack.enter_context(
                running_system(self._cluster, *workers, operator=operator, redis=redis, settings=settings)
            )
            self._arguments, self._processes = arguments, dict(self._system.processes)
        return self._system

    def stop(self) -> None:
        """Stop the running system, if there is one, and delete what its operator has published."""
        self._stack.close()
        if self._system is not None:
            with suppress(ApiError, OSError):  # the server may be down
                path = f"/api/v1/namespaces/{info.NAMESPACE}/configmaps?labelSelector={info.SELECTOR}"
                self._cluster.api.delete(path)
        self._system, self._arguments = None, None

    def _intact(self, system: System) -> bool:
        """Stop the processes that a test added; return whether all others still run."""
        for name in system.processes.keys() - self._processes.keys():
            system.processes.pop(name).stop()
        for process in system.processes.values():
            if process.alive:
                process.resume()
        system.redis.heal()
        return system.processes == self._processes and all(process.alive for process in self._processes.values())
