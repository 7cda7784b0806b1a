"""Actions: what a plan orders. Each is idempotent."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import Legs
from reconstruction_operator.contract.outcomes import Outcome, StopReason


@dataclass(frozen=True, slots=True)
class PutRecord:
    """Record in Redis which attempt is wanted, and its leg; it supersedes older ones."""

    task: AttemptRef
    leg: Leg | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Send the attempt's message, and record when. Its record exists already."""

    task: AttemptRef
    again: bool = False
    retain_seconds: int = 0  # how long its result stays in the trash after the job is deleted
    legs: Legs | None = None  # None: the whole attempt runs on the job's own queue


@dataclass(frozen=True, slots=True)
class ReturnLeg:
    """End a leg that no worker has begun: its stage runs on the queue of the `following` leg."""

    task: AttemptRef
    number: int
    following: Leg


@dataclass(frozen=True, slots=True)
class RequestCancel:
    """Set `cancel_request:{job_id}`, or renew its time to live."""


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    """Delete `cancel_request:{job_id}`."""


@dataclass(frozen=True, slots=True)
class AssertCancelled:
    """Set `cancel:{job_id}`, or renew its time to live."""


@dataclass(frozen=True, slots=True)
class EndAttempt:
    """End an attempt that no worker has begun, or (`is_lost`) one whose worker is lost.

    Without effect on any other, or one that has ended.
    """

    task: AttemptRef
    outcome: Outcome
    reason: str
    message: str
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class RequestStop:
    """Ask for the stop of an attempt; its worker stops within seconds."""

    task: AttemptRef
    reason: StopReason


@dataclass(frozen=True, slots=True)
class ClearFlags:
    """Delete both cancel flags of a job that ended without a cancel."""


@dataclass(frozen=True, slots=True)
class DeleteFiles:
    """Order a worker that consumes the queue to delete the job's folder.

    `retain_seconds`: how long the result stays in the trash; None: as in its manifest, since the job's spec is unknown.
    """

    queue: str
    expired: bool = False  # because the job's time to live has expired
    retain_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Remove the job's messages from the queue: no worker has begun the job, or ever will."""

    task: AttemptRef


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the job's keys in Redis."""


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Delete the ReconstructionJob, whose time to live has expired."""


Action = (
    PutRecord
    | Dispatch
    | RequestCancel
    | WithdrawRequest
    | AssertCancelled
    | EndAttempt
    | RequestStop
    | ClearFlags
    | DeleteFiles
    | TakeBack
    | Forget
    | DeleteObject
    | ReturnLeg
)
