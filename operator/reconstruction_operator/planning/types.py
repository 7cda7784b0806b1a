"""Types of planning: what a plan is made from (Job, Observation, Timing), and the Plan itself."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconstruction_operator.api.identity import MANAGER, AttemptRef, JobRef
from reconstruction_operator.api.spec import DELETE, RETAIN, Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract import pools
from reconstruction_operator.contract.preflight import Checked
from reconstruction_operator.contract.records import ObservedJob, ProgressReport
from reconstruction_operator.planning.actions import Action
from reconstruction_operator.planning.places import UNKNOWN, Place
from reconstruction_operator.planning.quotas import Refusal
from reconstruction_operator.readers import Grants, Pools, StageQueues


class Management(enum.Enum):
    """Which installation of the operator manages a job, by the mark in its status."""

    OURS = "this installation has stored its mark"
    UNMARKED = "no installation has stored a mark"
    FOREIGN = "another installation has stored its mark, and manages the job"


@dataclass(frozen=True, slots=True)
class Job:
    """One ReconstructionJob as the API server last returned it. `status` is the stored one."""

    key: JobRef
    generation: int
    created: datetime
    spec: Spec
    status: Status
    version: int = 0  # the resource version; larger is newer
    deleting: bool = False  # it has a deletionTimestamp: a finalizer that is not ours holds it
    problems: tuple[str, ...] = ()  # the mistakes in the spec, found when the body was read
    management: Management = Management.OURS
    cancel_by: str = ""  # the client that wrote the current step of the cancel, how and when; empty: unknown

    @property
    def ours(self) -> bool:
        """Whether this operator manages the job; jobs of another controller or installation are ignored."""
        return self._for_this_program and self.management is not Management.FOREIGN

    @property
    def contested(self) -> bool:
        """Whether another installation of the operator manages the job."""
        return self._for_this_program and self.management is Management.FOREIGN

    @property
    def _for_this_program(self) -> bool:
        return self.spec.managed_by in (None, "", MANAGER)

    @property
    def finished(self) -> bool:
        """Whether the job is finished."""
        return self.status.phase is not None and self.status.phase.finished

    @property
    def queue(self) -> str:
        """The Celery queue of its messages: that of the leg, or else its own."""
        return self.home if self.status.leg is None else self.status.leg.queue

    @property
    def home(self) -> str:
        """The Celery queue of `spec.queue`."""
        return pools.queue_name(self.spec.queue, self.spec.priority)

    @property
    def attempt(self) -> int:
        """The attempt that an observation of this job is about: the stored one, or the first."""
        return max(1, self.status.attempt)

    @property
    def task(self) -> AttemptRef:
        """That attempt, as a task of the job's own queue."""
        return AttemptRef(self.key, self.attempt, self.home)

    @property
    def sent(self) -> bool:
        """Whether a message of the job was ever sent.

        If so, the job has a record, which the clean-up after its deletion needs.
        """
        status = self.status
        return status.attempt > 1 or status.dispatch_time is not None or status.begun

    @property
    def waits(self) -> bool:
        """Whether the job waits for its first turn, in the API server alone: Redis holds no data of it that could be
        lost.
        """
        status = self.status
        return status.phase is Phase.PENDING and not self.sent and status.observed_generation >= self.generation


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings that plans depend on: `config` has them under the same names."""

    lost_after_seconds: float
    epoch_grace_seconds: float
    resend_seconds: float
    backoff_seconds: float
    backoff_max_seconds: float
    cancel_ttl_seconds: float
    progress_seconds: float
    notifications: Grants = ()
    notification_wait_seconds: float = 0.0
    pool_stage_queues: StageQueues = ()
    pool_namespaces: Pools = ()
    stage_queue_patience_seconds: float = 300.0
    deletion_policy: str = DELETE
    retain_seconds_after_deletion: int = 0

    def notified(self, namespace: str) -> str:
        """Return the address to which the events of a namespace's jobs are sent; empty: to none."""
        addresses = dict(self.notifications)
        return addresses.get(namespace) or addresses.get("*", "")

    def stage_queues(self, job: Job) -> Mapping[str, str]:
        """Return the queues of stages that do not run on the job's own: those of its spec, or else those of its pool
        that are open to its namespace.
        """
        if job.spec.stage_queues:
            return job.spec.stage_queues
        return {
            stage: queue
            for pool, stage, queue in self.pool_stage_queues
            if pool == job.spec.queue and not pools.refusal(self.pool_namespaces, queue, job.key.namespace)
        }

    def retention(self, spec: Spec) -> int:
        """Return for how many seconds a deleted job's result stays in the trash, by the job's policy or else by these
        settings.
        """
        policy = spec.deletion_policy or self.deletion_policy
        return self.retain_seconds_after_deletion if policy == RETAIN else 0


_NOTHING: Final = ObservedJob()


@dataclass(frozen=True, slots=True)
class Observation:
    """What Redis holds of one job's current attempt, and what else the operator knows about it."""

    redis: ObservedJob = _NOTHING
    silent_seconds: float = 0.0  # time without a heartbeat of the claimed attempt, while Redis was reachable
    progress: ProgressReport | None = None
    workers: int = 0  # live workers that consume the queue that the job's messages go to
    missing: bool = False  # the attempt's message is known to be missing: neither in its queue nor at a worker
    order_missing: bool = False  # the newest order to delete the job's files is known to be missing
    epoch_age_seconds: float = 1e9  # since the last known loss of data in Redis
    place: Place = UNKNOWN  # of a waiting job
    # Why the job is not accepted: by a rule of its namespace, or by every worker's model
    refused: Refusal | None = None
    # What the job waits for if no worker of its queue has its model; empty: a worker has it, or may have it
    no_model: str = ""
    checked: Checked | None = None  # result of the preflight

    def lacks(self, job: Job) -> bool:
        """Return whether Redis lacks data that the job's status reports: it may have lost them."""
        phase = job.status.phase
        if phase in (Phase.RUNNING, Phase.CANCELLING) and not self.is_between_legs(job):
            return job.status.worker is not None and self.redis.claim is None and self.redis.end is None
        return phase is Phase.QUEUED and self.redis.record is None

    def is_between_legs(self, job: Job) -> bool:
        """Return whether the newest leg of the attempt waits for a worker: the one before has ended as it should."""
        record, status = self.redis.record, job.status
        if record is None or record.leg is None or record.attempt.number != job.attempt or self.redis.claim is not None:
            return False
        known = status.leg.number if status.leg else 0
        return record.leg.number > known or (record.leg.number == known and status.phase is Phase.QUEUED)

    def in_grace(self, timing: Timing) -> bool:
        """Return whether Redis lost data a short time ago: live workers may still register what they run."""
        return self.epoch_age_seconds <= timing.epoch_grace_seconds

    def lost(self, timing: Timing) -> bool:
        """Return whether the attempt's worker has sent no heartbeat for too long."""
        is_silent = self.redis.runs and not self.redis.alive and self.silent_seconds >= timing.lost_after_seconds
        return is_silent and not self.in_grace(timing)


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about the job."""

    type: str  # "Normal" | "Warning"
    reason: str  # CamelCase
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from a job and an observation. Idempotent."""

    status: Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    wants_dispatch: bool = False  # `scheduling` decides when
    wake_at: datetime | None = None  # plan again then, even if nothing changes
    again: bool = False  # the next action waits until this status is stored: plan again then
