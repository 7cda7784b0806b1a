"""One look at one job: what the rules are asked, and what they answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.planning.actions import Action
from reconstruction_operator.planning.times import whole
from reconstruction_operator.planning.types import Job, Observation, Timing


class Stage(enum.Enum):
    """Where a job is, finer than its phase: each has a sentence of its own, and decides the conditions."""

    INVALID = "its spec is not accepted"
    WAITING = "it waits in the resources for its turn"
    BACKOFF = "it waits for the time of its next attempt"
    QUEUED = "its message is sent, and no worker has begun"
    RUNNING = "a worker has it"
    RECOVERING = "Redis forgot who has it"
    SUSPENDED = "nothing of it runs until it is resumed"
    CANCELLING = "its cancel is confirmed, and something of it may still run"
    SUCCEEDED = "it succeeded"
    FAILED = "it failed"
    CANCELLED = "it is cancelled"

    @property
    def final(self) -> bool:
        """Whether the job is over."""
        return self in _FINAL


_FINAL = frozenset({Stage.INVALID, Stage.SUCCEEDED, Stage.FAILED, Stage.CANCELLED})


@dataclass(frozen=True, slots=True)
class Case:
    """The arguments of a plan, and what every rule wants to know of them."""

    job: Job
    seen: Observation
    now: datetime
    timing: Timing
    admitted: bool

    @property
    def stored(self) -> Status:
        """The status as the API server has it: what is not stored has not happened."""
        return self.job.status

    @property
    def attempt(self) -> int:
        """The attempt that the observation is about."""
        return self.job.attempt

    @property
    def task(self) -> TaskId:
        """The task of that attempt."""
        return self.job.task

    @property
    def wanted(self) -> int:
        """The attempt that the record wants; 0 without a record."""
        return self.seen.record.attempt if self.seen.record else 0

    @property
    def worker(self) -> str:
        """The worker that has the attempt; empty if none has, or if it has ended."""
        claim = self.seen.claim
        return "" if self.seen.end or claim is None or claim.by_operator else claim.owner or "a worker"

    @property
    def closed(self) -> bool:
        """The operator has taken the attempt's claim, and its end is missing: no worker will ever run it."""
        return self.seen.end is None and self.seen.claim is not None and self.seen.claim.by_operator

    @property
    def in_grace(self) -> bool:
        """Redis may have forgotten things, and workers may still register what they run."""
        return self.seen.epoch_age_seconds <= self.timing.epoch_grace_seconds

    @property
    def lost(self) -> bool:
        """The worker that has the attempt has been silent for too long."""
        silent = not self.seen.alive and self.seen.silent_seconds >= self.timing.lost_after_seconds
        return bool(self.worker) and silent and not self.in_grace

    @property
    def forgotten(self) -> bool:
        """A worker had the attempt, as the stored status says, and Redis knows nothing of it."""
        return self.seen.end is None and self.seen.claim is None and self.stored.worker is not None

    @property
    def touched(self) -> bool:
        """Something of the job may lie in a queue or with a worker."""
        return self.stored.attempt > 0 or self.seen.record is not None or self.seen.claim is not None

    @property
    def suspended(self) -> bool:
        """The stored status says that nothing of the job runs until it is resumed."""
        return self.stored.phase is Phase.SUSPENDED

    @property
    def at(self) -> datetime:
        """Now, as the status holds times."""
        return whole(self.now)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule decided.

    `status` has the new details (attempt, times, progress, failure, …) on top of the stored ones. Phase, conditions,
    message and the cancel's times follow from `stage`, and are set in one place for all rules.
    """

    stage: Stage
    status: Status
    actions: tuple[Action, ...] = ()
    wake: tuple[datetime | None, ...] = ()
    wants_dispatch: bool = False
    stopping: bool = False  # a worker has it, and was asked to stop, or is given up
    suspending: bool = False
    cause: str = ""  # a code of api.outcomes: why another attempt follows, known only when that is decided
    text: str | None = None  # the message of the moment; None: that of the stage
