"""Batch jobs: batch/v1 Jobs with job controller, scheduler and fake nodes, for comparison with `throughput`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.clients import JobWatch, LoadClient, in_parallel, requests_per_job
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE
from benchmarks.usage import Meter
from devcluster import Cluster
from devcluster.harness.fake_nodes import CONTROLLERS, FakeNodes
from devcluster.harness.jobs import is_true

_JOBS = "/apis/batch/v1/jobs"
_IN_NAMESPACE = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_WARM_UP_JOBS = 50
_JOB_SECONDS = 0.5  # timeout for each job, on the slowest machine


def batch_jobs(count: int) -> Figures:
    """Run `count` Jobs of one pod whose container ends at once: from the first create to the last
    condition Complete.
    """
    with Cluster(controllers=CONTROLLERS, fast=True) as cluster, FakeNodes(cluster) as nodes:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        cluster.service_account_token(NAMESPACE, "default")  # waits until the account of the pods exists
        pids = {name: process.pid for name, process in nodes.processes.items()}
        return asyncio.run(_batch_jobs(cluster, {name: pid for name, (_, pid) in cluster.pids.items()} | pids, count))


async def _batch_jobs(cluster: Cluster, pids: Mapping[str, int], count: int) -> Figures:
    async with LoadClient(cluster) as client, JobWatch(client, path=_JOBS, phase_of=_phase) as watch:

        async def run(prefix: str, jobs: int) -> None:
            before = len(watch.seen.finished_at)
            await in_parallel(_create(client, f"{prefix}-{number}") for number in range(jobs))
            await watch.wait_finished(before + jobs, timeout_seconds=60 + jobs * _JOB_SECONDS)

        await run("warm", _WARM_UP_JOBS)
        requests = await client.requests_by_kind()
        meter = Meter(pids)
        begun = time.monotonic()
        await run("job", count)
        seconds = time.monotonic() - begun
        cpu = meter.cpu_per_job(count)
        cores = meter.cores()
        requests = await client.requests_by_kind() - requests
        return {
            "jobs/s": count / seconds,
            **cpu,
            **requests_per_job(requests, count),
            **meter.memory(),
            **cores,
        }


def _create(client: LoadClient, name: str) -> Callable[[], Awaitable[object]]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "work", "image": "example.invalid/work:1"}]}
    body = {"metadata": {"name": name}, "spec": {"backoffLimit": 2, "template": {"spec": pod}}}
    return lambda: client.request("POST", _IN_NAMESPACE, body=body)


def _phase(body: Mapping[str, Any]) -> str:
    return "Succeeded" if is_true(body, "Complete") else ""
