"""Counts of the jobs in the cache: by phase, in flight by namespace, and wanted from workers by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from reconstruction_operator.api.status import Phase
from reconstruction_operator.planning.scheduling import IN_FLIGHT, Quarantine, quarantine
from reconstruction_operator.planning.types import Job

_WANTS_WORKER: Final = IN_FLIGHT | {Phase.PENDING}


class Counts:
    """Counts that the cache keeps up to date, so that reading one costs nothing, however many jobs exist."""

    def __init__(self) -> None:
        self._phases: Counter[Phase] = Counter()
        self._in_flight: Counter[str] = Counter()  # by namespace
        self._high: Counter[str] = Counter()  # of priority high, by namespace
        self._quarantines: Counter[Quarantine] = Counter()  # of jobs in flight
        self._queued: Counter[tuple[str, str]] = Counter()  # our jobs whose messages wait, by queue and namespace
        self.contested = 0  # unfinished jobs that another installation manages
        self._demand = {phase: Counter[str]() for phase in _WANTS_WORKER}  # our jobs that want a worker, by queue

    def add(self, job: Job) -> None:
        """Count a job in its new state."""
        self._count(job, 1)

    def remove(self, job: Job) -> None:
        """Stop counting a job in its old state."""
        self._count(job, -1)

    def phases(self) -> Mapping[Phase, int]:
        """How many jobs are in each phase; a job without a phase counts as Pending."""
        return {phase: self._phases[phase] for phase in Phase}

    def in_flight(self) -> Counter[str]:
        """How many jobs are in flight, by namespace."""
        return self._in_flight

    def high_in_flight(self) -> Counter[str]:
        """How many jobs of priority high are in flight, by namespace."""
        return self._high

    def queued(self) -> Counter[tuple[str, str]]:
        """How many of our jobs are Queued, by queue and namespace."""
        return self._queued

    def quarantines(self) -> Collection[Quarantine]:
        """Return the quarantines that have a job in flight."""
        return self._quarantines.keys()

    def demand(self) -> Mapping[Phase, Mapping[str, int]]:
        """How many of our jobs wait for a worker or run on one, by phase and queue."""
        return self._demand

    def _count(self, job: Job, step: int) -> None:
        phase = job.status.phase or Phase.PENDING
        self._phases[phase] += step
        self.contested += step if job.contested and not phase.finished else 0
        # The status of a job that is being deleted stays until its finalizer ends.
        if phase in IN_FLIGHT and not job.deleting and not job.contested:
            self._in_flight[job.key.namespace] += step
            self._high[job.key.namespace] += step if job.spec.priority == "high" else 0
            self._count_quarantine(job, step)
        if phase in _WANTS_WORKER and job.ours:
            self._demand[phase][job.queue] += step
            if not self._demand[phase][job.queue]:
                del self._demand[phase][job.queue]  # a tenant chose the name

        if phase is Phase.QUEUED and job.ours and not job.deleting:
            self._queued[job.queue, job.key.namespace] += step
            if not self._queued[job.queue, job.key.namespace]:
                del self._queued[job.queue, job.key.namespace]  # the same

    def _count_quarantine(self, job: Job, step: int) -> None:
        entry = quarantine(job.queue, job.status)
        if entry is None or not job.ours:
            return
        self._quarantines[entry] += step
        if not self._quarantines[entry]:
            del self._quarantines[entry]  # keys name workers, so empty entries are removed
