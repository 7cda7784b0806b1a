"""Polling: changes in Redis that no watch event announces. The jobs concerned are enqueued."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.api.status import Phase
from reconstruction_operator.broker.dispatch import SendError
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.redis_view.queues import workers_by_queue
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.state import calls, reads, results
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_QUEUES_SECONDS: Final = 1.0
_HEARTBEATS_IN_ONE_READ: Final = 1_000
_WAITING: Final = (None, Phase.PENDING, Phase.QUEUED)
_RUNNING: Final = (Phase.RUNNING, Phase.CANCELLING)


async def poll_results(cache: Cache, view: RedisView) -> None:
    """Enqueue jobs whose Celery state changes, until cancelled. A new subscription may have missed some: resync."""
    async for heard in results.subscribe(view.results):
        if isinstance(heard, results.Resync):
            metrics.RESYNCS.inc()
            view.connection.resync.request("resubscribed")
            continue
        task = TaskId.parse(heard)
        job = cache.by_id(task.job_id) if task is not None else None
        if job is not None:
            cache.enqueue(job.key)


async def poll_heartbeats(cache: Cache, view: RedisView, election: LeaderElection, *, period_seconds: float) -> None:
    """Enqueue running jobs whose worker has no heartbeat, until cancelled."""
    while True:
        await asyncio.sleep(period_seconds)
        if not election.leading:
            continue
        running = {job.task: job.key for job in cache if job.status.phase in _RUNNING and job.ours}
        tasks = list(running)
        try:
            for first in range(0, len(tasks), _HEARTBEATS_IN_ONE_READ):
                for task in await view.observer.without_heartbeat(tasks[first : first + _HEARTBEATS_IN_ONE_READ]):
                    cache.enqueue(running[task])
        except RedisError as error:
            view.connection.failed(error)


async def poll_queues(cache: Cache, view: RedisView, actor: Actor, orphans: Orphans, election: LeaderElection) -> None:
    """Read the queues every second until cancelled. While Redis is away, the last facts stay."""
    while True:
        if election.leading:
            try:
                await read_queues(cache, view, actor, orphans)
            except (RedisError, SendError) as error:
                _log.debug("The queues could not be read: %s", error)
        await asyncio.sleep(_QUEUES_SECONDS)


async def read_queues(cache: Cache, view: RedisView, actor: Actor, orphans: Orphans) -> None:
    """Read the queues once. Jobs whose queue got or lost its workers are enqueued: their status reports it."""
    waiting = {job.queue for job in cache if job.status.phase in _WAITING and job.ours}
    with_messages = {
        queue for queue, messages in view.queues.waiting.items() if messages
    }  # orders to delete files, too
    queues = waiting | with_messages | orphans.queues()
    workers = workers_by_queue(await calls.arun(view.state, reads.live_workers(view.keys)))
    lengths = await actor.queue_lengths(sorted(queues)) if queues else {}
    turned = {queue for queue in queues if bool(workers.get(queue)) != bool(view.queues.of(queue).workers)}
    view.queues.update(workers, lengths)
    if turned:
        for job in cache:
            if job.queue in turned and job.status.phase in _WAITING:
                cache.enqueue(job.key)
    cache.changed.set()  # there may be room in the dispatch window
