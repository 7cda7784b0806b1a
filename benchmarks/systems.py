"""Measured systems: a control plane and Redis with our operator and worker, or with the ordinary ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster import Cluster, Redis
from devcluster.files import CHECKOUT
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from devcluster.servers.processes import Process
from devcluster.waiting import wait_until

NAMESPACE = "bench"
CONCURRENCY = 2
_START_SECONDS = 120.0


def pids(system: System) -> dict[str, int]:
    """Return the pids by part, for `usage`."""
    return {
        **{name: pids[1] for name, pids in system.cluster.pids.items() if name in ("kube-apiserver", "etcd")},
        "redis": system.redis.process.pid,
        **{name: process.pid for name, process in system.processes.items()},
    }


@contextmanager
def ours(*, operator: bool = True, worker: bool = True, **settings: str) -> Iterator[System]:
    """Run our operator with its default settings, and one prefork worker."""
    with _prepared(settings) as system:
        if operator:
            system.start_operator()
            Replica(system).wait_ready()
        if worker:
            system.start_worker(concurrency=CONCURRENCY)
            system.wait_registered()
        yield system


@contextmanager
def ordinary(**settings: str) -> Iterator[System]:
    """Run the ordinary operator, and one prefork worker with the ordinary task."""
    with _prepared(settings) as system:
        paths = {"PYTHONPATH": str(CHECKOUT), "KUBECONFIG": str(system.cluster.kubeconfig)}
        python = Path(sys.executable)
        celery: list[str | Path] = [
            *(python, "-m", "celery", "--app=benchmarks.ordinary.tasks", "worker", "--pool=prefork"),
            *(f"--concurrency={CONCURRENCY}", "--hostname=worker@127.0.0.1", "--loglevel=INFO"),
        ]
        worker = system.start_program("worker", celery, **paths)
        operator = system.start_program("operator", [python, "-m", "benchmarks.ordinary.operator"], **paths)
        _wait_logged(worker, "ready.")
        _wait_logged(operator, "Initial authentication has finished")
        yield system


@contextmanager
def _prepared(settings: dict[str, str]) -> Iterator[System]:
    quick = {"PLACEHOLDER_STEP_SECONDS": "0", "INPUT_ROOTS": str(CHECKOUT / "tests/data/photos")}
    with (
        Cluster(fast=True) as cluster,
        Redis() as redis,
        System(cluster, redis, settings=quick | settings) as system,
    ):
        system.install()
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield system


def _wait_logged(process: Process, text: str) -> None:
    def logged() -> bool:
        process.check()
        return text in process.log.read_text()

    wait_until(logged, f"{process.name} to log {text!r}", timeout_seconds=_START_SECONDS, seen=process.log_end)
