"""What is known of the queues: which have live workers, and how many messages wait in each."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator.api.status import Phase
from reconstruction_operator.broker.dispatch import SendError
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.redis_view.observer import QueueFacts
from reconstruction_operator.state import calls, reads, replies
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 1.0
_WAITING: Final = (None, Phase.PENDING, Phase.QUEUED)


def workers_by_queue(workers: tuple[replies.WorkerInfo, ...]) -> dict[str, int]:
    """How many workers listen to each queue."""
    return dict(Counter(queue for worker in workers for queue in set(worker.queues)))


class QueueWatch:
    """Reads the facts every second. Those of waiting jobs, and `more`.

    `leading` says whether anybody needs them; `room` is called after each reading.
    """

    def __init__(
        self,
        state: redis.asyncio.Redis,
        actor: Actor,
        facts: QueueFacts,
        store: Store,
        *,
        keys: Keys,
        more: Callable[[], set[str]],
        leading: Callable[[], bool],
        room: Callable[[], None],
    ) -> None:
        self._state = state
        self._actor = actor
        self._facts = facts
        self._store = store
        self._keys = keys
        self._more = more
        self._leading = leading
        self._room = room
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Read until cancelled. While Redis is away the last facts stay."""
        while True:
            if self._leading():
                try:
                    await self.read()
                except (RedisError, SendError) as error:
                    _log.debug("The queues could not be read: %s", error)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def read(self) -> None:
        """Read once. Jobs whose queue got or lost its workers are looked at: they say so in their status."""
        waiting = {job.queue for job in self._store if job.status.phase in _WAITING and job.ours}
        ordered = {queue for queue, messages in self._facts.waiting.items() if messages}  # orders to delete files, too
        queues = waiting | ordered | self._more()
        workers = workers_by_queue(await calls.arun(self._state, reads.live_workers(self._keys)))
        lengths = await self._actor.queue_lengths(sorted(queues)) if queues else {}
        turned = {queue for queue in queues if bool(workers.get(queue)) != bool(self._facts.of(queue).workers)}
        self._facts.workers = workers
        self._facts.waiting = dict(lengths)
        if turned:
            for job in self._store:
                if job.queue in turned and job.status.phase in _WAITING:
                    self._store.mark(job.key)
        self._measure(workers, lengths)
        self._room()

    def _measure(self, workers: Mapping[str, int], lengths: Mapping[str, int]) -> None:
        for queue in self._shown - set(lengths) - set(workers):
            metrics.WORKERS.remove(queue)
            metrics.QUEUE_LENGTH.remove(queue)
        self._shown = set(lengths) | set(workers)
        for queue in self._shown:
            metrics.WORKERS.labels(queue).set(workers.get(queue, 0))
            metrics.QUEUE_LENGTH.labels(queue).set(lengths.get(queue, 0))
