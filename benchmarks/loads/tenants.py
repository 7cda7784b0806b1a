"""Tenants: how long ten jobs of a namespace wait beside many of another one, and how much Redis holds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable

import redis.asyncio
from reconstruction_operator.kube import paths

from benchmarks.clients import JobWatch, LoadClient, create_jobs, in_parallel
from benchmarks.fleet import journal
from benchmarks.report import Figures, percentiles
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter
from devcluster.harness.manifests import manifest
from devcluster.harness.system import System
from devcluster.servers.redis import Redis

_OTHER = "bench-few"
_FEW = 10
_SLOTS = 20
_RUN_SECONDS = 0.5
_JOB_SECONDS = 0.3  # timeout for each job, on the slowest machine
_SAMPLE_SECONDS = 0.25
_PRIORITIES = ("high", "normal", "low")
_QUEUES = ("celery-high", "celery", "celery-low")
_MIB = 2**20


def tenants(jobs: int, watch_seconds: float | None = None) -> Figures:
    """Create `jobs` jobs of three priorities in one namespace; when half of them exist, ten of high priority in
    another.

    Stop at the last job's end, or `watch_seconds` after the last create.
    """
    with ours(worker=False) as system:
        system.cluster.api.post("/api/v1/namespaces", {"metadata": {"name": _OTHER}})
        journal.start_fleet(system, slots=_SLOTS, job_seconds=_RUN_SECONDS)
        return asyncio.run(_tenants(system, jobs, watch_seconds))


async def _tenants(system: System, jobs: int, watch_seconds: float | None) -> Figures:
    async with LoadClient(system.cluster) as client, JobWatch(client) as watch:
        most = {"messages": 0, "memory": 0}
        sampling = asyncio.create_task(_sample(system.redis, most))
        meter = Meter(pids(system))
        begun = time.monotonic()
        created: dict[str, float] = {}
        await _create(client, range(jobs // 2))
        for number in range(_FEW):
            created[f"few-{number}"] = time.monotonic()
            await create_jobs(client, _OTHER, [f"few-{number}"], priority=_PRIORITIES[0])
        await _create(client, range(jobs // 2, jobs))
        all_created = time.monotonic()
        await watch.wait_until(
            lambda seen: (
                len(seen.finished_at) >= jobs + _FEW
                or (watch_seconds is not None and time.monotonic() >= all_created + watch_seconds)
            ),
            "all jobs to finish, or the end of the time",
            timeout_seconds=120 + jobs * _JOB_SECONDS,
        )
        seconds = time.monotonic() - begun
        cores = meter.cores()
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
        ended = len(watch.seen.finished_at)
        few = [watch.seen.finished_at[_OTHER, name] - at for name, at in created.items()]
        return {
            "jobs/s": ended / seconds,
            "created/s": jobs / (all_created - begun),
            **percentiles("create -> end of the ten", few),
            **(
                {"last of the others ends after, s": seconds}
                if ended == jobs + _FEW
                else {"jobs that still wait": jobs + _FEW - ended}
            ),
            "most messages in Redis": most["messages"],
            "Redis' memory at most, MiB": most["memory"] / _MIB,
            **meter.memory(),
            **cores,
        }


async def _create(client: LoadClient, numbers: Iterable[int]) -> None:
    def call(number: int) -> Callable[[], Awaitable[object]]:
        priority = _PRIORITIES[number % len(_PRIORITIES)]
        body = manifest(f"job-{number}", modelType="placeholder", priority=priority)
        return lambda: client.request("POST", paths.jobs(NAMESPACE), body=body)

    await in_parallel(call(number) for number in numbers)


async def _sample(server: Redis, most: dict[str, int]) -> None:
    """Keep the maximum of messages and memory that Redis has held, until cancelled."""
    async with redis.asyncio.Redis.from_url(server.url(0)) as client:
        while True:
            pipeline = client.pipeline(transaction=False)
            for queue in _QUEUES:
                pipeline.llen(queue)
            pipeline.info("memory")
            *lengths, memory = await pipeline.execute()
            most["messages"] = max(most["messages"], sum(lengths))
            most["memory"] = max(most["memory"], int(memory["used_memory"]))
            await asyncio.sleep(_SAMPLE_SECONDS)
