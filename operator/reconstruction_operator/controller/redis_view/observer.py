"""Observer: reads what Redis holds of a batch of jobs, in two reads, as planning's Observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import redis.asyncio

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob, ProgressReport
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


@dataclass(slots=True)
class _Silence:
    since: float  # monotonic, of the first poll that did not find the heartbeat
    seen: float  # of the last one
    interruptions: int  # of the connection until then


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
    _silences: dict[TaskId, _Silence] = field(default_factory=dict, init=False)

    async def observe(self, attempts: Sequence[tuple[TaskId, str]]) -> ObservedBatch:
        """Read these attempts, each with the queue that its message goes to."""
        if not attempts:
            return ObservedBatch(datetime.now(UTC), ())
        pairs = [(task.job_id, task.attempt) for task, _ in attempts]
        timeline = self.connection.timeline
        looks = timeline.known
        observed = await calls.arun(self.state, reads.observe(self.keys, pairs))
        # Celery's results show progress. For an attempt that ended, `end` holds everything.
        running = [str(task) for (task, _), job in zip(attempts, observed.jobs, strict=True) if job.runs]
        reports = await results.read(self.result_backend, running) if running else {}
        observations = tuple(
            self._observation(
                task, job.record.queue if job.record else queue, job, reports.get(str(task)), observed.now
            )
            for (task, queue), job in zip(attempts, observed.jobs, strict=True)
        )
        return ObservedBatch(observed.now, observations, timeline.went_back(observed.looks, looks))

    async def without_heartbeat(self, tasks: Sequence[TaskId]) -> list[TaskId]:
        """Return the claimed attempts that have no heartbeat now; `observe` measures for how long."""
        if not tasks:
            return []
        heartbeats = await calls.arun(self.state, reads.with_heartbeat(self.keys, [task.job_id for task in tasks]))
        missing = []
        for task, present in zip(tasks, heartbeats, strict=True):
            if present:
                self._silent_seconds(task, alive=True)
            else:
                missing.append(task)
        return missing

    def _observation(
        self, task: TaskId, queue: str, job: ObservedJob, report: ProgressReport | None, now: datetime
    ) -> Observation:
        return Observation.of(
            job,
            silent_seconds=self._silent_seconds(task, alive=job.alive or not job.runs),
            progress=report,
            workers=self.queues.workers(queue),
            missing=self.messages.is_missing(task, queue),
            order_missing=_is_ordered(job) and self.messages.is_order_missing(task.job_id, queue, self.monotonic()),
            epoch_age_seconds=self.connection.epoch_age_seconds(now),
        )

    def _silent_seconds(self, task: TaskId, *, alive: bool) -> float:
        """For how long the worker of a claimed attempt has been silent.

        Counted from zero if the connection was interrupted since the last poll, or if that poll is too long ago (this process
        was paused): the worker may have sent a heartbeat in between.
        """
        if alive:
            self._silences.pop(task, None)
            return 0.0
        now, interruptions = self.monotonic(), self.connection.interruptions
        silence = self._silences.get(task)
        if silence is None or silence.interruptions != interruptions or now - silence.seen > _GAP_SECONDS:
            silence = self._silences[task] = _Silence(now, now, interruptions)
        silence.seen = now
        return now - silence.since


def _is_ordered(job: ObservedJob) -> bool:
    """Whether the deletion of the job's files was ordered and is not recorded as done."""
    record, end = job.record, job.end
    return (
        record is not None and record.orders > 0 and record.sent_at is not None and end is not None and not job.cleaned
    )
