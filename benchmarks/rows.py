"""Rows: what `make bench` measures. To add a measurement, add a `Row`; its function returns the figures by name.

A function starts and stops its own servers. `benchmarks.report` describes the names of figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.loads.batch_jobs import batch_jobs
from benchmarks.loads.growth import growth
from benchmarks.loads.latency import cancel_latency, progress_latency
from benchmarks.loads.lost_worker import lost_worker
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
    long: bool = False


ROWS: Final = (
    Row("1,000 jobs, ours", lambda: throughput(1_000)),
    Row("1,000 jobs, ordinary", lambda: throughput(1_000, ordinary)),
    Row("2,000 jobs, ours", lambda: throughput(2_000)),
    Row("2,000 jobs, ordinary", lambda: throughput(2_000, ordinary)),
    Row("50 jobs with steps of 1 s", progress_latency),
    Row("100 cancels at once", cancel_latency),
    Row("a lost worker with 50 jobs", lost_worker),
    Row("20,000 jobs, ours", lambda: throughput(20_000), long=True),
    Row("1,000 objects, growth", lambda: growth(1_000), long=True),
    Row("10,000 objects, growth", lambda: growth(10_000), long=True),
    Row("50,000 objects, growth", lambda: growth(50_000), long=True),
    Row("100,000 objects, growth", lambda: growth(100_000), long=True),
    Row("1,000 jobs, batch/v1 Job on fake nodes", lambda: batch_jobs(1_000)),
    Row("2,000 jobs, batch/v1 Job on fake nodes", lambda: batch_jobs(2_000), long=True),
    Row("50 running jobs", lambda: running(50), long=True),
    Row("200 running jobs", lambda: running(200), long=True),
    Row("1,000 running jobs", lambda: running(1_000)),
    Row("5,000 jobs of two namespaces", lambda: tenants(5_000)),
    Row("100,000 jobs of two namespaces", lambda: tenants(100_000, watch_seconds=120), long=True),
    Row("restart with 10,000 finished jobs", lambda: restart(10_000)),
    Row("the same without records in Redis", lambda: restart(10_000, records=False), long=True),
    Row("restart with 50,000 finished jobs", lambda: restart(50_000), long=True),
    Row("restart with 100,000 finished jobs", lambda: restart(100_000), long=True),
)
"""All rows, in the order of running."""
