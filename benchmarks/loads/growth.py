"""Growth: throughput of new jobs and cost of the operator beside many finished jobs."""

from __future__ import annotations

import asyncio
import time

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.loads import copies
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured, ours
from benchmarks.usage import Meter

_NEW_JOBS = 500
_WITHIN_SECONDS = 600.0


def growth(objects: int) -> Figures:
    """Run 500 new jobs beside `objects` finished ones that the operator has listed."""
    with ours(operator=False) as measured:
        return asyncio.run(_growth(measured, objects))


async def _growth(measured: Measured, objects: int) -> Figures:
    system = measured.system
    async with LoadClient(system.cluster) as client:
        uid = await copies.make_template(system, client)
        made = copies.identities(objects)
        await copies.copy_object(system.cluster, NAMESPACE, copies.TEMPLATE, made)
        copies.copy_keys(system.redis, uid, made)
        system.start_operator()
        await copies.caught_up(system, objects)
        async with JobWatch(client) as watch:
            meter, begun = Meter(measured.pids()), time.monotonic()
            await create_jobs(client, NAMESPACE, (f"new-{number}" for number in range(_NEW_JOBS)))
            await watch.wait_finished(_NEW_JOBS, timeout_seconds=_WITHIN_SECONDS)
            return {
                "jobs/s": _NEW_JOBS / (time.monotonic() - begun),
                **meter.cpu_per_job(_NEW_JOBS),
                **meter.cores(),
                **meter.memory(),
            }
