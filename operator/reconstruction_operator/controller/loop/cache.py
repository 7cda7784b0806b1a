"""The newest body of every job that was seen, and which of them may have changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.planning.scheduling import Quarantine, quarantine
from reconstruction_operator.planning.types import Job

IN_FLIGHT: Final = frozenset({Phase.QUEUED, Phase.RUNNING, Phase.CANCELLING})
_WANTED = IN_FLIGHT | {Phase.PENDING}
_REMEMBERED = 10_000  # uids of deleted objects: an answer to a patch may come after the news of the deletion


class Store:
    """Jobs by key. Fed by the watch, by the answers to our own patches, and by lists; the newest version wins."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}  # by uid
        self._versions: dict[str, int] = {}  # resource version by uid
        self._dirty: dict[JobKey, None] = {}  # in order of becoming dirty
        self._gone: dict[str, Job] = {}  # deleted, and not yet taken for cleaning up
        self._buried: dict[str, None] = {}  # uids of deleted objects; one never comes back
        self.changed = asyncio.Event()  # something became dirty, or a job is gone
        self._phases: Counter[Phase] = Counter()
        self._in_flight: Counter[str] = Counter()  # by namespace
        self._tried: Counter[Quarantine] = Counter()  # jobs in flight
        self._wanted: Counter[tuple[str, Phase]] = Counter()  # jobs of ours that want a worker, by queue and phase

    def __len__(self) -> int:
        """How many jobs there are."""
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        """All jobs, in no order. Do not change the store meanwhile."""
        return iter(self._jobs.values())

    def get(self, key: JobKey) -> Job | None:
        """The job as the API server last showed it."""
        return self._jobs.get(key.uid)

    def by_id(self, job_id: str) -> Job | None:
        """The job with this id."""
        return self._jobs.get(job_id)

    def ids(self) -> frozenset[str]:
        """The ids of all jobs."""
        return frozenset(self._jobs)

    def version(self, key: JobKey) -> int:
        """The resource version that is known; 0 if the job is not."""
        return self._versions.get(key.uid, 0)

    def put(self, body: Mapping[str, Any]) -> JobKey | None:
        """Take a body; an older one than is known changes nothing. Returns whose it was if it is news."""
        key = objects.key_of(body)
        if key is None:
            return None
        version = objects.version_of(body)
        if key.uid in self._buried or (key.uid in self._jobs and version <= self._versions[key.uid]):
            return None
        self._replace(key, objects.job_of(body, key))
        self._versions[key.uid] = version
        self._dirty[key] = None
        self.changed.set()
        return key

    def remove(self, key: JobKey) -> None:
        """The object is gone."""
        last = self._jobs.get(key.uid)
        if last is not None:
            self._replace(key, None)
            self._gone[key.uid] = last
            self.changed.set()
        self._buried[key.uid] = None
        while len(self._buried) > _REMEMBERED:
            del self._buried[next(iter(self._buried))]
        self._versions.pop(key.uid, None)
        self._dirty.pop(key, None)

    def mark(self, key: JobKey) -> None:
        """It may have changed."""
        if key.uid in self._jobs:
            self._dirty[key] = None
            self.changed.set()

    def mark_unfinished(self) -> int:
        """All that are not finished may have changed; returns how many."""
        unfinished = [job.key for job in self._jobs.values() if not (job.status.phase and job.status.phase.finished)]
        self._dirty.update(dict.fromkeys(unfinished))
        self.changed.set()
        return len(unfinished)

    def mark_all(self) -> None:
        """Each may have changed, finished ones included: what is left to do for them is not known."""
        self._dirty.update(dict.fromkeys(job.key for job in self._jobs.values()))
        self.changed.set()

    @property
    def dirty(self) -> int:
        """How many may have changed."""
        return len(self._dirty)

    def take_dirty(self, at_most: int) -> list[JobKey]:
        """The keys that have been dirty for longest; they are clean from now on."""
        keys = list(self._dirty)[:at_most] if len(self._dirty) > at_most else list(self._dirty)
        for key in keys:
            del self._dirty[key]
        return keys

    def take_gone(self) -> list[Job]:
        """The jobs that were deleted since the last call, as they were last seen."""
        gone = list(self._gone.values())
        self._gone.clear()
        return gone

    def phases(self) -> Mapping[Phase, int]:
        """How many jobs are in each phase; those that the operator has not seen count as Pending."""
        return {phase: self._phases[phase] for phase in Phase}

    def in_flight(self, namespace: str) -> int:
        """How many of the namespace's jobs a worker has, or is about to have."""
        return self._in_flight[namespace]

    def tried(self) -> Collection[Quarantine]:
        """Of what a job in flight is suspected."""
        return self._tried.keys()

    def wanted(self) -> Mapping[tuple[str, Phase], int]:
        """How many jobs wait for a worker or have one, by queue and phase; a pair that was ever seen stays, at 0."""
        return self._wanted

    def _replace(self, key: JobKey, job: Job | None) -> None:
        old = self._jobs.pop(key.uid, None)
        for one, step in ((old, -1), (job, 1)):
            if one is not None:
                phase = one.status.phase or Phase.PENDING
                self._phases[phase] += step
                if phase in IN_FLIGHT and not one.deleting:  # such a one stays as it is, for somebody's finalizer
                    self._in_flight[one.key.namespace] += step
                    self._try(one, step)
                if phase in _WANTED and one.ours:
                    self._wanted[one.queue, phase] += step
        if job is not None:
            self._jobs[key.uid] = job

    def _try(self, job: Job, step: int) -> None:
        its = quarantine(job.queue, job.status)
        if its is None or not job.ours:
            return
        self._tried[its] += step
        if not self._tried[its]:
            del self._tried[its]  # they name workers, which come and go
