"""What a user sees: `.status`. Written by the operator alone; `phase` is for eyes, conditions are for machines."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


class Phase(enum.StrEnum):
    """Where a job is, in one word."""

    PENDING = "Pending"  # not dispatched
    QUEUED = "Queued"  # dispatched, no worker has begun
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    CANCELLING = "Cancelling"  # confirmed, and something of it may still run
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing of the job will ever happen again."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


class ConditionType(enum.StrEnum):
    """All conditions; every one is present from the first visit."""

    ACCEPTED = "Accepted"
    DISPATCHED = "Dispatched"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    FINISHED = "Finished"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


@dataclass(frozen=True, slots=True)
class Condition:
    """As metav1.Condition."""

    type: str
    status: str  # "True" | "False" | "Unknown"
    reason: str
    message: str = ""
    last_transition_time: datetime | None = None
    observed_generation: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the current attempt is."""

    percent: int = 0
    step: str = ""
    step_index: int = 0  # from 1; 0 before the first
    step_count: int = 6
    eta_seconds: int | None = None
    display: str = ""  # "60% Running reconstruction (3/6)", for eyes
    last_update_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read."""

    images: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file of the output."""

    name: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Outputs:
    """What came out."""

    uri: str = ""
    bytes: int = 0
    files: tuple[OutputFile, ...] = ()  # 16 at most


@dataclass(frozen=True, slots=True)
class Cancel:
    """When each step of a cancel was seen."""

    requested_at: datetime | None = None
    confirmed_at: datetime | None = None
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the job failed, or why its last attempt did."""

    reason: str = ""  # a code of api.outcomes
    message: str = ""
    retriable: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The whole status. All absent before the operator has seen the job."""

    observed_generation: int = -1
    phase: Phase | None = None
    attempt: int = 0  # from 1; 0: none yet
    failures: int = 0
    next_attempt_time: datetime | None = None
    task_id: str | None = None
    worker: str | None = None
    simulated: bool | None = None
    message: str = ""
    dispatch_time: datetime | None = None  # of the current attempt
    start_time: datetime | None = None  # the first start since creation or resume
    completion_time: datetime | None = None
    progress: Progress | None = None
    inputs: Inputs | None = None
    outputs: Outputs | None = None
    quality: Mapping[str, str] = field(default_factory=dict)  # numbers as text: a schema knows no union
    cancel: Cancel | None = None
    failure: Failure | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type."""
        return next((one for one in self.conditions if one.type == kind), None)
