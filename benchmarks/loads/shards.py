"""Shards: operators that share the jobs, each with its Lease; their throughput, and the cost of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from reconstruction_operator.planning.shards import Shard

from benchmarks.clients import STATUS_WRITES, JobWatch, LoadClient
from benchmarks.loads.burst import burst, warm_up
from benchmarks.report import Figures
from benchmarks.systems import Measured, ours
from benchmarks.usage import memory_mib
from devcluster.harness.replicas import Replica

SELECTOR: Final = ("--feature-gates=ShardedListAndWatch=true",)  # the API server sends each shard only its own jobs


def shards(count: int, shards: int = 3, *, apiserver_arguments: Sequence[str] = ()) -> Figures:
    """Run `count` placeholder jobs with steps of 0 s, created at once, on `shards` shards."""
    with ours(operator=False, apiserver_arguments=apiserver_arguments) as measured:
        system = measured.system
        names = []
        for shard in (Shard(number, shards) for number in range(1, shards + 1)):
            names.append(f"operator{shard.suffix}")
            setting = f"{shard.number}/{shard.count}" if shard.suffix else ""
            # As an administrator: the shipped role allows the Lease of one operator only.
            system.start_operator(names[-1], SHARD=setting, KUBECONFIG=str(system.cluster.kubeconfig))
        for name in names:
            Replica(system, name).wait_ready()
        return asyncio.run(_shards(measured, names, count))


async def _shards(measured: Measured, names: Sequence[str], count: int) -> Figures:
    async with LoadClient(measured.system.cluster) as client, JobWatch(client) as watch:
        await warm_up(client, watch)
        made = await burst(measured, client, watch, count)
    pids = measured.pids()
    parts = [name for name in made.cpu if name in pids and name not in names]
    return {
        "jobs/s": made.rate,
        "CPU of all operators, ms/job": 1000 * sum(made.cpu[name] for name in names) / count,
        **{f"CPU of an operator, ms/job of all: {name}": 1000 * made.cpu[name] / count for name in names},
        **{f"CPU of {name}, ms/job": 1000 * made.cpu[name] / count for name in parts},
        "status writes/job": made.requests.get(STATUS_WRITES, 0.0),
        "Redis commands/job": made.commands,
        **{f"memory of an operator, MiB: {name}": memory_mib(pids[name]) for name in names},
        **made.cores,
    }
