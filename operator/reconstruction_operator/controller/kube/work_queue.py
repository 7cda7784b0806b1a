"""Work queue: the keys of the jobs to reconcile, each at most once, by class, with fair turns between namespaces in each."""

from __future__ import annotations

import enum
import heapq
from collections import deque
from typing import Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.planning.scheduling import IN_FLIGHT
from reconstruction_operator.planning.types import Job

_STALE_AT_MOST: Final = 64  # stale heap entries that may stay, in addition to one for each timer
_RESERVED_SHARE: Final = 0.1  # share of each batch for each less urgent class, so that none starves


class Turn(enum.IntEnum):
    """The classes, the most urgent first."""

    STOPPING = 0  # a cancel, a suspension or a deletion of an unfinished job
    IN_FLIGHT = 1  # jobs in a queue or with a worker, and those that are admitted: a worker may wait for them
    LIVING = 2  # new jobs, and others that are not finished
    FINISHED = 3
    LATER = 4  # finished jobs for which work may remain after a new leader or a loss of data

    @classmethod
    def of(cls, job: Job) -> Turn:
        """Return the class of a job that has changed."""
        if job.finished:
            return cls.FINISHED
        spec = job.spec
        suspends = spec.suspend and job.status.phase is not Phase.SUSPENDED
        ends = job.deleting or spec.cancel_requested or spec.cancel_confirmed or suspends
        if ends:
            return cls.STOPPING
        return cls.IN_FLIGHT if job.status.phase in IN_FLIGHT else cls.LIVING


class WorkQueue:
    """Keys in the order in which they were queued, with the namespaces taking turns."""

    def __init__(self) -> None:
        self._turns: dict[JobKey, Turn] = {}
        self._lines: dict[Turn, dict[str, dict[JobKey, None]]] = {turn: {} for turn in Turn}  # by namespace

    def __len__(self) -> int:
        return len(self._turns)

    def put(self, key: JobKey, turn: Turn) -> None:
        """Queue the key. If it is queued in this class or in a more urgent one, it keeps its place."""
        queued = self._turns.get(key)
        if queued is not None and queued <= turn:
            return
        self.discard(key)
        self._turns[key] = turn
        self._lines[turn].setdefault(key.namespace, {})[key] = None

    def discard(self, key: JobKey) -> None:
        """Remove the key, if it is queued."""
        turn = self._turns.pop(key, None)
        if turn is None:
            return
        line = self._lines[turn]
        del line[key.namespace][key]
        if not line[key.namespace]:
            del line[key.namespace]

    def clear(self) -> None:
        """Remove all keys; `Cache.begin` queues again what is needed."""
        self._turns.clear()
        for line in self._lines.values():
            line.clear()

    def take(self, at_most: int) -> list[JobKey]:
        """Take the next keys. Most are of the most urgent class; each other class that waits gets a small share."""
        taken: list[JobKey] = []
        for turn in Turn:
            waiting = sum(1 for later in Turn if later > turn and self._lines[later])
            room = at_most - len(taken) - int(at_most * _RESERVED_SHARE) * waiting
            taken += self._take(turn, max(room, 0))
        return taken

    def _take(self, turn: Turn, at_most: int) -> list[JobKey]:
        lines = self._lines[turn]
        taken: list[JobKey] = []
        namespaces = deque(lines)
        while namespaces and len(taken) < at_most:
            namespace = namespaces.popleft()
            line = lines.pop(namespace)
            key = next(iter(line))
            del line[key], self._turns[key]
            taken.append(key)
            if line:  # behind the others
                lines[namespace] = line
                namespaces.append(namespace)
        return taken


class Timers:
    """The delayed part of the queue: for each job the earliest time requested, in monotonic seconds of the caller."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, JobKey]] = []
        self._wanted: dict[JobKey, float] = {}

    def wake(self, key: JobKey, at: float) -> None:
        """Make the job due at `at`, unless it is due earlier."""
        earlier = self._wanted.get(key)
        if earlier is None or at < earlier:
            self._wanted[key] = at
            heapq.heappush(self._heap, (at, key))
            self._tidy()

    def cancel(self, key: JobKey) -> None:
        """Remove the job's timer."""
        self._wanted.pop(key, None)
        self._tidy()

    def next_at(self) -> float | None:
        """Return the earliest time of any job; None without timers."""
        while self._heap and self._wanted.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced or cancelled since
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[JobKey]:
        """Take the jobs that are due."""
        keys = []
        while (at := self.next_at()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._wanted[key]
            keys.append(key)
        return keys

    def clear(self) -> None:
        """Remove all timers: a new tenure plans all jobs, which sets them again."""
        self._heap.clear()
        self._wanted.clear()

    def _tidy(self) -> None:
        """Drop stale entries: a time to live may be months, and most jobs are deleted before."""
        if len(self._heap) > 2 * len(self._wanted) + _STALE_AT_MOST:
            self._heap = [(at, key) for key, at in self._wanted.items()]
            heapq.heapify(self._heap)
