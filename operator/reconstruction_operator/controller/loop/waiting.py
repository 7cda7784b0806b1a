"""Waiting jobs: jobs that wait for dispatch, in groups with the same limits, the oldest first.

Tenants choose how many jobs, queues and namespaces there are, so work for one job must never iterate over all of them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube.counts import IN_FLIGHT
from reconstruction_operator.planning.scheduling import Quarantine, quarantine
from reconstruction_operator.planning.types import Job

HIGH: Final = "high"
_STALE_AT_MOST: Final = 64  # stale heap entries that may stay, in addition to one for each waiting job


class Group(NamedTuple):
    """Jobs that wait, and whose limits are the same."""

    queue: str
    namespace: str
    again: bool  # their messages were sent before and are missing
    high: bool  # their priority
    quarantine: Quarantine | None  # only one of its jobs is dispatched at a time

    @classmethod
    def of(cls, job: Job) -> Group:
        """Return the group of a job that wants to be dispatched."""
        again = job.status.phase in IN_FLIGHT
        # A job in flight needs no turn: only its message is sent again.
        its = None if again else quarantine(job.queue, job.status)
        return cls(job.queue, job.key.namespace, again, job.spec.priority == HIGH, its)


@dataclass(eq=False)
class _Line:
    """The jobs of one group. The entry of a job that has left stays in the heap until it comes up."""

    jobs: set[JobKey] = field(default_factory=set)
    heap: list[tuple[datetime, JobKey]] = field(default_factory=list)

    def put(self, job: Job) -> None:
        self.jobs.add(job.key)
        heapq.heappush(self.heap, (job.created, job.key))
        if len(self.heap) > 2 * len(self.jobs) + _STALE_AT_MOST:
            self.heap = [entry for entry in set(self.heap) if entry[1] in self.jobs]
            heapq.heapify(self.heap)

    def first(self, at_most: int) -> list[JobKey]:
        taken: list[tuple[datetime, JobKey]] = []
        while self.heap and len(taken) < at_most:
            entry = heapq.heappop(self.heap)
            if entry[1] in self.jobs and taken[-1:] != [entry]:  # a job that left and returned has two entries
                taken.append(entry)
        for entry in taken:
            heapq.heappush(self.heap, entry)
        return [key for _, key in taken]


class WaitingJobs:
    """The jobs by group, and how many there are by queue and by namespace."""

    def __init__(self) -> None:
        self._lines: dict[Group, _Line] = {}
        self._group_of: dict[JobKey, Group] = {}
        self._queues: dict[str, dict[Group, None]] = {}
        self._in_queue: Counter[str] = Counter()
        self._in_namespace: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._group_of)

    def __contains__(self, key: JobKey) -> bool:
        return key in self._group_of

    @property
    def groups(self) -> Collection[Group]:
        """The groups with waiting jobs."""
        return self._lines.keys()

    @property
    def in_queue(self) -> Counter[str]:
        """How many jobs wait, by queue."""
        return self._in_queue

    def groups_in(self, queue: str) -> Collection[Group]:
        """Return the groups of one queue."""
        return self._queues.get(queue, {}).keys()

    def in_namespace(self, namespace: str) -> int:
        """How many jobs of the namespace wait."""
        return self._in_namespace[namespace]

    def size(self, group: Group) -> int:
        """How many jobs of the group wait."""
        return len(self._lines[group].jobs)

    def first(self, group: Group, at_most: int) -> list[JobKey]:
        """Return the oldest jobs of the group, the oldest first."""
        return self._lines[group].first(at_most)

    def put(self, job: Job) -> None:
        """Add the job to its current group."""
        group = Group.of(job)
        if self._group_of.get(job.key) == group:
            return
        self.remove(job.key)
        self._lines.setdefault(group, _Line()).put(job)
        self._group_of[job.key] = group
        self._queues.setdefault(group.queue, {})[group] = None
        self._in_queue[group.queue] += 1
        self._in_namespace[group.namespace] += 1

    def remove(self, key: JobKey) -> str | None:
        """Remove a job that no longer waits. Return its queue if no other job waits for it."""
        group = self._group_of.pop(key, None)
        if group is None:
            return None
        line = self._lines[group]
        line.jobs.discard(key)
        if not line.jobs:
            del self._lines[group], self._queues[group.queue][group]
        _decrease(self._in_queue, group.queue)
        _decrease(self._in_namespace, group.namespace)
        if group.queue in self._in_queue:
            return None
        del self._queues[group.queue]
        return group.queue

    def clear(self) -> None:
        """Remove all jobs: the next tenure plans them again."""
        for known in (self._lines, self._group_of, self._queues, self._in_queue, self._in_namespace):
            known.clear()


def _decrease(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]  # a tenant chose the name
