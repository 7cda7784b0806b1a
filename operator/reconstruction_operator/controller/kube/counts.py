"""Counts of the jobs in the cache: by phase, in flight by namespace, and wanted from workers by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeVar

from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.planning.scheduling import IN_FLIGHT, Quarantine, quarantine

T = TypeVar("T")

_WANTS_WORKER: Final = IN_FLIGHT | {Phase.PENDING}


class Counts:
    """Counts that the cache keeps up to date, so that reading one costs nothing, however many jobs exist.

    A job that a plan has dispatched is in flight and queued before its status shows it.
    """

    def __init__(self) -> None:
        self._phases: Counter[Phase] = Counter()
        self.in_flight: Counter[str] = Counter()  # by namespace; each worker that helps one counts as another
        self.high_in_flight: Counter[str] = Counter()  # of priority high, by namespace
        self.quarantines: Counter[Quarantine] = Counter()  # of jobs in flight
        self.queued: Counter[tuple[str, str]] = Counter()  # our jobs whose messages wait, by queue and namespace
        self.contested = 0  # unfinished jobs that another installation manages
        # Our jobs that wait for a worker or run on one, by queue
        self.demand = {phase: Counter[str]() for phase in _WANTS_WORKER}

    def phases(self) -> Mapping[Phase, int]:
        """How many jobs are in each phase; a job without a phase counts as Pending."""
        return {phase: self._phases[phase] for phase in Phase}

    def count(self, entry: Entry, step: int) -> None:
        """Count a job in its new state (`step` 1), or stop counting it in its old one (-1)."""
        job, planned = entry.job, entry.planned
        phase = job.status.phase or Phase.PENDING
        self._phases[phase] += step
        self.contested += step if job.contested and not phase.finished else 0
        # The status of a job that is being deleted stays until its finalizer ends.
        if (phase in IN_FLIGHT or planned in IN_FLIGHT) and not job.deleting and not job.contested:
            helpers = max(0, job.status.parts.running - 1) if job.status.parts and phase is Phase.RUNNING else 0
            _add(self.in_flight, job.key.namespace, step * (1 + helpers))
            if job.spec.priority == "high":
                _add(self.high_in_flight, job.key.namespace, step)
            if job.ours and (suspected := quarantine(job.queue, job.status)) is not None:
                _add(self.quarantines, suspected, step)
        if phase in _WANTS_WORKER and job.ours:
            _add(self.demand[phase], job.queue, step)
        if (planned or phase) is Phase.QUEUED and job.ours and not job.deleting:
            _add(self.queued, (job.queue, job.key.namespace), step)


def _add(counter: Counter[T], counted: T, step: int) -> None:
    """Count, and remove what is no longer counted: tenants chose its names, or it names a worker."""
    counter[counted] += step
    if not counter[counted]:
        del counter[counted]
