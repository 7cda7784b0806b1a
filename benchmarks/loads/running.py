"""Running: how soon and how evenly statuses change while many jobs run and report each second."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence

from benchmarks.clients import WRITES_OF_JOBS, JobWatch, LoadClient, Watched, create_jobs
from benchmarks.fleet import journal
from benchmarks.fleet.journal import Journal
from benchmarks.fleet.program import BRIEF
from benchmarks.report import Figures, percentile, percentiles
from benchmarks.systems import NAMESPACE, ours, pids
from benchmarks.usage import Meter
from devcluster.harness.system import System

_WINDOW_SECONDS = 30.0  # measured while all jobs run
_RAMP_SECONDS = 40.0  # for each 500 jobs, on the slowest machine
_BRIEF_JOBS = 60  # that start and end within the window


def running(jobs: int) -> Figures:
    """Run `jobs` jobs that report each second; once all run, start some brief jobs beside them."""
    ramp = _RAMP_SECONDS * max(1.0, jobs / 500)
    with ours(worker=False) as system:
        journal.start_fleet(system, slots=jobs + _BRIEF_JOBS, job_seconds=ramp + _WINDOW_SECONDS)
        return asyncio.run(_running(system, jobs, ramp))


async def _running(system: System, jobs: int, ramp: float) -> Figures:
    async with LoadClient(system.cluster) as client, JobWatch(client, keep_events=True) as watch:
        await create_jobs(client, NAMESPACE, (f"long-{number}" for number in range(jobs)))
        await watch.wait_phase("Running", jobs, timeout_seconds=ramp)
        before = await client.requests_by_kind()
        meter = Meter(pids(system))
        begun = time.monotonic()
        for number in range(_BRIEF_JOBS):
            await create_jobs(client, NAMESPACE, [f"{BRIEF}-{number}"])
            await asyncio.sleep(_WINDOW_SECONDS / 2 / _BRIEF_JOBS)
        await asyncio.sleep(max(0.0, begun + _WINDOW_SECONDS - time.monotonic()))
        requests = await client.requests_by_kind() - before
        cores = meter.cores()
        cpu = meter.cpu()
        window = (begun, time.monotonic())
        await watch.wait_finished(jobs + _BRIEF_JOBS, timeout_seconds=2 * ramp + _WINDOW_SECONDS)
        seconds = window[1] - window[0]
        writes = sum(requests[kind] for kind in WRITES_OF_JOBS)
        return {
            **seen_figures(watch.seen, journal.read(system), window),
            "writes/s": writes / seconds,
            "operator's CPU, % of a core": 100 * cpu["operator"] / seconds,
            **meter.memory(),
            **cores,
        }


def seen_figures(seen: Watched, done: Journal, window: tuple[float, float]) -> dict[str, float]:
    """Return figures of what a watcher saw and the fleet's journal recorded.

    `window` is the time in which all long jobs ran.
    """
    names: dict[str, str] = {}
    shown: dict[str, list[tuple[float, int]]] = {}  # when each percentage of a job was shown
    first: dict[tuple[str, str], float] = {}  # when each phase was first shown
    for at, body in seen.events:
        uid, status = body["metadata"]["uid"], body.get("status", {})
        names[uid] = body["metadata"]["name"]
        first.setdefault((uid, status.get("phase", "")), at)
        percent = status.get("progress", {}).get("percent")
        if percent is not None and status.get("phase") == "Running":
            percents = shown.setdefault(uid, [])
            if not percents or percents[-1][1] != percent:
                percents.append((at, percent))
    brief = {uid for uid, name in names.items() if name.startswith(BRIEF)}
    long = [uid for uid in names if uid not in brief]
    if not long or any(done.ended.get(uid, window[1]) < window[1] for uid in long):
        raise RuntimeError("a long job ended during the measurement")
    changes = [
        first[uid, phase] - at
        for phase, changed in (("Running", done.claimed), ("Succeeded", done.ended))
        for uid, at in changed.items()
        if uid in brief and (uid, phase) in first
    ]
    within = {uid: [update for update in shown.get(uid, ()) if window[0] <= update[0] <= window[1]] for uid in long}
    delays = [
        at - reported
        for uid, percents in within.items()
        for at, percent in percents
        if (reported := done.first_report(uid, percent)) is not None
    ]
    gaps = sorted(_longest_gap([at for at, _ in within[uid]], window) for uid in long)
    updates = sorted(len(within[uid]) for uid in long)
    return {
        **percentiles("phase changes", changes),
        **percentiles("report -> watcher", delays),
        "updates/job/min, fewest": 60 * updates[0] / (window[1] - window[0]),
        "updates/job/min, median": 60 * percentile(updates, 50) / (window[1] - window[0]),
        "longest time without update, median job, s": percentile(gaps, 50),
        "longest time without update, worst job, s": gaps[-1],
    }


def _longest_gap(times: Sequence[float], window: tuple[float, float]) -> float:
    edges = [window[0], *times, window[1]]
    return max(after - before for before, after in itertools.pairwise(edges))
