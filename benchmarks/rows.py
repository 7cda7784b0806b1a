"""Rows: what `make bench` measures. To add a measurement, add a `Row`; its function returns the figures by name.

A function starts and stops its own servers. `benchmarks.report` describes the names of figures. `aims` maps figures to what they
should reach, and appears beside them in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.loads.batch_jobs import batch_jobs
from benchmarks.loads.growth import growth
from benchmarks.loads.latency import cancel_latency, progress_latency, throttled
from benchmarks.loads.lost_worker import lost_worker
from benchmarks.loads.redis_memory import redis_memory
from benchmarks.loads.restart import restart
from benchmarks.loads.running import running
from benchmarks.loads.tenants import tenants
from benchmarks.loads.throughput import throughput
from benchmarks.report import Figures
from benchmarks.systems import ordinary


@dataclass(frozen=True)
class Row:
    """One measurement. Long ones run only with `--long` or if `--only` matches them."""

    name: str
    measure: Callable[[], Figures]
    aims: Mapping[str, str] = field(default_factory=dict)
    long: bool = False


_THROUGHPUT: Final = {
    "ratio": "≥ 0.35 at 2,000",
    "CPU of operator, ms/job": "≤ 3",
    "CPU of worker, ms/job": "≤ 5",
    "CPU of kube-apiserver, ms/job": "≤ 10",
    "status writes/job": "≤ 2.1",
    "Events/job": "≤ 0.3",
    "Redis commands/job": "≤ 60",
}
_RUNNING: Final = {
    "phase changes p99, s": "≤ 1",
    "updates/job/min, fewest": "as many as the median",
}
_GROWTH: Final = {
    "jobs/s": "as with 1,000",
    "CPU of operator, ms/job": "≤ 3",
    "memory, MiB: operator": "≤ 110 with 10,000, ≤ 170 with 50,000",
}
_TENANTS: Final = {
    "create -> end of the ten p99, s": "does not grow with the others",
    "most messages in Redis": "bounded: does not grow",
    "pairs of priorities in order, %": "100",
}
_RESTART: Final = {
    "a new job is served after, s": "≤ 2 with 10,000, ≤ 5 with 50,000",
    "caught up after, s": "≤ 40 with 50,000",
    "memory, MiB": "≤ 110 with 10,000, ≤ 170 with 50,000",
    "idle, % of a core": "≤ 1 with 10,000",
    "idle beside 100 running jobs, % of a core": "≤ 3 with 50,000",
    "reads": "0",
}

ROWS: Final = (
    Row("1,000 jobs, ours", lambda: throughput(1_000), {"jobs/s": "≥ 2 x the ordinary one", **_THROUGHPUT}),
    Row("1,000 jobs, ordinary", lambda: throughput(1_000, ordinary)),
    Row("2,000 jobs, ours", lambda: throughput(2_000), {"jobs/s": "≥ 4 x the ordinary one", **_THROUGHPUT}),
    Row("2,000 jobs, ordinary", lambda: throughput(2_000, ordinary)),
    Row(
        "50 jobs with steps of 1 s",
        progress_latency,
        {"report -> watch event p50, s": "≤ 0.08", "report -> watch event p99, s": "≤ 0.4"},
    ),
    Row(
        "100 cancels at once",
        cancel_latency,
        {"confirmed -> Cancelled p50, s": "≤ 0.3", "confirmed -> Cancelled p99, s": "≤ 1.0"},
    ),
    Row("a lost worker with 50 jobs", lost_worker, {"killed -> next attempt claimed p99, s": "≤ 15"}),
    Row("Redis memory of 200 jobs", redis_memory, {"a finished job, bytes": "bounded by settings"}),
    Row("300 jobs, throttled API server", throttled, {"the same at the end, s": "0"}),
    Row("20,000 jobs, ours", lambda: throughput(20_000), _THROUGHPUT, long=True),
    Row("1,000 objects, growth", lambda: growth(1_000), _GROWTH, long=True),
    Row("10,000 objects, growth", lambda: growth(10_000), _GROWTH, long=True),
    Row("50,000 objects, growth", lambda: growth(50_000), _GROWTH, long=True),
    Row("100,000 objects, growth", lambda: growth(100_000), _GROWTH, long=True),
    Row("1,000 jobs, batch/v1 Job on fake nodes", lambda: batch_jobs(1_000)),
    Row("2,000 jobs, batch/v1 Job on fake nodes", lambda: batch_jobs(2_000), long=True),
    Row("50 running jobs", lambda: running(50), _RUNNING, long=True),
    Row("200 running jobs", lambda: running(200), _RUNNING, long=True),
    Row("1,000 running jobs", lambda: running(1_000), _RUNNING),
    Row("5,000 jobs of two namespaces", lambda: tenants(5_000), _TENANTS),
    Row("100,000 jobs of two namespaces", lambda: tenants(100_000, watch_seconds=120), _TENANTS, long=True),
    Row("restart with 10,000 finished jobs", lambda: restart(10_000), _RESTART),
    Row("the same without records in Redis", lambda: restart(10_000, records=False), _RESTART, long=True),
    Row("restart with 50,000 finished jobs", lambda: restart(50_000), _RESTART, long=True),
    Row("restart with 100,000 finished jobs", lambda: restart(100_000), _RESTART, long=True),
)
"""All rows, in the order of running."""
