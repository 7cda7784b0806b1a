"""Observer: reads what Redis holds of a batch of jobs, in two reads, as planning's Observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import redis.asyncio

from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob, ProgressReport
from reconstruction_operator.controller.entry import Entry, Silence, Subject
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.types import Observation
from reconstruction_operator.state import calls, reads, results

_GAP_SECONDS: Final = 5.0  # after a longer time between two polls, the silence of a worker is counted from zero


@dataclass(frozen=True, slots=True)
class ObservedBatch:
    """An Observation for each attempt, in their order, at `now` by Redis's clock."""

    now: datetime
    observations: tuple[Observation, ...]
    went_back: bool = False  # Redis has older data than before: decide nothing from them, and check the connection


@dataclass(eq=False)
class Observer:
    """Reads attempts and heartbeats; raises RedisError."""

    state: redis.asyncio.Redis
    result_backend: redis.asyncio.Redis
    connection: RedisConnection
    queues: QueueFacts
    messages: SentMessages
    keys: Keys
    monotonic: Callable[[], float] = time.monotonic

    async def observe(self, attempts: Sequence[tuple[Subject, AttemptRef]]) -> ObservedBatch:
        """Read these attempts, each of a subject."""
        if not attempts:
            return ObservedBatch(datetime.now(UTC), ())
        pairs = [(attempt.job_id, attempt.number) for _, attempt in attempts]
        timeline = self.connection.timeline
        looks = timeline.known
        observed = await calls.arun(self.state, reads.observe(self.keys, pairs))
        # Celery's results show progress. For an attempt that ended, `end` holds everything.
        pairs_of_jobs = zip(attempts, observed.jobs, strict=True)
        running = [attempt.task_id for (_, attempt), job in pairs_of_jobs if job.runs or job.moves]
        reports = await results.read(self.result_backend, running) if running else {}
        observations = tuple(
            self._observation(subject, attempt, job, reports.get(attempt.task_id), observed.now)
            for (subject, attempt), job in zip(attempts, observed.jobs, strict=True)
        )
        return ObservedBatch(observed.now, observations, timeline.went_back(observed.looks, looks))

    async def without_heartbeat(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the jobs whose claimed attempt has no heartbeat now; `observe` measures for how long."""
        if not entries:
            return []
        job_ids = [entry.key.job_id for entry in entries]
        heartbeats = await calls.arun(self.state, reads.with_heartbeat(self.keys, job_ids))
        missing = []
        for entry, present in zip(entries, heartbeats, strict=True):
            if present:
                entry.silence = None
            else:
                missing.append(entry)
        return missing

    def _observation(
        self,
        subject: Subject,
        attempt: AttemptRef,
        job: ObservedJob,
        report: ProgressReport | None,
        now: datetime,
    ) -> Observation:
        record = job.record
        queue = attempt.queue if record is None else record.leg.queue if record.leg else record.attempt.queue
        is_silent = job.runs and not job.alive
        if not is_silent:
            subject.silence = None
        if job.claim is not None or job.end is not None:
            self.messages.begun(subject)
        return Observation(
            job,
            silent_seconds=self._silent_seconds(subject, attempt.number) if is_silent else 0.0,
            progress=report,
            workers=self.queues.workers(queue),
            missing=self.messages.is_missing(subject, replace(attempt, queue=queue)),
            order_missing=_is_ordered(job)
            and self.messages.is_order_missing(subject, attempt.job_id, queue, self.monotonic()),
            epoch_age_seconds=self.connection.epoch_age_seconds(now),
        )

    def _silent_seconds(self, subject: Subject, attempt: int) -> float:
        """For how long the worker of a claimed attempt without a heartbeat has been silent.

        Counted from zero if the connection was interrupted since the last poll, or if that poll is too long ago (this
        process was paused): the worker may have sent a heartbeat in between.
        """
        now, interruptions = self.monotonic(), self.connection.interruptions
        silence = subject.silence
        if (
            silence is None
            or (silence.attempt, silence.interruptions) != (attempt, interruptions)
            or now - silence.seen > _GAP_SECONDS
        ):
            silence = subject.silence = Silence(attempt, now, now, interruptions)
        silence.seen = now
        return now - silence.since


def _is_ordered(job: ObservedJob) -> bool:
    """Whether the deletion of the job's files was ordered and is not recorded as done."""
    record, end = job.record, job.end
    return (
        record is not None and record.orders > 0 and record.sent_at is not None and end is not None and not job.cleaned
    )
