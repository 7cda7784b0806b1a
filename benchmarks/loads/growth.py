"""Growth: throughput of new jobs and cost of the operator beside many finished jobs."""

from __future__ import annotations

import asyncio
import time

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.loads import copies
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter
from devcluster.harness.system import System

_NEW_JOBS = 500
_WITHIN_SECONDS = 600.0


def growth(objects: int) -> Figures:
    """Run 500 new jobs beside `objects` finished ones that the operator has listed."""
    with ours(operator=False) as system:
        return asyncio.run(_growth(system, objects))


async def _growth(system: System, objects: int) -> Figures:
    async with LoadClient(system.cluster) as client:
        uid = await copies.make_template(system, client)
        made = copies.identities(objects)
        await copies.copy_object(system.cluster, made)
        copies.copy_keys(system.redis, uid, made)
        system.start_operator()
        await copies.caught_up(system, objects)
        async with JobWatch(client) as watch:
            meter = Meter(pids(system))
            begun = time.monotonic()
            await create_jobs(client, NAMESPACE, (f"new-{number}" for number in range(_NEW_JOBS)))
            await watch.wait_finished(_NEW_JOBS, timeout_seconds=_WITHIN_SECONDS)
            return {
                "jobs/s": _NEW_JOBS / (time.monotonic() - begun),
                **meter.cpu_per_job(_NEW_JOBS),
                **meter.cores(),
                **meter.memory(),
            }
