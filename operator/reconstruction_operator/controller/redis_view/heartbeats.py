"""A worker that is lost says nothing: its silence is looked for, often, and cheaply."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.kube.election import Election
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.redis_view.connection import Contact
from reconstruction_operator.controller.redis_view.observer import Observer

_BATCH: Final = 1_000  # heartbeats in one read


async def watch(
    store: Store, observer: Observer, election: Election, contact: Contact, *, period_seconds: float
) -> None:
    """Look at the heartbeat of everything that runs; what has none is looked at closer. Until cancelled."""
    while True:
        await asyncio.sleep(period_seconds)
        if election.fence is None:
            continue
        running = {
            job.task: job.key for job in store if job.status.phase in (Phase.RUNNING, Phase.CANCELLING) and job.ours
        }
        tasks: list[TaskId] = list(running)
        try:
            for first in range(0, len(tasks), _BATCH):
                for task in await observer.without_heartbeat(tasks[first : first + _BATCH]):
                    store.mark(running[task])
        except RedisError as error:
            contact.failed(error)
