"""Queued jobs: jobs whose messages wait in Redis or are about to be sent, by queue and namespace."""

from __future__ import annotations

from collections import Counter
from collections.abc import ItemsView, Iterable, Mapping

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.planning.types import Job

QueueKey = tuple[str, str]
"""A queue and a namespace."""


class QueuedJobs:
    """The jobs that are planned as Queued."""

    def __init__(self) -> None:
        self._queues: dict[JobKey, str] = {}
        self._numbers: Counter[QueueKey] = Counter()
        self._shrank = False

    def __contains__(self, key: JobKey) -> bool:
        return key in self._queues

    def items(self) -> ItemsView[JobKey, str]:
        """Return the jobs and their queues."""
        return self._queues.items()

    @property
    def shrank(self) -> bool:
        """Whether a worker took a message since `waiting` was called."""
        return self._shrank

    def put(self, key: JobKey, queue: str) -> None:
        """Note that the job waits in that queue."""
        if self._queues.get(key) != queue:
            self.remove(key)
            self._queues[key] = queue
            self._numbers[queue, key.namespace] += 1

    def remove(self, key: JobKey, *, taken: bool = False) -> None:
        """Note that the job is no longer queued. `taken`: a worker has it."""
        queue = self._queues.pop(key, None)
        if queue is None:
            return
        place = (queue, key.namespace)
        self._numbers[place] -= 1
        if not self._numbers[place]:
            del self._numbers[place]  # a tenant chose the names
        self._shrank |= taken

    def reset(self, jobs: Iterable[Job]) -> None:
        """Start again with these jobs."""
        self._queues.clear()
        self._numbers.clear()
        self._shrank = False
        for job in jobs:
            self.put(job.key, job.queue)

    def waiting(self, coming: Mapping[JobKey, str]) -> Counter[QueueKey]:
        """How many messages wait, by queue and namespace, with those of the jobs that are about to be sent (`coming`: their queues)."""
        self._shrank = False
        return self._numbers + Counter(
            (queue, key.namespace) for key, queue in coming.items() if key not in self._queues
        )
