"""Burst: placeholder jobs created at once, and their cost from the first create to the last end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from benchmarks.clients import JobWatch, LoadClient, create_jobs
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured
from benchmarks.usage import Meter

_WARM_UP_JOBS: Final = 50
_JOB_SECONDS: Final = 0.5  # timeout for each job, on the slowest machine


@dataclass(frozen=True)
class Burst:
    """The cost of `count` jobs."""

    count: int
    seconds: float
    cpu: dict[str, float]  # seconds by part
    cores: Figures
    requests: dict[str, float]  # per job, by kind
    commands: float  # Redis commands per job

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.count / self.seconds


async def warm_up(client: LoadClient, watch: JobWatch) -> None:
    """Run a few jobs, so that connections are open and scripts loaded."""
    await _run(client, watch, "warm", _WARM_UP_JOBS)


async def burst(measured: Measured, client: LoadClient, watch: JobWatch, count: int) -> Burst:
    """Create `count` jobs, and wait until they finish."""
    requests, commands = await client.requests_by_kind(), measured.system.redis.commands()
    meter, begun = Meter(measured.pids()), time.monotonic()
    await _run(client, watch, "job", count)
    seconds, cpu, cores = time.monotonic() - begun, meter.cpu(), meter.cores()
    commands = measured.system.redis.commands() - commands
    after = await client.requests_by_kind()
    by_kind = {kind: (number - requests.get(kind, 0)) / count for kind, number in after.items()}
    return Burst(count, seconds, cpu, cores, by_kind, commands / count)


async def _run(client: LoadClient, watch: JobWatch, prefix: str, jobs: int) -> None:
    before = len(watch.seen.finished_at)
    await create_jobs(client, NAMESPACE, (f"{prefix}-{number}" for number in range(jobs)))
    await watch.wait_finished(before + jobs, timeout_seconds=60 + jobs * _JOB_SECONDS)
