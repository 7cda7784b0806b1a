"""The one function that makes phase and conditions, and the one table of their reasons.

How others read them: kstatus (Helm, Flux) looks at Reconciling and Stalled, `kubectl wait` and Argo CD at Complete,
Failed, Cancelled and Finished. A suspended job is at rest as its spec says, so it is not reconciling (kstatus treats a
suspended batch/v1 Job in the same way, and a `helm --wait` for it ends). A cancelled job did not fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from reconstruction_operator.api.outcomes import REASONS, reason
from reconstruction_operator.api.status import Condition, ConditionType, Failure, Phase
from reconstruction_operator.planning.case import Stage
from reconstruction_operator.planning.times import whole

_T = ConditionType


@dataclass(frozen=True, slots=True)
class ConditionReason:
    """One row: with this reason a condition has this status, and means this."""

    type: ConditionType
    reason: str
    status: str  # "True" | "False" | "Unknown"
    meaning: str


_TABLE = (
    ConditionReason(_T.ACCEPTED, "Accepted", "True", "The operator has seen the spec and can work with it."),
    ConditionReason(
        _T.ACCEPTED,
        "InvalidSpec",
        "False",
        "The spec has a mistake that the API server cannot see; the job has failed.",
    ),
    ConditionReason(_T.DISPATCHED, "Dispatched", "True", "The attempt's message was sent to its queue."),
    ConditionReason(
        _T.DISPATCHED, "NoWorker", "True", "The message waits in its queue, and no live worker listens to that queue."
    ),
    ConditionReason(
        _T.DISPATCHED, "Waiting", "False", "The attempt waits for its turn: enough messages wait in its queue already."
    ),
    ConditionReason(_T.DISPATCHED, "BackingOff", "False", "The next attempt waits for status.nextAttemptTime."),
    ConditionReason(_T.DISPATCHED, "Suspended", "False", "Nothing is sent while spec.suspend is true."),
    ConditionReason(_T.DISPATCHED, "NotDispatched", "False", "The job ended, or ends, before this attempt was sent."),
    ConditionReason(_T.RUNNING, "Started", "True", "A worker has begun the attempt and holds it."),
    ConditionReason(_T.RUNNING, "Stopping", "True", "A worker holds the attempt; it was asked to stop, or is lost."),
    ConditionReason(
        _T.RUNNING, "AwaitingWorker", "Unknown", "Redis was emptied; a live worker may register the attempt again."
    ),
    ConditionReason(_T.RUNNING, "NotStarted", "False", "No worker has begun the attempt."),
    ConditionReason(_T.RUNNING, "AttemptFailed", "False", "The last attempt failed (status.failure); another follows."),
    ConditionReason(_T.RUNNING, "RedisLost", "False", "Redis forgot the last attempt; another follows."),
    ConditionReason(_T.RUNNING, "Drained", "False", "The last attempt's worker was shut down; another follows."),
    ConditionReason(_T.RUNNING, "Superseded", "False", "The last attempt was given up; another follows."),
    ConditionReason(_T.RUNNING, "Suspended", "False", "Nothing runs while the job is suspended."),
    ConditionReason(_T.RUNNING, "Ended", "False", "The job is over."),
    ConditionReason(_T.SUSPENDED, "Suspended", "True", "spec.suspend is true, and nothing of the job runs."),
    ConditionReason(
        _T.SUSPENDED, "Suspending", "False", "spec.suspend is true; what runs or waits is being taken back."
    ),
    ConditionReason(_T.SUSPENDED, "NotSuspended", "False", "The job has not been suspended, or it is over."),
    ConditionReason(_T.SUSPENDED, "Resumed", "False", "The job was suspended, and goes on."),
    ConditionReason(
        _T.CANCEL_REQUESTED, "Requested", "True", "Step one: announced. Confirm it, or withdraw it; the job goes on."
    ),
    ConditionReason(_T.CANCEL_REQUESTED, "Confirmed", "True", "Step two: final. The job is stopped."),
    ConditionReason(_T.CANCEL_REQUESTED, "NotRequested", "False", "Nobody has asked for a cancel."),
    ConditionReason(_T.CANCEL_REQUESTED, "Withdrawn", "False", "A request was withdrawn before it was confirmed."),
    ConditionReason(_T.COMPLETE, "Succeeded", "True", "The result is there (status.outputs)."),
    ConditionReason(_T.COMPLETE, "NotFinished", "False", "The job is not over."),
    ConditionReason(_T.COMPLETE, "Failed", "False", "The job failed."),
    ConditionReason(_T.COMPLETE, "Cancelled", "False", "The job was cancelled."),
    ConditionReason(_T.FAILED, "NotFinished", "False", "The job is not over."),
    ConditionReason(_T.FAILED, "Succeeded", "False", "The job succeeded."),
    ConditionReason(_T.FAILED, "Cancelled", "False", "The job was cancelled, which is no failure."),
    ConditionReason(_T.CANCELLED, "Cancelled", "True", "The cancel is done, and nothing of the job runs."),
    ConditionReason(_T.CANCELLED, "Cancelling", "False", "The cancel is confirmed; something may still run."),
    ConditionReason(_T.CANCELLED, "NotFinished", "False", "The job is not over."),
    ConditionReason(_T.CANCELLED, "Succeeded", "False", "The job had succeeded."),
    ConditionReason(_T.CANCELLED, "Failed", "False", "The job had failed."),
    ConditionReason(_T.FINISHED, "Succeeded", "True", "The job is over: it succeeded."),
    ConditionReason(_T.FINISHED, "Failed", "True", "The job is over: it failed."),
    ConditionReason(_T.FINISHED, "Cancelled", "True", "The job is over: it was cancelled."),
    ConditionReason(_T.FINISHED, "NotFinished", "False", "The job is not over."),
    ConditionReason(_T.RECONCILING, "Pending", "True", "The job waits to be dispatched."),
    ConditionReason(_T.RECONCILING, "Queued", "True", "The job waits for a worker."),
    ConditionReason(_T.RECONCILING, "Running", "True", "A worker has the job."),
    ConditionReason(_T.RECONCILING, "Cancelling", "True", "The job is being cancelled."),
    ConditionReason(_T.RECONCILING, "Suspended", "False", "The job rests, as its spec says."),
    ConditionReason(_T.RECONCILING, "Finished", "False", "The job is over."),
    ConditionReason(_T.STALLED, "NotStalled", "False", "The job has not failed."),
    *(
        ConditionReason(kind, its.condition_reason, "True", its.advice)
        for kind in (_T.FAILED, _T.STALLED)
        for its in REASONS.values()
        if its.counts
    ),
)

CONDITION_REASONS = MappingProxyType({(row.type, row.reason): row for row in _TABLE})

_PHASES = MappingProxyType(
    {
        Stage.INVALID: Phase.FAILED,
        Stage.WAITING: Phase.PENDING,
        Stage.BACKOFF: Phase.PENDING,
        Stage.QUEUED: Phase.QUEUED,
        Stage.RUNNING: Phase.RUNNING,
        Stage.RECOVERING: Phase.RUNNING,
        Stage.SUSPENDED: Phase.SUSPENDED,
        Stage.CANCELLING: Phase.CANCELLING,
        Stage.SUCCEEDED: Phase.SUCCEEDED,
        Stage.FAILED: Phase.FAILED,
        Stage.CANCELLED: Phase.CANCELLED,
    }
)
_NOT_BEGUN = frozenset({Stage.WAITING, Stage.BACKOFF, Stage.QUEUED})
_CAUSES = frozenset({"AttemptFailed", "RedisLost", "Drained", "Superseded"})


@dataclass(frozen=True, slots=True)
class Facts:
    """All that phase and conditions depend on, beside what was stored before."""

    stage: Stage
    generation: int
    message: str = ""  # of the moment, for people
    dispatched: bool = False  # the attempt's message has been sent
    no_worker: bool = False  # no live worker listens to its queue
    held: bool = False  # a worker has the attempt
    stopping: bool = False
    suspending: bool = False
    requested: bool = False
    confirmed: bool = False
    cause: str = ""  # a code of api.outcomes: why another attempt follows, when that has just been decided
    failure: Failure | None = None


def conditions(facts: Facts, before: tuple[Condition, ...], now: datetime) -> tuple[Phase, tuple[Condition, ...]]:
    """Phase and all conditions, in the order of `ConditionType`.

    `before` gives what lasts: the time of a condition's last change of status, and reasons that tell of the past
    (Resumed, Withdrawn, why the last attempt ended).
    """
    phase = _PHASES[facts.stage]
    old = {one.type: one for one in before}
    made = tuple(_condition(kind, why, facts, old.get(kind.value), now) for kind, why in _reasons(facts, phase, old))
    return phase, made


def _condition(kind: ConditionType, why: str, facts: Facts, old: Condition | None, now: datetime) -> Condition:
    row = CONDITION_REASONS.get((kind, why))
    status = row.status if row else "True"  # a failure with a reason of a newer worker
    lasts = old is not None and old.status == status and old.last_transition_time is not None
    return Condition(
        type=kind.value,
        status=status,
        reason=why,
        message=_message(kind, status, row, facts),
        last_transition_time=old.last_transition_time if lasts and old else whole(now),
        observed_generation=facts.generation,
    )


def _message(kind: ConditionType, status: str, row: ConditionReason | None, facts: Facts) -> str:
    failed = kind in (_T.FAILED, _T.STALLED) and status == "True"
    refused = kind is _T.ACCEPTED and status == "False"
    if (failed or refused) and facts.failure:
        return facts.failure.message
    if kind is _T.FINISHED and status == "True":
        return facts.message
    return row.meaning if row else ""


def _reasons(facts: Facts, phase: Phase, old: dict[str, Condition]) -> Iterator[tuple[ConditionType, str]]:
    outcome = phase.value if phase.finished else "NotFinished"
    failed = phase is Phase.FAILED
    code = reason(facts.failure.reason).condition_reason if failed and facts.failure else "WorkerError"
    yield _T.ACCEPTED, "InvalidSpec" if facts.stage is Stage.INVALID else "Accepted"
    yield _T.DISPATCHED, _dispatched(facts)
    yield _T.RUNNING, _running(facts, old.get(_T.RUNNING.value))
    yield _T.SUSPENDED, _suspended(facts, phase, old.get(_T.SUSPENDED.value))
    yield _T.CANCEL_REQUESTED, _cancel_requested(facts, old.get(_T.CANCEL_REQUESTED.value))
    yield _T.COMPLETE, outcome
    yield _T.FAILED, code if failed else outcome
    yield _T.CANCELLED, "Cancelling" if phase is Phase.CANCELLING else outcome
    yield _T.FINISHED, outcome
    yield _T.RECONCILING, "Finished" if phase.finished else phase.value
    yield _T.STALLED, code if failed else "NotStalled"


def _dispatched(facts: Facts) -> str:
    if facts.stage is Stage.SUSPENDED:
        return "Suspended"
    if facts.stage is Stage.BACKOFF:
        return "BackingOff"
    if facts.stage is Stage.WAITING:
        return "Waiting"
    if not facts.dispatched:
        return "NotDispatched"
    return "NoWorker" if facts.no_worker and facts.stage is Stage.QUEUED else "Dispatched"


def _running(facts: Facts, old: Condition | None) -> str:
    if facts.stage.final:
        return "Ended"
    if facts.held:
        return "Stopping" if facts.stopping else "Started"
    if facts.stage is Stage.RECOVERING:
        return "AwaitingWorker"
    if facts.stage is Stage.SUSPENDED:
        return "Suspended"
    if facts.cause:
        its = reason(facts.cause)
        named = its.condition_reason if its.condition_reason in _CAUSES else "Superseded"
        return "AttemptFailed" if its.counts else named
    if facts.stage in _NOT_BEGUN and old is not None and old.reason in _CAUSES:
        return old.reason
    return "NotStarted"


def _suspended(facts: Facts, phase: Phase, old: Condition | None) -> str:
    if facts.stage is Stage.SUSPENDED:
        return "Suspended"
    if facts.stage.final or phase is Phase.CANCELLING:
        return "NotSuspended"
    if facts.suspending:
        return "Suspending"
    if old is not None and (old.status == "True" or old.reason == "Resumed"):
        return "Resumed"
    return "NotSuspended"


def _cancel_requested(facts: Facts, old: Condition | None) -> str:
    if facts.confirmed:
        return "Confirmed"
    if facts.requested:
        return "Requested"
    if old is not None and (old.status == "True" or old.reason == "Withdrawn"):
        return "Withdrawn"
    return "NotRequested"


def markdown() -> str:
    """The table of all reasons, as `docs/conditions.md` shows it."""
    lines = [
        "# Conditions of a ReconstructionJob",
        "",
        "Made from the table in `planning/conditions.py`. All eleven are there from the operator's first visit, each with",
        "`observedGeneration`. `Finished` is true however the job ended. A suspended job is not reconciling, and a",
        "cancelled one has not failed. The reasons of `Failed` and `Stalled` are those of `.status.failure.reason`, in",
        "CamelCase.",
    ]
    for kind in ConditionType:
        lines += ["", f"## {kind.value}", "", "| status | reason | meaning |", "|---|---|---|"]
        lines += [f"| {row.status} | {row.reason} | {row.meaning} |" for row in _TABLE if row.type is kind]
    return "\n".join(lines) + "\n"
