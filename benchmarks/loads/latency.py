"""Latency: from a worker's report to a watch event, and from a confirmed cancel to Cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import redis.asyncio
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import MERGE_PATCH

from benchmarks.clients import JobWatch, LoadClient, Watched, create_jobs, in_parallel
from benchmarks.report import Figures, percentiles
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter
from devcluster.harness.system import System

_STEPS = 6
_RESULTS = "celery-task-meta-"
_SECONDS = 300.0  # timeout, on the slowest machine


def progress_latency(jobs: int = 50) -> Figures:
    """Run `jobs` jobs with steps of 1 s: from the report of a step in Redis to a watch event that shows it."""
    with ours(worker=False, PLACEHOLDER_STEP_SECONDS="1") as system:
        return asyncio.run(_progress(system, jobs))


def cancel_latency(jobs: int = 100) -> Figures:
    """Confirm the requested cancels of `jobs` running jobs at once: from the confirmation to the phase Cancelled."""
    with ours(worker=False, PLACEHOLDER_STEP_SECONDS="60") as system:
        return asyncio.run(_cancel(system, jobs))


# --- Progress ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _listening(url: str) -> AsyncIterator[dict[tuple[str, int], float]]:
    """Record when Celery's result backend first announces each step, by task and step."""
    reported: dict[tuple[str, int], float] = {}
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client, client.pubsub() as pubsub:
        await pubsub.psubscribe(f"{_RESULTS}*")

        async def listen() -> None:
            async for message in pubsub.listen():
                report = json.loads(message["data"]) if message["type"] == "pmessage" else {}
                if report.get("status") == "PROGRESS":
                    task = message["channel"].removeprefix(_RESULTS)
                    step = int(report["result"]["stepIndex"])
                    reported.setdefault((task, step), time.monotonic())

        listening = asyncio.create_task(listen())
        try:
            yield reported
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _progress(system: System, jobs: int) -> Figures:
    system.start_worker(pool="threads", concurrency=jobs)
    system.wait_registered()
    async with (
        LoadClient(system.cluster) as client,
        JobWatch(client, keep_events=True) as watch,
        _listening(system.redis.url(0)) as reported,
    ):
        meter = Meter(pids(system))
        await create_jobs(client, NAMESPACE, (f"job-{number}" for number in range(jobs)))
        await watch.wait_finished(jobs, timeout_seconds=_SECONDS)
        return {**progress_figures(reported, watch.seen.events, jobs), **meter.cores()}


def progress_figures(
    reported: Mapping[tuple[str, int], float], events: Sequence[tuple[float, Mapping[str, Any]]], jobs: int
) -> Figures:
    """Return the latencies of all reports and of the first steps, and the mean number of a job's steps that a watcher
    saw.
    """
    shown: dict[str, list[tuple[float, int]]] = {}
    created = dict[str, float]()
    first = dict[str, float]()
    for now, body in events:
        status = body.get("status", {})
        step = status.get("progress", {}).get("stepIndex", 0)
        shown.setdefault(status.get("taskId", ""), []).append((now, step))
        since = now - created.setdefault(uid := body["metadata"]["uid"], now)
        first |= {uid: since} if step and uid not in first else {}
    seconds = [
        max(0.0, seen_at - at)
        for (task, step), at in reported.items()
        if (seen_at := next((seen for seen, index in shown.get(task, ()) if index >= step), None)) is not None
    ]
    steps = sum(len({step for _, step in seen if step}) for seen in shown.values())
    starts = percentiles("created -> step 1 seen", list(first.values()))
    return {**percentiles("report -> watch event", seconds), **starts, f"steps seen of {_STEPS}": steps / jobs}


# --- Cancels ----------------------------------------------------------------------------------------------------------


async def _cancel(system: System, jobs: int) -> Figures:
    system.start_worker(pool="threads", concurrency=jobs)
    system.wait_registered()
    names = [f"job-{number}" for number in range(jobs)]
    confirmed: dict[tuple[str, str], float] = {}
    async with LoadClient(system.cluster) as client, JobWatch(client, keep_events=True) as watch:
        await create_jobs(client, NAMESPACE, names)
        await watch.wait_phase("Running", jobs, timeout_seconds=_SECONDS)

        async def patch(name: str, field_name: str) -> None:
            confirmed[NAMESPACE, name] = time.monotonic()
            body = {"spec": {field_name: True}}
            await client.request("PATCH", paths.job(NAMESPACE, name), body=body, content_type=MERGE_PATCH)

        await in_parallel(lambda name=name: patch(name, "cancelRequested") for name in names)  # type: ignore[misc]  # mypy infers no default
        await watch.wait_until(lambda seen: _requested(seen) >= jobs, "the requests", timeout_seconds=_SECONDS)
        meter = Meter(pids(system))
        await in_parallel(lambda name=name: patch(name, "cancelConfirmed") for name in names)  # type: ignore[misc]  # the same
        await watch.wait_phase("Cancelled", jobs, timeout_seconds=_SECONDS)
        cores = meter.cores()
        seconds = [at - confirmed[key] for key, at in watch.seen.finished_at.items()]
        return {**percentiles("confirmed -> Cancelled", seconds), **cores}


def _requested(seen: Watched) -> int:
    return len({body["metadata"]["uid"] for _, body in seen.events if "cancel" in body.get("status", {})})
