"""Waiting jobs: jobs that wait for dispatch, by queue, namespace and priority.

Tenants choose how many jobs, queues and namespaces there are, so work for one job must never iterate over all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.planning.scheduling import Candidate, Line

_Name = tuple[str, bool]  # of a line in its queue: the namespace, and whether its jobs have priority high


class WaitingJobs:
    """The jobs, and how many there are by namespace.

    Lines are in order except for the jobs that joined since the newest `sort`.
    """

    def __init__(self) -> None:
        self._queues: dict[str, dict[_Name, dict[JobRef, Candidate]]] = {}
        self._unsorted: set[tuple[str, _Name]] = set()
        self._in_namespace: Counter[str] = Counter()

    def lines(self, queues: Collection[str]) -> Mapping[str, list[Line]]:
        """Return the lines of each of these queues for which jobs wait."""
        return {queue: [*self._queues[queue].values()] for queue in queues if queue in self._queues}

    def in_namespace(self, namespace: str) -> int:
        """How many jobs of the namespace wait."""
        return self._in_namespace[namespace]

    def put(self, entry: Entry, candidate: Candidate | None) -> None:
        """Add a job, or replace its candidate; None: it waits for something else than its turn, and is only counted."""
        if entry.waiting and entry.candidate == candidate:
            return
        self.discard(entry)
        key = entry.key
        entry.waiting, entry.candidate = True, candidate
        self._in_namespace[key.namespace] += 1
        if candidate is None:
            return
        queue, name = candidate.queue, (key.namespace, candidate.high)
        line = self._queues.setdefault(queue, {}).setdefault(name, {})
        if line and candidate < line[next(reversed(line))]:
            self._unsorted.add((queue, name))  # most jobs are younger than those that wait
        line[key] = candidate

    def discard(self, entry: Entry) -> None:
        """Remove a job that no longer waits. Names that a tenant chose go with their last job."""
        if not entry.waiting:
            return
        key, candidate = entry.key, entry.candidate
        entry.waiting, entry.candidate = False, None
        self._in_namespace[key.namespace] -= 1
        if not self._in_namespace[key.namespace]:
            del self._in_namespace[key.namespace]
        if candidate is None:
            return
        queue, name = candidate.queue, (key.namespace, candidate.high)
        del self._queues[queue][name][key]
        if not self._queues[queue][name]:
            del self._queues[queue][name]
            self._unsorted.discard((queue, name))
        if not self._queues[queue]:
            del self._queues[queue]

    def sort(self) -> None:
        """Put the lines in order. This passes over all jobs of a line that a job joined out of order."""
        for queue, name in self._unsorted:
            line = self._queues[queue][name]
            self._queues[queue][name] = {candidate.key: candidate for candidate in sorted(line.values())}
        self._unsorted.clear()

    def clear(self) -> None:
        """Remove all jobs: the next tenure plans them again."""
        for part in (self._queues, self._unsorted, self._in_namespace):
            part.clear()
