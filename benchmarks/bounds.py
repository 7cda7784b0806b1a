"""Bounds benchmark: durations of a cancel and of a change of leader on this machine, with the default settings.

    python -m benchmarks.bounds [--runs 5]

It runs a real control plane, a real Redis, and operators and workers as processes. For each figure it prints minimum, median
and maximum in seconds, beside the bound that should hold. It asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import statistics
import time
from collections.abc import Callable

import psutil

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Replica
from devcluster.harness.system import REPOSITORY, System

_ROW = "{:<64} {:>7} {:>7} {:>7} {:>7}"
_CHILD = "reconstruction_operator.models.child"
_DEADLINE_SECONDS = 300.0


def main() -> None:
    """Run the benchmark and print one row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    settings = {"INPUT_ROOTS": f"{REPOSITORY}/examples/photos", "RECONSTRUCTION_SIMULATE": "never"}
    print(_ROW.format("seconds", "min", "median", "max", "bound"))
    with Cluster() as cluster, Redis() as redis, System(cluster, redis, settings=settings) as system:
        system.install()
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": "bounds"}})
        jobs = Jobs(system, "bounds")
        system.start_operator("first")
        system.start_worker(concurrency=1)
        _row(
            "confirmation applied -> model process gone (photogrammetry)", 2.0, [_model_gone(jobs) for _ in range(runs)]
        )
        _row("confirmation applied -> status Cancelled (placeholder)", None, [_cancelled(jobs) for _ in range(runs)])
        _row("leader killed with SIGKILL -> the standby leads", 15.0, [_takeover(system, "kill") for _ in range(runs)])
        _row("leader stopped with SIGTERM -> the standby leads", None, [_takeover(system, "stop") for _ in range(runs)])


def _row(what: str, bound: float | None, seconds: list[float]) -> None:
    figures = (min(seconds), statistics.median(seconds), max(seconds))
    print(_ROW.format(what, *(f"{one:.2f}" for one in figures), "-" if bound is None else f"{bound:g}"), flush=True)


def _model_gone(jobs: Jobs) -> float:
    name = jobs.create(modelType="photogrammetry", input={"uri": f"file://{REPOSITORY}/examples/photos/banana"})
    jobs.wait(name, "in step 3", lambda job: job.get("status", {}).get("progress", {}).get("stepIndex", 0) >= 3)  # noqa: PLR2004
    child = wait_until(_model_process, "the model process")
    assert child is not None  # noqa: S101 -- for the type checker
    jobs.request_cancel(name)
    return _timed(
        lambda: jobs.confirm_cancel(name), lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    )


def _model_process() -> psutil.Process | None:
    for process in psutil.Process().children(recursive=True):
        try:
            if _CHILD in process.cmdline():
                return process
        except psutil.Error:
            continue
    return None


def _cancelled(jobs: Jobs) -> float:
    name = jobs.create_in("Running", f"placeholder-{secrets.token_hex(3)}")
    jobs.request_cancel(name)
    return _timed(
        lambda: jobs.confirm_cancel(name), lambda: jobs.get(name).get("status", {}).get("phase") == "Cancelled"
    )


def _takeover(system: System, how: str) -> float:
    leader = next(name for name, process in system.processes.items() if name != "worker" and process.alive)
    standby = f"replica-{secrets.token_hex(3)}"
    system.start_operator(standby)
    wait_until(lambda: _leads(system, leader) is True, f"{leader} to lead", timeout_seconds=_DEADLINE_SECONDS)
    wait_until(lambda: _leads(system, standby) is False, f"{standby} to stand by", timeout_seconds=_DEADLINE_SECONDS)
    number = signal.SIGKILL if how == "kill" else signal.SIGTERM
    pid = system.processes[leader].pid
    return _timed(lambda: os.kill(pid, number), lambda: _leads(system, standby) is True)


def _leads(system: System, name: str) -> bool | None:
    """Return whether the operator leads, by its own metric; None while it is unreachable."""
    try:
        value = Replica(system, name).metric("reconstruction_leader")
    except OSError:
        return None
    return None if value is None else bool(value)


def _timed(act: Callable[[], object], done: Callable[[], bool]) -> float:
    act()
    start = time.monotonic()
    wait_until(done, "the end of a measured run", timeout_seconds=_DEADLINE_SECONDS)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
