"""Metrics of a worker. docs/metrics.md is generated from this module.

They follow the rules of `metrics`. The processes of a pool report through `relay`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from prometheus_client import PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, Info

REGISTRY: Final = CollectorRegistry()
REGISTRY.register(PROCESS_COLLECTOR)  # of the worker's main process
REGISTRY.register(PLATFORM_COLLECTOR)

_PREFIX = "reconstruction_worker"
_RUN_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_counter = partial(Counter, namespace=_PREFIX, registry=REGISTRY)
_gauge = partial(Gauge, namespace=_PREFIX, registry=REGISTRY)
_histogram = partial(Histogram, namespace=_PREFIX, registry=REGISTRY)

# --- Activity ---------------------------------------------------------------------------------------------------------
ATTEMPTS = _counter(
    "attempts",
    "Attempts that ended on this worker, by model, outcome and the end's reason (empty without one).",
    ("model", "outcome", "reason"),
)
STEP_TIME = _histogram(
    "step_seconds",
    "Time that an attempt took for a step that it completed, by model and step.",
    ("model", "step"),
    buckets=_RUN_SECONDS,
)
IMAGES = _counter("images", "Photos that were read and checked, by model.", ("model",))
INPUT = _counter("input_bytes", "Size of the photos that were read and checked, by model.", ("model",))
OUTPUT = _counter("output_bytes", "Size of the results that were published, by model.", ("model",))
HIGHEST_MEMORY = _gauge(
    "model_highest_memory_bytes",
    "Highest resident memory of a model's processes together since the worker's start, sampled twice "
    "a second, by model.",
    ("model",),
)

RESULTS_EXPELLED = _counter(
    "results_expelled",
    "Results in the trash that were deleted before they expired, because the job volume was nearly full.",
)

# --- State ------------------------------------------------------------------------------------------------------------
HEARTBEAT_FAILURES = _counter("heartbeat_failures", "Heartbeats of running attempts to which Redis did not reply.")
RUNNING = _gauge("running_attempts", "Tasks that run now.")
SLOTS = _gauge("slots", "Tasks that can run at the same time.")
DRAINING = _gauge("draining", "1 while the worker drains: it was asked to stop, and accepts no more jobs.")
EXHAUSTED = _gauge(
    "exhausted",
    "1 while the worker can start no thread or process, and takes no jobs: its limit of processes is reached.",
)
MODEL_AVAILABLE = _gauge("model_available", "1 for each installed model that can run here, by model.", ("model",))

UNOWNED_FOLDERS = _gauge(
    "unowned_job_folders",
    "Job folders on the worker's volume that name no owner, so that their deletion is never ordered, by its last "
    "hourly report.",
)

BUILD = Info("build", "Version of the worker.", namespace=_PREFIX, registry=REGISTRY)
