"""Restart with many finished jobs: how soon a new job is served, the operator's memory, and its CPU when idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress

from reconstruction_operator.kube import paths
from reconstruction_operator.kube.errors import ApiError

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.loads import copies
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter, cpu_seconds, memory_mib
from devcluster.harness.replicas import Replica
from devcluster.harness.system import JOBS, System

_SERVED_WITHIN_SECONDS = 300.0
_COPIED_WITHIN_SECONDS = 300.0
_IDLE_SECONDS = 65.0  # two sweeps
_POLL_SECONDS = 0.1


def restart(objects: int, *, records: bool = True) -> Figures:
    """Start the operator with `objects` jobs that ended a day ago. Without `records`, Redis has no keys of them."""
    with ours(operator=False) as system:
        return asyncio.run(_restart(system, objects, records=records))


async def _restart(system: System, objects: int, *, records: bool) -> Figures:
    async with LoadClient(system.cluster) as client:
        uid = await copies.make_template(system, client)
        made = copies.identities(objects)
        if records:
            copies.copy_keys(system.redis, uid, made)
        async with JobWatch(client) as watch:
            await copies.copy_object(system.cluster, made)
            await _taken_over(client)
            before = await client.requests_by_kind()
            begun = time.monotonic()
            system.start_operator()
            await create_jobs(client, NAMESPACE, ["new"])
            pid = pids(system)["operator"]
            starting = Meter(pids(system))
            ready, served, caught_up = await asyncio.gather(
                _after(begun, asyncio.to_thread(Replica(system).wait_ready)),
                _served(watch, begun),
                _after(begun, copies.caught_up(system, objects + 1)),
            )
            used = cpu_seconds(pid)
            cores = starting.cores()
            requests = await client.requests_by_kind() - before
        memory = memory_mib(pid)
        idle = await _idle(pid)
        return {
            "a new job is served after, s": served,
            "ready after, s": ready,
            "caught up after, s": caught_up,
            "CPU until then, s": used,
            "memory, MiB": memory,
            "idle, % of a core": idle,
            "lists": requests["LIST reconstructionjobs"],
            "reads": requests["GET reconstructionjobs"],
            "status writes": requests["PATCH reconstructionjobs/status"],
            **cores,
        }


async def _idle(pid: int) -> float:
    """Return the CPU of the idle operator in percent of a core."""
    meter = Meter({"operator": pid})
    begun = time.monotonic()
    await asyncio.sleep(_IDLE_SECONDS)
    return 100 * meter.cpu()["operator"] / (time.monotonic() - begun)


async def _taken_over(client: LoadClient) -> None:
    """Wait until the API server's watch cache has the copies, which were written to etcd directly."""
    newest = (await client.request("GET", f"{JOBS}?limit=1"))["metadata"]["resourceVersion"]
    async with asyncio.timeout(_COPIED_WITHIN_SECONDS):
        while True:
            with suppress(ApiError):  # the API server waits for 3 s before it refuses
                await client.request("GET", f"{paths.job(NAMESPACE, copies.TEMPLATE)}?resourceVersion={newest}")
                return
            await asyncio.sleep(_POLL_SECONDS)


async def _served(watch: JobWatch, begun: float) -> float:
    await watch.wait_until(
        lambda seen: (NAMESPACE, "new") in seen.finished_at, "the new job's end", timeout_seconds=_SERVED_WITHIN_SECONDS
    )
    return watch.seen.finished_at[NAMESPACE, "new"] - begun


async def _after(begun: float, end: Awaitable[object]) -> float:
    """Return the seconds from `begun` until the end."""
    await end
    return time.monotonic() - begun
