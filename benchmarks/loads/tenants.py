"""Tenants: how long ten jobs of a namespace wait beside many of another one, and how much Redis holds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import redis.asyncio

from benchmarks.clients import JobWatch, LoadClient, create_jobs, in_parallel, path_of
from benchmarks.fleet import journal
from benchmarks.report import Figures, percentiles
from benchmarks.systems import NAMESPACE, Measured, ours
from benchmarks.usage import Meter
from devcluster.harness.manifests import manifest
from devcluster.servers.redis import Redis

_OTHER = "bench-few"
_FEW = 10
_SLOTS = 20
_RUN_SECONDS = 0.5
_JOB_SECONDS = 0.3  # timeout for each job, on the slowest machine
_SAMPLE_SECONDS = 0.25
_PRIORITIES = ("high", "normal", "low")
_QUEUES = ("celery-high", "celery", "celery-low")
_MIB = 2**20


def tenants(jobs: int, watch_seconds: float | None = None) -> Figures:
    """Create `jobs` jobs of three priorities in one namespace; when half of them exist, ten of high priority in another.

    Stop at the last job's end, or `watch_seconds` after the last create.
    """
    with ours(worker=False) as measured:
        measured.system.cluster.api.post("/api/v1/namespaces", {"metadata": {"name": _OTHER}})
        journal.start_fleet(measured.system, slots=_SLOTS, job_seconds=_RUN_SECONDS)
        return asyncio.run(_tenants(measured, jobs, watch_seconds))


async def _tenants(measured: Measured, jobs: int, watch_seconds: float | None) -> Figures:
    system = measured.system
    async with LoadClient(system.cluster) as client, JobWatch(client) as watch:
        window = _Window(system.redis)
        sampling = asyncio.create_task(window.sample())
        meter, begun = Meter(measured.pids()), time.monotonic()
        priorities: dict[str, str] = {}  # by job uid
        created: dict[str, float] = {}
        names = [f"job-{number}" for number in range(jobs)]
        await _create(client, names[: jobs // 2], priorities)
        for number in range(_FEW):
            created[f"few-{number}"] = time.monotonic()
            await create_jobs(client, _OTHER, [f"few-{number}"], priority=_PRIORITIES[0])
        await _create(client, names[jobs // 2 :], priorities)
        all_created = time.monotonic()
        await watch.wait_until(
            lambda seen: (
                len(seen.finished_at) >= jobs + _FEW
                or (watch_seconds is not None and time.monotonic() >= all_created + watch_seconds)
            ),
            "all jobs to finish, or the end of the time",
            timeout_seconds=120 + jobs * _JOB_SECONDS,
        )
        seconds, cores = time.monotonic() - begun, meter.cores()
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
        done = journal.read(system)
        ended = len(watch.seen.finished_at)
        few = [watch.seen.finished_at[_OTHER, name] - at for name, at in created.items()]
        later = sorted(
            (at, priorities[uid]) for uid, at in done.claimed.items() if uid in priorities and at > all_created
        )
        waiting = Counter(priority for uid, priority in priorities.items() if uid not in done.claimed)
        return {
            "jobs/s": ended / seconds,
            "created/s": jobs / (all_created - begun),
            **percentiles("create -> end of the ten", few),
            **(
                {"last of the others ends after, s": seconds}
                if ended == jobs + _FEW
                else {"jobs that still wait": jobs + _FEW - ended}
            ),
            **in_order([priority for _, priority in later], waiting),
            "most messages in Redis": window.messages,
            "Redis' memory at most, MiB": window.memory / _MIB,
            **meter.memory(),
            **cores,
        }


async def _create(client: LoadClient, names: Sequence[str], priorities: dict[str, str]) -> None:
    def call(number: int, name: str) -> Callable[[], Awaitable[object]]:
        priority = _PRIORITIES[number % len(_PRIORITIES)]
        body = manifest(name, modelType="placeholder", priority=priority)

        async def create() -> None:
            found: Mapping[str, Mapping[str, str]] = await client.request("POST", path_of(NAMESPACE), body)
            priorities[found["metadata"]["uid"]] = priority

        return create

    await in_parallel(call(number, name) for number, name in enumerate(names))


def in_order(claims: Sequence[str], waiting: Mapping[str, int]) -> dict[str, float]:
    """Return the share of all pairs with different priorities in which the higher one began first; empty without a pair.

    `claims`: priorities of the started jobs, in order of their start; `waiting`: the number of waiting jobs by priority.
    """
    left = Counter(claims) + Counter(waiting)
    right = pairs = 0
    for priority in claims:
        left[priority] -= 1
        rank = _PRIORITIES.index(priority)
        lower, higher = (sum(left[one] for one in them) for them in (_PRIORITIES[rank + 1 :], _PRIORITIES[:rank]))
        right += lower
        pairs += lower + higher
    return {"pairs of priorities in order, %": 100 * right / pairs} if pairs else {}


class _Window:
    """The maximum that Redis has held."""

    def __init__(self, server: Redis) -> None:
        self._url = server.url(0)
        self.messages = 0
        self.memory = 0

    async def sample(self) -> None:
        """Read Redis periodically, until cancelled."""
        async with redis.asyncio.Redis.from_url(self._url) as client:
            while True:
                pipeline = client.pipeline(transaction=False)
                for queue in _QUEUES:
                    pipeline.llen(queue)
                pipeline.info("memory")
                *lengths, memory = await pipeline.execute()
                self.messages = max(self.messages, sum(lengths))
                self.memory = max(self.memory, int(memory["used_memory"]))
                await asyncio.sleep(_SAMPLE_SECONDS)
