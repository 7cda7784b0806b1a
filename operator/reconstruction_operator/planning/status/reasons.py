"""Reasons of the conditions: one table, which docs/conditions.md shows.

A reason decides the status of its condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from reconstruction_operator.api.status import ConditionType
from reconstruction_operator.contract.outcomes import REASONS

_T = ConditionType


@dataclass(frozen=True, slots=True)
class ConditionReason:
    """One row: the status that a condition has with this reason, and what that means."""

    type: ConditionType
    reason: str
    status: str  # "True" | "False" | "Unknown"
    meaning: str


_TABLE = (
    ConditionReason(_T.ACCEPTED, "Accepted", "True", "The operator accepts the spec."),
    ConditionReason(
        _T.ACCEPTED,
        "InvalidSpec",
        "False",
        "The spec has a mistake that the API server cannot detect, or its namespace may not have such a "
        "job; the job has failed.",
    ),
    ConditionReason(_T.DISPATCHED, "Dispatched", "True", "The attempt's message was sent to its queue."),
    ConditionReason(_T.DISPATCHED, "NoWorker", "True", "The message waits in a queue that no live worker consumes."),
    ConditionReason(
        _T.DISPATCHED,
        "Waiting",
        "False",
        "The attempt waits for room in its queue; the condition's message has its place.",
    ),
    ConditionReason(
        _T.DISPATCHED, "RedisNearlyFull", "False", "Redis is nearly full; nothing is sent until it has room."
    ),
    ConditionReason(
        _T.DISPATCHED,
        "Quarantined",
        "False",
        "Jobs that lost the same worker, and not for the first time, are sent one at a time.",
    ),
    ConditionReason(
        _T.DISPATCHED,
        "NamespaceQuota",
        "False",
        "The namespace has as many jobs in flight as it may (NAMESPACE_MAX_RUNNING, NAMESPACE_MAX_HIGH).",
    ),
    ConditionReason(
        _T.DISPATCHED, "QueueUnserved", "False", "No live worker consumes its queue; it is sent when one does."
    ),
    ConditionReason(
        _T.DISPATCHED,
        "ModelUnserved",
        "False",
        "No live worker of the queue has the model; the condition's message names their models. The attempt is sent "
        "when a worker has it.",
    ),
    ConditionReason(_T.DISPATCHED, "BackingOff", "False", "The next attempt waits for status.nextAttemptTime."),
    ConditionReason(_T.DISPATCHED, "Suspended", "False", "Nothing is sent while spec.suspend is true."),
    ConditionReason(_T.DISPATCHED, "NotDispatched", "False", "The job ended, or ends, before this attempt was sent."),
    ConditionReason(_T.RUNNING, "Started", "True", "A worker has started the attempt and runs it."),
    ConditionReason(_T.RUNNING, "Stopping", "True", "The attempt's worker was asked to stop, or is lost."),
    ConditionReason(
        _T.RUNNING, "AwaitingWorker", "Unknown", "Redis lost its data; a live worker may register the attempt again."
    ),
    ConditionReason(_T.RUNNING, "NotStarted", "False", "No worker has started the attempt."),
    ConditionReason(_T.RUNNING, "AttemptFailed", "False", "The last attempt failed (status.failure); another follows."),
    ConditionReason(_T.RUNNING, "RedisLost", "False", "Redis lost the last attempt; another follows."),
    ConditionReason(_T.RUNNING, "Drained", "False", "The last attempt's worker was shut down; another follows."),
    ConditionReason(_T.RUNNING, "Superseded", "False", "The last attempt was superseded; another follows."),
    ConditionReason(_T.RUNNING, "Suspended", "False", "Nothing runs while the job is suspended."),
    ConditionReason(_T.RUNNING, "Ended", "False", "The job is finished."),
    ConditionReason(_T.SUSPENDED, "Suspended", "True", "spec.suspend is true, and the job does not run."),
    ConditionReason(_T.SUSPENDED, "Suspending", "False", "spec.suspend is true; the current attempt is being stopped."),
    ConditionReason(_T.SUSPENDED, "NotSuspended", "False", "The job has not been suspended, or is finished."),
    ConditionReason(_T.SUSPENDED, "Resumed", "False", "The job was suspended, and has resumed."),
    ConditionReason(
        _T.CANCEL_REQUESTED, "Requested", "True", "Step one: requested. Confirm it, or withdraw it; the job continues."
    ),
    ConditionReason(_T.CANCEL_REQUESTED, "Confirmed", "True", "Step two: final. The job is stopped."),
    ConditionReason(_T.CANCEL_REQUESTED, "NotRequested", "False", "No cancel is requested."),
    ConditionReason(_T.CANCEL_REQUESTED, "Withdrawn", "False", "A request was withdrawn before it was confirmed."),
    ConditionReason(_T.COMPLETE, "Succeeded", "True", "The result is in status.outputs."),
    ConditionReason(_T.COMPLETE, "NotFinished", "False", "The job is not finished."),
    ConditionReason(_T.COMPLETE, "Failed", "False", "The job failed."),
    ConditionReason(_T.COMPLETE, "Cancelled", "False", "The job was cancelled."),
    ConditionReason(_T.FAILED, "NotFinished", "False", "The job is not finished."),
    ConditionReason(_T.FAILED, "Succeeded", "False", "The job succeeded."),
    ConditionReason(_T.FAILED, "Cancelled", "False", "The job was cancelled, which is not a failure."),
    ConditionReason(_T.CANCELLED, "Cancelled", "True", "The cancel is complete, and the job does not run."),
    ConditionReason(_T.CANCELLED, "Cancelling", "False", "The cancel is confirmed; the job may still run."),
    ConditionReason(_T.CANCELLED, "NotFinished", "False", "The job is not finished."),
    ConditionReason(_T.CANCELLED, "Succeeded", "False", "The job had succeeded."),
    ConditionReason(_T.CANCELLED, "Failed", "False", "The job had failed."),
    ConditionReason(_T.FINISHED, "Succeeded", "True", "The job has succeeded."),
    ConditionReason(_T.FINISHED, "Failed", "True", "The job has failed."),
    ConditionReason(_T.FINISHED, "Cancelled", "True", "The job was cancelled."),
    ConditionReason(_T.FINISHED, "NotFinished", "False", "The job is not finished."),
    ConditionReason(_T.RECONCILING, "Pending", "True", "The job waits to be dispatched."),
    ConditionReason(_T.RECONCILING, "Queued", "True", "The job waits for a worker."),
    ConditionReason(_T.RECONCILING, "Running", "True", "A worker runs the job."),
    ConditionReason(_T.RECONCILING, "Cancelling", "True", "The job is being cancelled."),
    ConditionReason(_T.RECONCILING, "Suspended", "False", "The job is suspended, as its spec requires."),
    ConditionReason(_T.RECONCILING, "Finished", "False", "The job is finished."),
    ConditionReason(_T.STALLED, "NotStalled", "False", "The job has not failed."),
    ConditionReason(_T.INPUT_CHECKED, "Usable", "True", "The preflight found the input usable."),
    ConditionReason(_T.INPUT_CHECKED, "Unusable", "False", "The preflight found the input unusable."),
    ConditionReason(
        _T.INPUT_CHECKED,
        "Unknown",
        "Unknown",
        "The preflight could not decide whether the input is usable; the run checks it again.",
    ),
    ConditionReason(
        _T.CONTESTED,
        "ManagedElsewhere",
        "True",
        "Another installation of the operator watches the namespace as well. It ignores the job, and reports this.",
    ),
    *(
        ConditionReason(kind, cause.condition_reason, "True", cause.advice)
        for kind in (_T.FAILED, _T.STALLED)
        for cause in REASONS.values()
        if cause.counts
    ),
)

CONDITION_REASONS = MappingProxyType({(row.type, row.reason): row for row in _TABLE})
