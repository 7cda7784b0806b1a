"""Case and Decision: the argument and the result of a rule."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.pools import queue_name
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.planning.actions import Action
from reconstruction_operator.planning.times import after, whole
from reconstruction_operator.planning.types import Job, Observation, Timing


class JobState(enum.Enum):
    """The state of a job, finer than its phase. It decides the phase, the message and the conditions."""

    INVALID = "its spec is invalid"
    WAITING = "it waits in the API server to be dispatched"
    BACKOFF = "it waits for the time of its next attempt"
    QUEUED = "its message is sent, and no worker has started it"
    RUNNING = "a worker runs it"
    RECOVERING = "Redis lost its claim"
    SUSPENDED = "it does not run until it is resumed"
    CANCELLING = "its cancel is confirmed, and it may still run"
    SUCCEEDED = "it succeeded"
    FAILED = "it failed"
    CANCELLED = "it is cancelled"

    @property
    def final(self) -> bool:
        """Whether the job is finished."""
        return self in _FINAL


_FINAL = frozenset({JobState.INVALID, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Case:
    """The arguments of a plan, and what the rules derive from them."""

    job: Job
    observed: Observation
    now: datetime
    timing: Timing

    @property
    def seen(self) -> ObservedJob:
        """What Redis holds of the job."""
        return self.observed.redis

    @property
    def stored(self) -> Status:
        """The status in the API server: a decision counts only once it is stored."""
        return self.job.status

    @property
    def attempt(self) -> int:
        """The attempt that the observation is about."""
        return self.job.attempt

    @property
    def task(self) -> AttemptRef:
        """That attempt, as a task of the job's own queue."""
        return self.job.task

    @property
    def wanted(self) -> int:
        """The attempt that the record wants; 0 without a record."""
        return self.seen.record.attempt.number if self.seen.record else 0

    @property
    def queue(self) -> str:
        """The queue of the job's orders, and of messages that are of no leg.

        The spec may have been edited after they were sent, and before the status shows it.
        """
        return self.seen.record.attempt.queue if self.seen.record else self.job.home

    @property
    def record_lost(self) -> bool:
        """The job was sent, and Redis lost its record."""
        return self.job.sent and not self.wanted

    @property
    def worker(self) -> str:
        """The worker that runs the attempt; empty if none does."""
        claim = self.seen.claim
        return (claim.owner or "a worker") if claim is not None and self.seen.runs else ""

    @property
    def in_grace(self) -> bool:
        """Redis lost data a short time ago (`Observation.in_grace`)."""
        return self.observed.in_grace(self.timing)

    @property
    def lost(self) -> bool:
        """The attempt's worker is lost (`Observation.lost`)."""
        return self.observed.lost(self.timing)

    @property
    def at_rest(self) -> bool:
        """The stored status is Suspended, and no worker runs the attempt: a stale claim does not count."""
        return self.suspended and (not self.worker or self.seen.stale)

    @property
    def claim_lost(self) -> bool:
        """A worker has begun the attempt by the stored status, but Redis has neither a claim nor an end."""
        missing = self.seen.end is None and self.seen.claim is None and self.stored.begun
        return missing and not self.observed.is_between_legs(self.job)

    @property
    def leg(self) -> Leg | None:
        """The newest leg of the attempt, by the record or the stored status; None: its first."""
        stored, record = self.stored.leg, self.seen.record
        newest = record.leg if record is not None and record.attempt.number == self.attempt else None
        if newest is None or newest.number <= (stored.number if stored else 0):
            return stored
        # Redis names no queue that neither the spec nor the pool names.
        spec = self.job.spec
        wanted = queue_name(self.timing.stage_queues(self.job).get(newest.stage, spec.queue), spec.priority)
        queue = newest.queue if newest.queue in (wanted, self.job.home) else self.job.home
        return replace(newest, queue=queue, instead_of=wanted if queue != wanted else "", since=self.at)

    @property
    def sending(self) -> str:
        """The Celery queue of the attempt's next message: that of its leg, or else the job's."""
        leg = self.leg
        return self.job.home if leg is None else leg.queue

    @property
    def leg_deadline(self) -> datetime | None:
        """When the leg goes back to the job's own queue, if no worker has begun it; None: it is there."""
        leg = self.leg
        if leg is None or leg.queue == self.job.home:
            return None
        return after(leg.since or self.now, self.timing.stage_queue_patience_seconds)

    @property
    def unsent(self) -> bool:
        """The newest leg waits, and its message was not sent yet."""
        return self.observed.is_between_legs(self.job) and self.sent_at is None

    @property
    def touched(self) -> bool:
        """A queue or a worker may hold something of the job."""
        return self.stored.attempt > 0 or self.seen.record is not None or self.seen.claim is not None

    @property
    def sent_at(self) -> datetime | None:
        """When the attempt's newest message was sent, by the record."""
        record = self.seen.record
        return record.sent_at if record is not None and record.attempt.number == self.attempt else None

    @property
    def suspended(self) -> bool:
        """The stored status is Suspended after an attempt.

        A job suspended before its first one is resumed with it, like a new job.
        """
        return self.stored.phase is Phase.SUSPENDED and self.stored.attempt > 0

    @property
    def at(self) -> datetime:
        """The current time, in the precision of the status."""
        return whole(self.now)

    @property
    def idle_state(self) -> JobState:
        """The state of an attempt that no worker runs."""
        if self.sent_at is not None or self.stored.dispatch_time is not None:
            return JobState.QUEUED
        due = self.stored.next_attempt_time
        return JobState.BACKOFF if due is not None and due > self.now else JobState.WAITING

    @property
    def active_deadline(self) -> datetime | None:
        """When the job must be finished: from its first start since creation or resume, over all attempts, as in
        batch/v1.
        """
        seconds = self.job.spec.active_deadline_seconds
        start = self.stored.start_time or (self.seen.claim.at if self.worker and self.seen.claim else None)
        return None if seconds is None or start is None else after(start, seconds)

    @property
    def queue_deadline(self) -> datetime | None:
        """When a worker must have started the job: from its creation or resume; None once a worker has started it."""
        seconds = self.job.spec.queue_deadline_seconds
        if seconds is None or self.worker or self.stored.start_time is not None:
            return None
        return after(self.waiting_since, seconds)

    @property
    def waiting_since(self) -> datetime:
        """Since when the job has waited for its first start: its creation or resume."""
        suspended = self.stored.condition(ConditionType.SUSPENDED)
        if suspended is not None and suspended.status == "True":
            return self.at  # it is being resumed
        if suspended is not None and suspended.reason == "Resumed" and suspended.last_transition_time is not None:
            return suspended.last_transition_time
        return self.job.created


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule decided.

    `status` has the new details (attempt, times, progress, failure, …) on top of the stored ones. `plan` derives phase,
    conditions, message and the cancel's times from `state`.
    """

    state: JobState
    status: Status
    actions: tuple[Action, ...] = ()
    wake: tuple[datetime | None, ...] = ()
    wants_dispatch: bool = False  # `dispatching.dispatch` follows if the job is admitted
    stopping: bool = False  # the attempt's worker was asked to stop, or is lost
    suspending: bool = False
    cause: str = ""  # a code of `contract.outcomes`: why another attempt follows; only when that is decided
    text: str | None = None  # the message; None: that of the state
