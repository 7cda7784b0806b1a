"""Throughput: jobs with steps of 0 s, created at once, beside the raw limit of the same API server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import MERGE_PATCH

from benchmarks.clients import (
    EVENTS,
    STATUS_WRITES,
    WRITES_OF_JOBS,
    JobWatch,
    LoadClient,
    create_jobs,
    in_parallel,
    requests_per_job,
)
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter, memory_mib
from devcluster.harness.system import System

_WARM_UP_JOBS = 50  # so that connections are open and scripts loaded
_JOB_SECONDS = 0.5  # timeout for each job, on the slowest machine


def throughput(count: int, start: Callable[[], AbstractContextManager[System]] = ours) -> Figures:
    """Run `count` placeholder jobs with steps of 0 s, created at once: from the first create to the last end."""
    with start() as system:
        return asyncio.run(_throughput(system, count))


async def _throughput(system: System, count: int) -> Figures:
    redis = system.redis
    async with LoadClient(system.cluster) as client, JobWatch(client) as watch:
        await _run(client, watch, "warm", _WARM_UP_JOBS)
        requests = await client.requests_by_kind()
        commands = redis.commands()
        meter = Meter(pids(system))
        begun = time.monotonic()
        await _run(client, watch, "job", count)
        rate = count / (time.monotonic() - begun)
        cpu = meter.cpu_per_job(count)
        cores = meter.cores()
        commands = redis.commands() - commands
        requests = await client.requests_by_kind() - requests
        memory = memory_mib(pids(system)["operator"])
        size = len(json.dumps(await client.request("GET", paths.job(NAMESPACE, "job-0"))))
    raw = await _raw_limit(system, count)
    return {
        "jobs/s": rate,
        "API server's own limit, jobs/s": raw,
        "ratio": rate / raw,
        **cpu,
        "status writes/job": requests[STATUS_WRITES] / count,
        "Events/job": requests[EVENTS] / count,
        "Redis commands/job": commands / count,
        "operator's memory, MiB": memory,
        "object, bytes": size,
        "writes/s": rate * sum(requests[kind] for kind in WRITES_OF_JOBS) / count,
        **requests_per_job(requests, count),
        **cores,
    }


async def _run(client: LoadClient, watch: JobWatch, prefix: str, jobs: int) -> None:
    before = len(watch.seen.finished_at)
    await create_jobs(client, NAMESPACE, (f"{prefix}-{number}" for number in range(jobs)))
    await watch.wait_finished(before + jobs, timeout_seconds=60 + jobs * _JOB_SECONDS)


async def _raw_limit(system: System, count: int) -> float:
    """Return `1 / (1/creates + 2/status patches)`, both as rates of `count` requests over a few connections.

    The server is the same, without operator and worker.
    """
    for name in ("operator", "worker"):
        system.processes[name].kill()
    status = {"status": {"phase": "Suspended", "observedGeneration": 1}}
    names = [f"limit-{number}" for number in range(count)]
    async with LoadClient(system.cluster) as client:
        begun = time.monotonic()
        await create_jobs(client, NAMESPACE, names, suspend=True)
        created = time.monotonic()

        def patch(name: str) -> Callable[[], Awaitable[object]]:
            path = f"{paths.job(NAMESPACE, name)}/status"
            return lambda: client.request("PATCH", path, body=status, content_type=MERGE_PATCH)

        await in_parallel(patch(name) for name in names)
        patched = time.monotonic()
    return count / ((created - begun) + 2 * (patched - created))
