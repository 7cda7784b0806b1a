"""Throughput: jobs with steps of 0 s, applied at once, beside the raw limit of the same API server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.clients import EVENTS, STATUS_WRITES, WRITES_OF_JOBS, JobWatch, LoadClient, create_jobs, path_of
from benchmarks.loads import limit
from benchmarks.loop import LoopMeter
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, OURS, Measured, ours
from benchmarks.usage import Meter, memory_mib

System = Callable[[], AbstractContextManager[Measured]]
_WARM_UP_JOBS = 50
_JOB_SECONDS = 0.5  # a time limit for each job, on the slowest machine
_LEAST_REQUESTS = 0.01  # a job: what is rarer is left out


def throughput(count: int, system: System = ours) -> Figures:
    """`count` placeholder jobs with steps of 0 s, applied at once: from the first create to the last end."""
    with system() as measured:
        return asyncio.run(_throughput(measured, count))


async def _throughput(measured: Measured, count: int) -> Figures:
    async with LoadClient(measured.system.cluster) as client, JobWatch(client) as watch:

        async def run(prefix: str, jobs: int) -> None:
            before = len(watch.seen.finished_at)
            await create_jobs(client, NAMESPACE, (f"{prefix}-{number}" for number in range(jobs)))
            await watch.wait_until(
                lambda seen: len(seen.finished_at) - before >= jobs,
                f"{jobs} jobs of {measured.name} to finish",
                timeout_seconds=60 + jobs * _JOB_SECONDS,
            )

        await run("warm", _WARM_UP_JOBS)
        requests, commands = await client.requests_by_kind(), measured.system.redis.commands()
        loop = LoopMeter(measured.system) if measured.name == OURS else None
        meter, begun = Meter(measured.pids()), time.monotonic()
        await run("job", count)
        seconds, cpu, cores = time.monotonic() - begun, meter.cpu_per(count, "job"), meter.cores()
        busy = loop.figures() if loop else {}
        commands = measured.system.redis.commands() - commands
        after = await client.requests_by_kind()
        memory = memory_mib(measured.pids()["operator"])
        size = len(json.dumps(await client.request("GET", path_of(NAMESPACE, "job-0"))))
    rate = count / seconds
    raw = await _raw_limit(measured, count)
    by_kind = {kind: (number - requests.get(kind, 0)) / count for kind, number in after.items()}
    return {
        "jobs/s": rate,
        "API server's own limit, jobs/s": raw,
        "ratio": rate / raw,
        **cpu,
        "status writes/job": by_kind.get(STATUS_WRITES, 0.0),
        "Events/job": sum(by_kind.get(kind, 0.0) for kind in EVENTS),
        "Redis commands/job": commands / count,
        "operator's memory, MiB": memory,
        "object, bytes": size,
        "writes/s": rate * sum(by_kind.get(kind, 0.0) for kind in WRITES_OF_JOBS),
        **busy,
        **{f"requests/job: {kind}": each for kind, each in sorted(by_kind.items()) if each >= _LEAST_REQUESTS},
        **cores,
    }


async def _raw_limit(measured: Measured, count: int) -> float:
    # The same server, as warm, without the operator and the worker.
    for name in ("operator", "worker"):
        measured.system.processes[name].kill()
    async with LoadClient(measured.system.cluster) as client:
        return await limit.jobs_per_second(client, count)
