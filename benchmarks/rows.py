"""Rows: each runs a system under a load, and returns its figures. Durations in seconds, CPU in milliseconds for each job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks import limit
from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured, ordinary, ours
from benchmarks.usage import CpuMeter, memory_mib

System = Callable[[], AbstractContextManager[Measured]]
_WARM_UP_JOBS = 50
_JOB_SECONDS = 0.5  # a time limit for each job, on the slowest machine


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
        meter, begun = CpuMeter(measured.pids()), time.monotonic()
        await run("job", count)
        seconds, cpu = time.monotonic() - begun, meter.seconds()
        after = await client.requests_by_kind()
        rate = count / seconds
        writes = _grown(requests, after, "PATCH reconstructionjobs/status")
        events = _grown(requests, after, "POST events")
        memory = memory_mib(measured.pids()["operator"])
        commands = measured.system.redis.commands() - commands
    raw = await _raw_limit(measured, count)
    return {
        "jobs/s": rate,
        "API server's own limit, jobs/s": raw,
        "ratio": rate / raw,
        **{f"CPU of {name}, ms/job": 1000 * used / count for name, used in cpu.items()},
        "status writes/job": writes / count,
        "Events/job": events / count,
        "Redis commands/job": commands / count,
        "operator's memory, MiB": memory,
    }


async def _raw_limit(measured: Measured, count: int) -> float:
    # The same server, as warm, without the operator and the worker.
    for name in ("operator", "worker"):
        measured.system.processes[name].kill()
    async with LoadClient(measured.system.cluster) as client:
        return await limit.jobs_per_second(client, count)


def _grown(before: dict[str, int], after: dict[str, int], kind: str) -> int:
    return after.get(kind, 0) - before.get(kind, 0)


ROWS: dict[str, Callable[[], Figures]] = {
    "1,000 jobs, ours": lambda: throughput(1_000),
    "1,000 jobs, ordinary": lambda: throughput(1_000, ordinary),
    "2,000 jobs, ours": lambda: throughput(2_000),
    "2,000 jobs, ordinary": lambda: throughput(2_000, ordinary),
}
"""All rows, by name, in the order in which they run."""
