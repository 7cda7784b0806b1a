"""Actions: what a plan orders. Each is idempotent, so carrying one out twice does no harm."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.outcomes import Outcome, StopReason


@dataclass(frozen=True, slots=True)
class PutRecord:
    """Say in Redis which attempt is wanted; an older one is overtaken by it."""

    attempt: int
    queue: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Send the attempt's message (a record wants it already), and note when."""

    task: TaskId
    queue: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class RequestCancel:
    """Set `cancel_request:{job_id}`, or prolong it."""


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    """Delete `cancel_request:{job_id}`."""


@dataclass(frozen=True, slots=True)
class AssertCancelled:
    """Set `cancel:{job_id}`, or prolong it."""


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """End an attempt that no worker has begun; does nothing if one has."""

    task: TaskId
    outcome: Outcome
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RequestStop:
    """Set `stop:{task_id}`; the worker obeys within seconds."""

    task: TaskId
    reason: StopReason


@dataclass(frozen=True, slots=True)
class ForceEnd:
    """End an attempt whose worker is lost; does nothing if it has ended meanwhile."""

    task: TaskId
    outcome: Outcome
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ClearFlags:
    """Delete both cancel flags of a job that is over without a cancel."""


@dataclass(frozen=True, slots=True)
class DeleteFiles:
    """Order a worker of that queue's pool to delete the job's folder."""

    queue: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete what Redis knows of the job: its record, and the keys of attempts 1 to `attempts`."""

    attempts: int


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Delete the ReconstructionJob itself (its time to live is over)."""


Action = (
    PutRecord
    | Dispatch
    | RequestCancel
    | WithdrawRequest
    | AssertCancelled
    | TakeClaim
    | RequestStop
    | ForceEnd
    | ClearFlags
    | DeleteFiles
    | Forget
    | DeleteObject
)
