"""Redis tells when a task's state has changed: the job is looked at again. What it says is read then, not here."""

from __future__ import annotations

from collections.abc import Callable

import redis.asyncio

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.state import results
from reconstruction_operator.telemetry import metrics


async def listen(result_backend: redis.asyncio.Redis, store: Store, resync: Callable[[str], None]) -> None:
    """Mark jobs until cancelled. Each new subscription asks for a sweep: what was said in between is lost."""
    async for heard in results.subscribe(result_backend):
        if isinstance(heard, results.Resync):
            metrics.RESYNCS.inc()
            resync("resubscribed")
            continue
        task = TaskId.parse(heard)
        job = store.by_id(task.job_id) if task is not None else None
        if job is not None:
            store.mark(job.key)
