"""What decisions are made from, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from reconstruction_operator.api.identity import MANAGER, JobKey, TaskId
from reconstruction_operator.api.spec import Spec, queue_name
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.records import ObservedJob, ProgressReport
from reconstruction_operator.planning.actions import Action

# --- The job, as the API server last showed it -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """One ReconstructionJob. `status` is what the API server has stored, never what we wish."""

    key: JobKey
    generation: int
    created: datetime
    spec: Spec
    status: Status
    deleting: bool = False  # has a deletionTimestamp (somebody else's finalizer)

    @property
    def ours(self) -> bool:
        """Whether this operator manages the job; jobs of another controller are ignored."""
        return self.spec.managed_by in (None, "", MANAGER)

    @property
    def queue(self) -> str:
        """The Celery queue of its messages."""
        return queue_name(self.spec.queue, self.spec.priority)

    @property
    def attempt(self) -> int:
        """The attempt that an observation of this job is about: the stored one, or the first."""
        return max(1, self.status.attempt)

    @property
    def task(self) -> TaskId:
        """The task of that attempt."""
        return TaskId(self.key.job_id, self.attempt)

    @property
    def sent(self) -> bool:
        """Whether a message of it was ever sent: then it has a record, by which it is cleaned up when it is deleted."""
        status = self.status
        return status.attempt > 1 or status.dispatch_time is not None or status.worker is not None


# --- What was observed in Redis ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """What is known of the queue that the job's message goes to."""

    workers: int = 0  # live workers that listen to it
    waiting: int = 0  # messages in it


@dataclass(frozen=True, slots=True)
class Observation(ObservedJob):
    """What Redis holds of one job's current attempt, and what the operator knows beside it."""

    silent_seconds: float = 0.0  # claimed and not alive, over unbroken contact with Redis
    progress: ProgressReport | None = None
    queue: Queue = Queue()
    epoch_age_seconds: float = 1e9  # since Redis was last seen to have forgotten things

    @classmethod
    def of(cls, seen: ObservedJob, **known: Any) -> Observation:
        """What was read from Redis, and the other fields."""
        return cls(**{one.name: getattr(seen, one.name) for one in fields(ObservedJob)}, **known)


@dataclass(frozen=True, slots=True)
class Event:
    """One Kubernetes Event about the job."""

    type: str  # "Normal" | "Warning"
    reason: str  # CamelCase
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from a job and an observation. Carrying it out twice does no harm."""

    status: Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    wants_dispatch: bool = False  # it would be dispatched if `scheduling` let it
    wake_at: datetime | None = None  # look again then, even if nothing happens


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings that plans depend on (config has the defaults and the units)."""

    lost_after_seconds: float
    epoch_grace_seconds: float
    resend_seconds: float
    backoff_seconds: float
    backoff_max_seconds: float
    cancel_ttl_seconds: float
    progress_seconds: float
