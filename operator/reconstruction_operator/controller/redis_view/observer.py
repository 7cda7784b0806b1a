"""Observe: two reads for a whole batch of jobs, and what is known of queues and of silence, as planning's Observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis.asyncio

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob, ProgressReport
from reconstruction_operator.controller.redis_view.liveness import LivenessTracker
from reconstruction_operator.planning.types import Observation, Queue
from reconstruction_operator.state import calls, reads, results


@dataclass(frozen=True, slots=True)
class Subject:
    """What to observe: one attempt, and the queue that its message goes to."""

    task: TaskId
    queue: str


@dataclass
class QueueFacts:
    """What was last read of the queues. `waiting` counts what was sent since."""

    workers: Mapping[str, int] | None = None  # None: not read yet
    waiting: dict[str, int] = field(default_factory=dict)

    def of(self, queue: str) -> Queue:
        """Of one queue. Before the first reading somebody is taken to listen: nobody should be warned for nothing."""
        workers = 1 if self.workers is None else self.workers.get(queue, 0)
        return Queue(workers=workers, waiting=self.waiting.get(queue, 0))

    def sent(self, queue: str) -> None:
        """One more message waits, until the next reading says how many do."""
        self.waiting[queue] = self.waiting.get(queue, 0) + 1


@dataclass(frozen=True, slots=True)
class Seen:
    """One batch: an Observation for each subject, in their order, at `now` by Redis's clock."""

    now: datetime
    observations: tuple[Observation, ...]


class Observer:
    """Reads what Redis says. Raises RedisError if it cannot."""

    def __init__(
        self,
        state: redis.asyncio.Redis,
        result_backend: redis.asyncio.Redis,
        *,
        keys: Keys,
        liveness: LivenessTracker,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._result_backend = result_backend
        self._keys = keys
        self._liveness = liveness
        self._monotonic = monotonic
        self.queues = QueueFacts()
        self.epoch_started_at: datetime | None = None

    async def observe(self, subjects: Sequence[Subject]) -> Seen:
        """What is to be known of these attempts."""
        if not subjects:
            return Seen(datetime.now(UTC), ())
        pairs = [(subject.task.job_id, subject.task) for subject in subjects]
        observed = await calls.arun(self._state, reads.observe(self._keys, pairs))
        # Celery's results are a view of what runs: of an attempt that ended, `end` says all.
        running = [str(subject.task) for subject, job in zip(subjects, observed.jobs, strict=True) if job.runs]
        reports = await results.read(self._result_backend, running) if running else {}
        observations = tuple(
            self._observation(subject, job, reports.get(str(subject.task)), observed.now)
            for subject, job in zip(subjects, observed.jobs, strict=True)
        )
        return Seen(observed.now, observations)

    async def without_heartbeat(self, tasks: Sequence[TaskId]) -> list[TaskId]:
        """Those of these claimed attempts that have no heartbeat at this moment: look closer at them."""
        if not tasks:
            return []
        found = await calls.arun(self._state, reads.with_heartbeat(self._keys, tasks))
        now = self._monotonic()
        missing = []
        for task, present in zip(tasks, found, strict=True):
            if not present:
                missing.append(task)
            else:
                self._liveness.saw(task, alive=True, now=now)
        return missing

    def _observation(
        self, subject: Subject, job: ObservedJob, report: ProgressReport | None, now: datetime
    ) -> Observation:
        silent_seconds = self._liveness.saw(subject.task, alive=job.alive or not job.runs, now=self._monotonic())
        age = 0.0 if self.epoch_started_at is None else (now - self.epoch_started_at).total_seconds()
        return Observation.of(
            job,
            silent_seconds=silent_seconds,
            progress=report,
            queue=self.queues.of(subject.queue),
            epoch_age_seconds=max(0.0, age),
        )
