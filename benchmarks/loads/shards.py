"""Shards: operators that share the jobs, each with its Lease; what all of them together do, and what each costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from reconstruction_operator.planning.shards import Shard

from benchmarks.clients import STATUS_WRITES, JobWatch, LoadClient, create_jobs
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured, ours
from benchmarks.usage import Meter, memory_mib
from devcluster.harness.replicas import Replica

_WARM_UP_JOBS = 50
_JOB_SECONDS = 0.5  # a time limit for each job, on the slowest machine
SELECTOR: Final = ("--feature-gates=ShardedListAndWatch=true",)  # the API server sends each shard its own jobs alone


def shards(count: int, shards: int = 3, *, apiserver_arguments: Sequence[str] = ()) -> Figures:
    """`count` placeholder jobs with steps of 0 s, applied at once, on so many shards: from the first create to the last end."""
    with ours(operator=False, apiserver_arguments=apiserver_arguments) as measured:
        system = measured.system
        names = []
        for shard in (Shard(number, shards) for number in range(1, shards + 1)):
            names.append(f"operator{shard.suffix}")
            setting = f"{shard.number}/{shard.count}" if shard.suffix else ""
            # As an administrator: the shipped role may hold the Lease of one operator.
            system.start_operator(names[-1], SHARD=setting, KUBECONFIG=str(system.cluster.kubeconfig))
        for name in names:
            Replica(system, name).wait_ready()
        return asyncio.run(_shards(measured, names, count))


async def _shards(measured: Measured, names: Sequence[str], count: int) -> Figures:
    async with LoadClient(measured.system.cluster) as client, JobWatch(client) as watch:

        async def run(prefix: str, jobs: int) -> None:
            before = len(watch.seen.finished_at)
            await create_jobs(client, NAMESPACE, (f"{prefix}-{number}" for number in range(jobs)))
            await watch.wait_until(
                lambda seen: len(seen.finished_at) - before >= jobs,
                f"{jobs} jobs of {len(names)} shards to finish",
                timeout_seconds=60 + jobs * _JOB_SECONDS,
            )

        await run("warm", _WARM_UP_JOBS)
        requests, commands = await client.requests_by_kind(), measured.system.redis.commands()
        meter, begun = Meter(measured.pids()), time.monotonic()
        await run("job", count)
        seconds, cpu, cores = time.monotonic() - begun, meter.cpu(), meter.cores()
        commands = measured.system.redis.commands() - commands
        writes = (await client.requests_by_kind()).get(STATUS_WRITES, 0) - requests.get(STATUS_WRITES, 0)
    pids = measured.pids()
    parts = [name for name in cpu if name in pids and name not in names]
    return {
        "jobs/s": count / seconds,
        "CPU of all operators, ms/job": 1000 * sum(cpu[name] for name in names) / count,
        **{f"CPU of an operator, ms/job of all: {name}": 1000 * cpu[name] / count for name in names},
        **{f"CPU of {name}, ms/job": 1000 * cpu[name] / count for name in parts},
        "status writes/job": writes / count,
        "Redis commands/job": commands / count,
        **{f"memory of an operator, MiB: {name}": memory_mib(pids[name]) for name in names},
        **cores,
    }
