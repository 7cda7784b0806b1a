"""Lost worker: how soon another worker claims the next attempts of a killed worker's jobs, with the
default settings.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

import psutil
import redis.asyncio
from reconstruction_operator.contract.keys import Keys

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.report import Figures, percentiles
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter
from devcluster.harness.system import System

_SECONDS = 300.0  # timeout, on the slowest machine
_POLL_SECONDS = 0.05


def lost_worker(jobs: int = 50) -> Figures:
    """Run `jobs` jobs on one worker and kill it with SIGKILL: from the kill to the claim of each job's next attempt."""
    with ours(worker=False, PLACEHOLDER_STEP_SECONDS="600") as system:
        return asyncio.run(_lost_worker(system, jobs))


async def _lost_worker(system: System, jobs: int) -> Figures:
    system.start_worker("lost", pool="threads", concurrency=jobs)
    system.wait_registered("lost")
    async with LoadClient(system.cluster) as client, JobWatch(client, keep_events=True) as watch:
        await create_jobs(client, NAMESPACE, (f"job-{number}" for number in range(jobs)))
        await watch.wait_phase("Running", jobs, timeout_seconds=_SECONDS)
        uids = {str(body["metadata"]["uid"]) for _, body in watch.seen.events}
        system.start_worker("heir", pool="threads", concurrency=jobs)
        await asyncio.to_thread(system.wait_registered, "heir")
        worker = psutil.Process(system.processes["lost"].pid)
        killed = time.monotonic()
        meter = Meter({name: pid for name, pid in pids(system).items() if name != "lost"})
        for process in [*worker.children(recursive=True), worker]:
            os.kill(process.pid, signal.SIGKILL)
        seconds = await _claims(system.redis.url(1), uids, killed)
        return {**percentiles("killed -> next attempt claimed", seconds), **meter.cores()}


async def _claims(url: str, uids: set[str], since: float) -> list[float]:
    """Return the seconds from `since` until each job's second attempt was claimed."""
    seconds: list[float] = []
    left = set(uids)
    async with redis.asyncio.Redis.from_url(url) as client, asyncio.timeout(_SECONDS):
        while left:
            for uid in tuple(left):
                attempt, token = await client.hmget(Keys().job(uid), ["attempt", "token"])
                if attempt == b"2" and token:
                    seconds.append(time.monotonic() - since)
                    left.discard(uid)
            await asyncio.sleep(_POLL_SECONDS)
    return seconds
