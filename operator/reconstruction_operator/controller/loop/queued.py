"""Queued jobs: jobs whose messages wait in Redis or are about to be sent, by queue and namespace.

A job's dispatch is stored before its message is sent, and meanwhile workers take messages. To keep queues from running empty, jobs
about to be sent are counted as already taken, up to the recent consumption rate. At an empty queue, workers would turn to one of
lower priority.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import ItemsView, Iterable, Mapping
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.planning.types import Job

_LATELY_SECONDS: Final = 1.0  # longer than it takes to store a dispatch and to send its message, on a busy API server

QueueKey = tuple[str, str]
"""A queue and a namespace."""


class QueuedJobs:
    """The jobs that are planned as Queued."""

    def __init__(self) -> None:
        self._queues: dict[JobKey, str] = {}
        self._numbers: Counter[QueueKey] = Counter()
        self._new: Counter[QueueKey] = Counter()  # taken, and not counted by `waiting` yet
        self._steps: deque[tuple[float, Counter[QueueKey]]] = deque()
        self._taken: Counter[QueueKey] = Counter()

    def __contains__(self, key: JobKey) -> bool:
        return key in self._queues

    def items(self) -> ItemsView[JobKey, str]:
        """Return the jobs and their queues."""
        return self._queues.items()

    @property
    def shrank(self) -> bool:
        """Whether a worker took a message since `waiting` was called."""
        return bool(self._new)

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
        if taken:
            self._new[place] += 1

    def reset(self, jobs: Iterable[Job]) -> None:
        """Start again with these jobs, of which workers have taken none."""
        for known in (self._queues, self._numbers, self._new, self._steps, self._taken):
            known.clear()
        for job in jobs:
            self.put(job.key, job.queue)

    def waiting(self, now: float, coming: Mapping[JobKey, str], *, most_ahead: int) -> Counter[QueueKey]:
        """How many messages count as waiting, by queue and namespace; `now` is monotonic.

        `coming`: the jobs that are about to be sent, and their queues. Of each queue and namespace, up to `most_ahead` of
        them are counted as taken.
        """
        lately = self._taken_lately(now)
        waiting = self._numbers + Counter(
            (queue, key.namespace) for key, queue in coming.items() if key not in self._queues
        )
        for place, number in Counter((queue, key.namespace) for key, queue in coming.items()).items():
            waiting[place] -= min(number, lately[place], most_ahead)
        return waiting

    def _taken_lately(self, now: float) -> Counter[QueueKey]:
        """How many messages workers took within the last second."""
        if self._new:
            self._steps.append((now, self._new))
            self._taken.update(self._new)
            self._new = Counter()
        while self._steps and self._steps[0][0] <= now - _LATELY_SECONDS:
            self._taken -= self._steps.popleft()[1]
        return self._taken
