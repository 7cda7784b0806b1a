"""Orphans: records in Redis whose object was deleted, perhaps while no operator ran.

They are stopped, cleaned up and forgotten.

The caller has verified the deletion: the watch reported it, or a complete consistent list lacks the object. Records of
jobs that another installation manages are stopped and forgotten too, but their files stay.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller import transition_log
from reconstruction_operator.controller.entry import Entry, Subject
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.actor import Actor, JobActions
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.rules.orphans import plan_contested, plan_orphan
from reconstruction_operator.planning.times import backoff
from reconstruction_operator.planning.types import Observation, Timing
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_BATCH: Final = 250
_FIRST_SECONDS: Final = 0.5  # before the second poll; doubles
_RUNNING_SECONDS: Final = 2.0  # maximum while an attempt runs: its heartbeats must be watched without gaps
_LAST_SECONDS: Final = 15.0  # maximum while its queue has no worker to clean up


@dataclass(slots=True, eq=False)
class _Orphan(Subject):
    next_at: float
    attempt: AttemptRef  # from its record once that is known
    polls: int = 0
    dispatched: bool = False  # it has a record, which only `Forget` may delete
    cancelled: bool = False  # the cancel was confirmed, and the job did not succeed before
    forgotten: bool = False
    contested: bool = False  # its object exists, but another installation manages it: only its attempt here ends
    retain_seconds: int | None = None  # how long its result stays in the trash; None: its spec is not known
    begun: bool = False  # a worker has begun it, as its status or a folder shows

    def learn(self, record: Record) -> bool:
        """Take the attempt from the record. Return whether its number or queue differ from those that were observed."""
        before, self.attempt = self.attempt, record.attempt
        return (before.number, before.queue) != (self.attempt.number, self.attempt.queue)


@dataclass(eq=False)
class Orphans:
    """The records that are being cleaned up. Times are monotonic seconds of the caller."""

    observer: Observer
    actor: Actor
    installation: Installation
    timing: Timing
    _orphans: dict[str, _Orphan] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._orphans)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._orphans

    def add(self, job_ids: Iterable[str], now: float, *, contested: bool = False) -> None:
        """Add jobs whose objects do not exist, or that another installation manages (`contested`).

        Their records may still exist and be ours, and attempts may run here.
        """
        for job_id in job_ids:
            self._orphan(job_id, now).contested = contested
        self._measure()

    def add_deleted(self, entries: Iterable[Entry], now: float) -> None:
        """Add jobs whose deletion was watched.

        A record that Redis has lost meanwhile is put back, since the clean-up needs it.
        """
        for entry in entries:
            job, orphan = entry.job, self._orphan(entry.key.job_id, now)
            orphan.silence, orphan.order, orphan.contested = entry.silence, entry.order, False
            if job.sent and job.ours:
                orphan.attempt, orphan.dispatched = job.task, True
                orphan.cancelled = job.spec.cancel_confirmed and job.status.phase is not Phase.SUCCEEDED
                orphan.retain_seconds = self.timing.retention(job.spec)
                orphan.begun |= job.status.worker is not None or job.status.start_time is not None
        self._measure()

    def add_reported(self, folders: Mapping[str, AttemptRef], now: float) -> None:
        """Add jobs whose folders workers found, and which have neither object nor record."""
        for job_id, attempt in folders.items():
            orphan = self._orphan(job_id, now)
            orphan.attempt, orphan.dispatched, orphan.forgotten = attempt, True, False
            orphan.begun = True
        self._measure()

    def poll_again(self, now: float) -> None:
        """Poll all of them now: Redis may have older data, in which a worker may begin one again."""
        for orphan in self._orphans.values():
            orphan.next_at, orphan.polls = now, 0

    def clear(self) -> None:
        """Drop all: another leader cleans up."""
        self._orphans.clear()
        self._measure()

    def queues(self) -> set[str]:
        """Return the queues whose workers have to clean up."""
        return {orphan.attempt.queue for orphan in self._orphans.values() if orphan.attempt.queue}

    def next_at(self) -> float | None:
        """When the next poll is due."""
        return min((orphan.next_at for orphan in self._orphans.values()), default=None)

    async def round(self, fence: int, now: float) -> None:
        """Work on the orphans that are due. Raises RedisError and DeposedError, like `act`."""
        due = [job_id for job_id, orphan in self._orphans.items() if orphan.next_at <= now][:_BATCH]
        if not due:
            return
        seen, at = await self._observe(due)
        stale = [job_id for job_id, job in seen.items() if self._learns(job_id, job.redis.record)]
        if stale:
            fresh, at = await self._observe(stale)
            seen |= fresh
        batch = self._plan_all(seen, at, now)
        results = await self.actor.act(batch, fence)
        for key, queue in results.ordered.items():
            if (ordered := self._orphans.get(key.job_id)) is not None:
                self.observer.messages.ordered(ordered, key.job_id, queue, now)
        for job in batch:
            orphan = self._orphans.get(job.key.job_id)
            forgets = any(isinstance(action, planned.Forget) for action in job.actions)
            if orphan is not None and forgets and job.key not in results.failed:
                orphan.forgotten = True
                if job.key.name:  # without a record no message of it was ever sent
                    transition_log.log_step(job.key, "Forgotten", "Nothing of the deleted job is left")
        transition_log.log_refusals(results.failed)
        self._measure()

    def _learns(self, job_id: str, record: Record | None) -> bool:
        return record is not None and self._orphans[job_id].learn(record)

    def _orphan(self, job_id: str, now: float) -> _Orphan:
        return self._orphans.setdefault(job_id, _Orphan(next_at=now, attempt=_unknown(job_id)))

    def _measure(self) -> None:
        metrics.ORPHANS.set(len(self._orphans))

    async def _observe(self, job_ids: Sequence[str]) -> tuple[dict[str, Observation], datetime]:
        orphans = [self._orphans[job_id] for job_id in job_ids]
        seen = await self.observer.observe([(orphan, orphan.attempt) for orphan in orphans])
        return dict(zip(job_ids, seen.observations, strict=True)), seen.now

    def _plan_all(self, seen: Mapping[str, Observation], at: datetime, now: float) -> list[JobActions]:
        batch = []
        for job_id, state in seen.items():
            try:
                actions = self._plan(job_id, state, at, now)
            except Exception:  # noqa: BLE001  # one bad record never stops the others
                metrics.RECONCILE_ERRORS.labels("plan").inc()
                _log.exception("The orphaned record of %s could not be planned", job_id)
                self._orphans[job_id].next_at = now + _LAST_SECONDS
            else:
                batch += [] if actions is None else [actions]
        return batch

    def _plan(self, job_id: str, seen: Observation, at: datetime, now: float) -> JobActions | None:
        orphan, record = self._orphans[job_id], seen.redis.record
        if record is None and orphan.dispatched and not orphan.forgotten:
            orphan.next_at = now + _FIRST_SECONDS
            # The flag first: with the record back, workers carry out orders to delete files, and the flag makes them
            # delete copies too.
            flag = (planned.AssertCancelled(),) if orphan.cancelled else ()
            return JobActions(orphan.attempt, None, (*flag, planned.PutRecord(orphan.attempt)))
        if record is None and not orphan.contested:
            # No message of it was ever sent, or Redis lost the record. Its other keys and its entry in the index are
            # deleted.
            del self._orphans[job_id]
            return JobActions(_unknown(job_id), None, (planned.Forget(),))
        if record is None or not self.installation.owns(record):
            del self._orphans[job_id]
            return None
        limit = _RUNNING_SECONDS if seen.redis.runs else _LAST_SECONDS
        orphan.polls += 1
        orphan.next_at = now + backoff(orphan.polls, _FIRST_SECONDS, limit)
        if orphan.contested:
            actions = plan_contested(record, seen, self.timing)
        else:
            actions = plan_orphan(
                record, seen, at, self.timing, begun=orphan.begun, retain_seconds=orphan.retain_seconds
            )
        return JobActions(record.attempt, None, actions) if actions else None


def _unknown(job_id: str) -> AttemptRef:
    """Return the attempt of a job of which only the id is known."""
    return AttemptRef(JobRef.bare(job_id), 1)
