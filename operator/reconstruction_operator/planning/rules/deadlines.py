"""Times that a spec sets: how long a job may take, and how long it may wait."""

from __future__ import annotations

from datetime import datetime

from reconstruction_operator.api.status import ConditionType
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning.actions import TakeClaim
from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.status.details import closing, resting_stage, with_attempt
from reconstruction_operator.planning.times import after


def active_deadline(case: Case) -> datetime | None:
    """When the job must be done: from its first start since creation or resume, over all attempts, as in batch/v1."""
    seconds = case.job.spec.active_deadline_seconds
    start = case.stored.start_time or (case.seen.claim.at if case.worker and case.seen.claim else None)
    return None if seconds is None or start is None else after(start, seconds)


def queue_deadline(case: Case) -> datetime | None:
    """When a worker must have begun: from creation or resume; None once one has."""
    seconds = case.job.spec.queue_deadline_seconds
    if seconds is None or case.worker or case.stored.start_time is not None:
        return None
    return after(_waiting_since(case), seconds)


def decide(case: Case) -> Decision | None:
    """An attempt that nobody has begun, and whose time is over: the operator ends it."""
    active, queue = active_deadline(case), queue_deadline(case)
    if active is not None and active <= case.now:
        seconds = case.job.spec.active_deadline_seconds
        reason, message = "TIMEOUT", f"The job took longer than its {seconds} s (activeDeadlineSeconds)."
    elif queue is not None and queue <= case.now:
        seconds = case.job.spec.queue_deadline_seconds
        reason, message = "QUEUE_TIMEOUT", f"No worker began within {seconds} s (queueDeadlineSeconds)."
    else:
        return None
    end = TakeClaim(case.task, Outcome.FAILED, reason, message)
    return Decision(resting_stage(case), with_attempt(case), closing(case, end))


def _waiting_since(case: Case) -> datetime:
    suspended = case.stored.condition(ConditionType.SUSPENDED)
    if suspended is not None and suspended.status == "True":
        return case.at  # it is resumed just now
    if suspended is not None and suspended.reason == "Resumed" and suspended.last_transition_time is not None:
        return suspended.last_transition_time
    return case.job.created
