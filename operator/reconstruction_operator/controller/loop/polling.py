"""Redis polling: enqueues jobs whose state in Redis changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import parse_task_id
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.redis_view.queues import workers_by_queue
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state import calls, reads, results

_log = logging.getLogger(__name__)

_QUEUES_SECONDS: Final = 1.0
_HEARTBEATS_IN_ONE_READ: Final = 1_000
_WAITING: Final = (None, Phase.PENDING, Phase.QUEUED)
_RUNNING: Final = (Phase.RUNNING, Phase.CANCELLING)


async def poll_results(cache: Cache, view: RedisView) -> None:
    """Enqueue jobs whose Celery state changes, until cancelled.

    A new subscription may have missed changes, so it requests a resync.
    """
    async for task_id in results.subscribe(view.results):
        if task_id is None:
            view.connection.resync.request("resubscribed")
            continue
        parsed = parse_task_id(task_id)
        entry = None if parsed is None else cache.entry(parsed[0])
        if entry is not None:
            cache.enqueue(entry)


async def poll_heartbeats(cache: Cache, view: RedisView, election: LeaderElection, *, period_seconds: float) -> None:
    """Enqueue running jobs whose worker has no heartbeat, until cancelled."""
    while True:
        await asyncio.sleep(period_seconds)
        if not election.leading:
            continue
        running = [entry for entry in cache.active() if entry.job.status.phase in _RUNNING and entry.job.ours]
        try:
            for first in range(0, len(running), _HEARTBEATS_IN_ONE_READ):
                for entry in await view.observer.without_heartbeat(running[first : first + _HEARTBEATS_IN_ONE_READ]):
                    cache.enqueue(entry)
        except RedisError as error:
            view.connection.failed(error)


async def poll_queues(cache: Cache, view: RedisView, actor: Actor, orphans: Orphans, election: LeaderElection) -> None:
    """Read the queues every second until cancelled. While Redis is unreachable, the last facts stay."""
    while True:
        if election.leading:
            try:
                await read_queues(cache, view, actor, orphans, time.monotonic())
            except RedisError as error:
                _log.debug("The queues could not be read: %s", error)
        await asyncio.sleep(_QUEUES_SECONDS)


async def read_queues(cache: Cache, view: RedisView, actor: Actor, orphans: Orphans, now: float) -> None:
    """Read the queues once; `now` is monotonic.

    Jobs whose queue gained or lost workers or models are enqueued, since their status reports it. So are those whose
    message is missing.
    """
    queued = [entry for entry in cache.active() if _is_queued(entry.job)]
    facts = view.queues
    live = await calls.arun(view.state, reads.live_workers(view.keys))
    workers = workers_by_queue(live)
    unread = view.catalogue.unread(live)
    announced = await calls.arun(view.state, reads.announcements(view.keys, unread)) if unread else {}
    # Queues with workers, and queues with messages (orders to delete files included). Nothing is sent to any other
    # queue.
    with_messages = {queue for queue, messages in facts.messages.items() if messages}
    queues = {*workers, *with_messages, *(entry.job.queue for entry in queued), *orphans.queues()}
    backlog = await actor.measure(queues)
    share = max(backlog.memory_share, view.connection.memory_share)
    demand = cache.counts.demand
    of_jobs = {*demand[Phase.PENDING], *demand[Phase.QUEUED]}
    changed = {queue for queue in of_jobs if bool(workers.get(queue)) != bool(facts.workers(queue))}
    facts.update(workers, replace(backlog, memory_share=share))
    changed |= view.catalogue.update(live, announced)
    if changed:
        for entry in cache:
            if entry.job.status.phase in _WAITING and entry.job.ours and entry.job.queue in changed:
                cache.enqueue(entry)
    await _search(cache, view, actor, queued, now)
    cache.changed.set()  # there may be room in the dispatch window


def _is_queued(job: Job) -> bool:
    return job.status.phase is Phase.QUEUED and job.ours and not job.deleting


async def _search(cache: Cache, view: RedisView, actor: Actor, queued: Sequence[Entry], now: float) -> None:
    queues = view.messages.queues_to_search(queued, now, epoch=view.connection.epoch)
    if not queues:
        return
    for entry in view.messages.searched(queued, await actor.search(queues), now):
        job = entry.job
        _log.info("%s: the message of attempt %d is missing in queue %s", job.key, job.attempt, job.queue)
        cache.enqueue(entry)
