"""Cache (informer): the newest body of every job, and the work queue of the jobs to reconcile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.counts import Counts
from reconstruction_operator.controller.kube.work_queue import Timers, Turn, WorkQueue
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning.rules import finished
from reconstruction_operator.planning.scheduling import IN_FLIGHT
from reconstruction_operator.planning.types import Job, Management

_TOMBSTONES = 10_000  # uids of deleted objects: the response to a patch may arrive after the deletion


class Cache:
    """Jobs from the watch, from lists and from responses to our own patches; the newest version wins.

    A finished job is compact (`objects.compact`), and is enqueued only if work may remain for it.
    """

    def __init__(
        self,
        *,
        management: Callable[[Status], Management] = lambda _: Management.OURS,
        monotonic: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._management = management
        self._monotonic = monotonic
        self._utc_now = utc_now
        self._jobs: dict[str, Job] = {}  # by uid
        self._unfinished: dict[str, Job] = {}
        self._queue = WorkQueue()
        self._written: dict[str, Status] = {}  # by uid: the status in this operator's write in flight
        self.listed = asyncio.Event()  # every unfinished job is here
        self.complete = asyncio.Event()  # every job is here
        self.relisted = False  # the watch listed the jobs again, which shows no deletions: the next sweep compares
        self._deleted: dict[str, Job] = {}  # by uid, until `take_deleted`
        self._removed: dict[JobKey, None] = {}  # deleted or missing, until `take_removed`
        self._tombstones: dict[str, None] = {}  # uids of deleted objects, which never come back
        self.newest = 0  # the newest resource version that was seen
        self.timers = Timers()
        self.changed = asyncio.Event()  # set when there may be work
        self.counts = Counts()
        self._active: dict[str, None] = {}  # uids of jobs in flight
        self._handed_over: dict[str, Job] = {}  # by uid, until `take_handed_over`

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        """Iterate over all jobs, in no order. Do not change the cache meanwhile."""
        return iter(self._jobs.values())

    def active(self) -> Iterator[Job]:
        """Iterate over the jobs that are in a queue or with a worker. Do not change the cache meanwhile."""
        return (self._jobs[uid] for uid in self._active)

    def get(self, key: JobKey) -> Job | None:
        """Return the job as the API server last showed it."""
        return self._jobs.get(key.uid)

    def by_id(self, job_id: str) -> Job | None:
        """Return the job with this id, the only part of its key that Redis always holds."""
        return self._jobs.get(job_id)

    def ids(self) -> frozenset[str]:
        """Return the ids of all jobs."""
        return frozenset(self._jobs)

    def saw_deletion(self, job_id: str) -> bool:
        """Whether the job left the cache because its deletion was known."""
        return job_id in self._tombstones

    def put(self, body: Mapping[str, Any]) -> JobKey | None:
        """Store a body, and enqueue its job if anything changed. Return the key if the body was stored."""
        key = parsing.key_of(body)
        if key is None or not self.wants(key, parsing.version_of(body)):
            return None
        self.store(objects.job_of(body, key))
        return key

    def wants(self, key: JobKey, version: int) -> bool:
        """Whether that version of the object is newer than the cached one."""
        self.newest = max(self.newest, version)
        cached = self._jobs.get(key.uid)
        if key.uid in self._tombstones:
            return False
        return cached is None or version > cached.version

    def store(self, job: Job) -> None:
        """Store a job. Enqueue it if anything changed.

        A status that `writes` announced is not a change, in the response to the patch or in its watch event, which may come first.
        A job that had finished before it was first seen is enqueued only if work may remain.
        """
        cached, written = self._jobs.get(job.key.uid), self._written.pop(job.key.uid, None)
        management = self._management(job.status)
        job = job if job.management is management else replace(job, management=management)
        self._replace(job.key, job)
        if cached is None and job.finished:
            self._enqueue_if_left(job, self._utc_now())
        elif (
            cached is None
            or job.status not in (cached.status, written)
            or (cached.generation, cached.deleting) != (job.generation, job.deleting)
        ):
            self.enqueue(job.key)

    def writes(self, key: JobKey, status: Status) -> None:
        """Announce that this operator is about to store this status of the job."""
        cached = self._jobs.get(key.uid)
        if cached is not None:
            self._written[key.uid] = objects.compact(replace(cached, status=status)).status

    def remove(self, key: JobKey) -> None:
        """Remove a job whose object was deleted."""
        last = self._jobs.get(key.uid)
        if last is not None:
            self._deleted[key.uid] = last
        self._tombstones[key.uid] = None
        while len(self._tombstones) > _TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]
        self.drop(key)

    def drop(self, key: JobKey) -> None:
        """Drop a job whose object is missing, perhaps without a deletion: nothing is cleaned up."""
        if key.uid in self._jobs:
            self._removed[key] = None
            self.changed.set()
        self._replace(key, None)
        self._written.pop(key.uid, None)
        self._queue.discard(key)
        self.timers.cancel(key)

    def take_handed_over(self) -> list[Job]:
        """Take the jobs that another installation has marked since the last call."""
        taken, self._handed_over = list(self._handed_over.values()), {}
        return taken

    def take_removed(self) -> list[JobKey]:
        """Take the keys of the jobs that left the cache since the last call, whether deleted or only missing."""
        removed, self._removed = list(self._removed), {}
        return removed

    def take_deleted(self) -> list[Job]:
        """Take the jobs that were deleted since the last call, as they were last seen."""
        deleted, self._deleted = list(self._deleted.values()), {}
        return deleted

    # --- The work queue

    @property
    def queued(self) -> int:
        """How many keys are in the work queue."""
        return len(self._queue)

    def enqueue(self, key: JobKey, turn: Turn | None = None) -> None:
        """Enqueue the job, if it exists, in that class; None: the class of its state."""
        job = self._jobs.get(key.uid)
        if job is not None:
            self._queue.put(key, Turn.of(job) if turn is None else turn)
            self.changed.set()

    def enqueue_after(self, key: JobKey, seconds: float) -> None:
        """Enqueue the job again after that time, or earlier."""
        self.timers.wake(key, self._monotonic() + seconds)

    def enqueue_unfinished(self, waits: Callable[[Job], bool] | None = None) -> int:
        """Enqueue all unfinished jobs, or only those that do more than wait. Return how many."""
        jobs = [job for job in self._unfinished.values() if waits is None or not waits(job)]
        for job in jobs:
            self._queue.put(job.key, Turn.of(job))
        self.changed.set()
        return len(jobs)

    def pass_over(self) -> None:
        """Empty the work queue, since another replica leads. `begin` finds the work that remains after it."""
        self._queue.clear()
        for keys in (self._removed, self._deleted, self._handed_over):
            keys.clear()

    def begin(self) -> None:
        """Begin a tenure: enqueue all unfinished jobs, and the finished jobs for which work may remain."""
        self.enqueue_unfinished()
        now = self._utc_now()
        for job in self:
            if job.finished:
                self._enqueue_if_left(job, now)

    def take(self, at_most: int) -> list[JobKey]:
        """Take the next keys, by class (`Turn`)."""
        return self._queue.take(at_most)

    def _enqueue_if_left(self, job: Job, now: datetime) -> None:
        at = finished.next_look(job, now, config.CANCEL_TTL_SECONDS)
        if at is None:
            return
        if at <= now:
            self.enqueue(job.key, Turn.LATER)
        else:
            self.enqueue_after(job.key, (at - now).total_seconds())

    def _replace(self, key: JobKey, job: Job | None) -> None:
        old = self._jobs.pop(key.uid, None)
        self._unfinished.pop(key.uid, None)
        if old is not None and job is not None and job.contested and old.status.installation != job.status.installation:
            self._handed_over[key.uid] = job
        if old is not None:
            self.counts.count(old, -1)
        self._active.pop(key.uid, None)
        if job is not None:
            self.counts.count(job, 1)
            self._jobs[key.uid] = job
            if job.status.phase in IN_FLIGHT:
                self._active[key.uid] = None
            if not job.finished:
                self._unfinished[key.uid] = job
