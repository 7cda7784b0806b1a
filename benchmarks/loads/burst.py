"""Burst: placeholder jobs that are applied at once, and what they cost from the first create to the last end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured
from benchmarks.usage import Meter

_WARM_UP_JOBS: Final = 50
_JOB_SECONDS: Final = 0.5  # a time limit for each job, on the slowest machine


@dataclass(frozen=True)
class Burst:
    """What `count` jobs cost."""

    count: int
    seconds: float
    cpu: dict[str, float]  # seconds by the parts' names
    cores: Figures
    requests: dict[str, float]  # a job, by kind
    commands: float  # of Redis, a job

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.count / self.seconds


async def warm_up(measured: Measured, client: LoadClient, watch: JobWatch) -> None:
    """Run a few jobs: connections are opened, and scripts loaded."""
    await _run(measured, client, watch, "warm", _WARM_UP_JOBS)


async def burst(measured: Measured, client: LoadClient, watch: JobWatch, count: int) -> Burst:
    """Apply `count` jobs, and wait for their ends."""
    requests, commands = await client.requests_by_kind(), measured.system.redis.commands()
    meter, begun = Meter(measured.pids()), time.monotonic()
    await _run(measured, client, watch, "job", count)
    seconds, cpu, cores = time.monotonic() - begun, meter.cpu(), meter.cores()
    commands = measured.system.redis.commands() - commands
    after = await client.requests_by_kind()
    by_kind = {kind: (number - requests.get(kind, 0)) / count for kind, number in after.items()}
    return Burst(count, seconds, cpu, cores, by_kind, commands / count)


async def _run(measured: Measured, client: LoadClient, watch: JobWatch, prefix: str, jobs: int) -> None:
    before = len(watch.seen.finished_at)
    await create_jobs(client, NAMESPACE, (f"{prefix}-{number}" for number in range(jobs)))
    await watch.wait_until(
        lambda seen: len(seen.finished_at) - before >= jobs,
        f"{jobs} jobs of {measured.name} to finish",
        timeout_seconds=60 + jobs * _JOB_SECONDS,
    )
