"""Phase and conditions of a job. `reasons` has the table of the conditions' reasons.

kstatus (Helm, Flux) reads Reconciling and Stalled; `kubectl wait` and Argo CD read Complete, Failed, Cancelled and
Finished. A suspended job is as its spec wants it, so it is not reconciling, and `helm --wait` for it ends (kstatus
treats a suspended batch/v1 Job in the same way). A cancelled job has not failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from reconstruction_operator.api.status import Condition, ConditionType, Failure, Phase
from reconstruction_operator.contract.outcomes import reason
from reconstruction_operator.contract.preflight import Checked
from reconstruction_operator.planning.case import JobState
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS, ConditionReason
from reconstruction_operator.planning.status.waiting import Kind
from reconstruction_operator.planning.times import whole

_T = ConditionType

_PHASES = MappingProxyType(
    {
        JobState.INVALID: Phase.FAILED,
        JobState.WAITING: Phase.PENDING,
        JobState.BACKOFF: Phase.PENDING,
        JobState.RECOVERING: Phase.RUNNING,
    }
)
"""Phases of the states that have none of their own; any other state has the phase of its name."""
_NOT_BEGUN = frozenset({JobState.WAITING, JobState.BACKOFF, JobState.QUEUED})
_WEIGHT = MappingProxyType({kind.value: weight for weight, kind in enumerate(_T)})
_CAUSES = frozenset({"AttemptFailed", "RedisLost", "Drained", "Superseded"})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What phase and conditions depend on, besides the stored conditions."""

    state: JobState
    generation: int
    message: str = ""  # that of the status, if a condition repeats it: while the job waits, and when it is finished
    waits: Kind | None = None  # what the job waits for
    dispatched: bool = False  # the attempt's message has been sent
    held: bool = False  # a worker runs the attempt
    stopping: bool = False
    suspending: bool = False
    requested: bool = False
    confirmed: bool = False
    cancel_reason: str = ""  # the user's, of a cancel
    cause: str = ""  # a code of `contract.outcomes`: why another attempt follows; only when that is decided
    failure: Failure | None = None
    checked: Checked | None = None  # result of the preflight


def conditions(
    facts: Circumstances, before: tuple[Condition, ...], now: datetime
) -> tuple[Phase, tuple[Condition, ...]]:
    """Return the phase and all conditions: first those that matter now, each part in the order of `ConditionType`.

    `before` are the stored conditions: they have the times of the last transitions, and the reasons that report the
    past (Resumed, Withdrawn, why the last attempt ended). Contested belongs to another installation, and stays until
    the job's end.
    """
    phase, listed = _conditions(facts, before)
    at = whole(now)
    return phase, tuple(
        condition if condition.last_transition_time else replace(condition, last_transition_time=at)
        for condition in listed
    )


@lru_cache(2_048)  # a running job is planned at each report, and few reports change a condition
def _conditions(facts: Circumstances, before: tuple[Condition, ...]) -> tuple[Phase, tuple[Condition, ...]]:
    """Return phase and conditions; those that change now have no time yet."""
    phase = _PHASES.get(facts.state) or Phase[facts.state.name]
    old = {condition.type: condition for condition in before}
    checked = _input_checked(facts, old.get(_T.INPUT_CHECKED.value))
    listed = [_condition(kind, why, facts, old.get(kind.value)) for kind, why in _reasons(facts, phase, old)]
    contested = None if phase.finished else old.get(_T.CONTESTED.value)
    listed += [condition for condition in (checked, contested) if condition is not None]
    return phase, tuple(sorted(listed, key=lambda condition: (not _matters(condition, phase), _WEIGHT[condition.type])))


def _matters(condition: Condition, phase: Phase) -> bool:
    """Return whether the condition is true or unknown, or shows what the job waits for."""
    return condition.status != "False" or (phase is Phase.PENDING and condition.type == _T.DISPATCHED.value)


def _condition(kind: ConditionType, why: str, facts: Circumstances, old: Condition | None) -> Condition:
    row = CONDITION_REASONS.get((kind, why))
    status = row.status if row else "True"  # a failure with a reason of a newer worker
    message = _message(kind, status, row, facts)
    since = old.last_transition_time if old is not None and old.status == status else None
    new = Condition(kind.value, status, why, message, since, facts.generation)
    return old if old is not None and since and new == old else new


def _input_checked(facts: Circumstances, old: Condition | None) -> Condition | None:
    """Return the condition of the preflight's result, which stays after the preflight."""
    checked = facts.checked
    if checked is None:
        return old
    row = CONDITION_REASONS[_T.INPUT_CHECKED, checked.usability.value]
    if old is not None and (old.status, old.message) == (row.status, checked.message):
        return old
    return Condition(_T.INPUT_CHECKED.value, row.status, row.reason, checked.message, None, facts.generation)


def _message(kind: ConditionType, status: str, row: ConditionReason | None, facts: Circumstances) -> str:
    failed = kind in (_T.FAILED, _T.STALLED) and status == "True"
    refused = kind is _T.ACCEPTED and status == "False"
    if (failed or refused) and facts.failure:
        return facts.failure.message
    waits = kind is _T.DISPATCHED and facts.waits not in (None, Kind.SUSPENDED, Kind.WORKER)
    if waits or (kind is _T.FINISHED and status == "True"):
        return facts.message
    meaning = row.meaning if row else ""
    cancels = kind in (_T.CANCEL_REQUESTED, _T.CANCELLED) and status == "True"
    return f"{meaning} Reason: {facts.cancel_reason}" if cancels and facts.cancel_reason else meaning


def _reasons(facts: Circumstances, phase: Phase, old: dict[str, Condition]) -> Iterator[tuple[ConditionType, str]]:
    outcome = phase.value if phase.finished else "NotFinished"
    failed = phase is Phase.FAILED
    code = reason(facts.failure.reason).condition_reason if failed and facts.failure else "WorkerError"
    yield _T.ACCEPTED, "InvalidSpec" if facts.state is JobState.INVALID else "Accepted"
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


def _dispatched(facts: Circumstances) -> str:
    if facts.waits is not None:
        return facts.waits.value
    return "Dispatched" if facts.dispatched else "NotDispatched"


def _running(facts: Circumstances, old: Condition | None) -> str:
    if facts.state.final:
        return "Ended"
    if facts.held:
        return "Stopping" if facts.stopping else "Started"
    if facts.state is JobState.RECOVERING:
        return "AwaitingWorker"
    if facts.state is JobState.SUSPENDED:
        return "Suspended"
    if facts.cause:
        cause = reason(facts.cause)
        named = cause.condition_reason if cause.condition_reason in _CAUSES else "Superseded"
        return "AttemptFailed" if cause.counts else named
    if facts.state in _NOT_BEGUN and old is not None and old.reason in _CAUSES:
        return old.reason
    return "NotStarted"


def _suspended(facts: Circumstances, phase: Phase, old: Condition | None) -> str:
    if facts.state is JobState.SUSPENDED:
        return "Suspended"
    if facts.state.final or phase is Phase.CANCELLING:
        return "NotSuspended"
    if facts.suspending:
        return "Suspending"
    if old is not None and (old.status == "True" or old.reason == "Resumed"):
        return "Resumed"
    return "NotSuspended"


def _cancel_requested(facts: Circumstances, old: Condition | None) -> str:
    if facts.confirmed:
        return "Confirmed"
    if facts.requested:
        return "Requested"
    if old is not None and (old.status == "True" or old.reason == "Withdrawn"):
        return "Withdrawn"
    return "NotRequested"
