"""Deadlines of the spec: how long a job may take, and how long it may wait for a worker."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.rules.attempts import end_unclaimed


def decide(case: Case) -> Decision | None:
    """End an attempt whose deadline has passed and that no worker runs."""
    active, queue = case.active_deadline, case.queue_deadline
    if active is not None and active <= case.now:
        seconds = case.job.spec.active_deadline_seconds
        reason, message = "TIMEOUT", f"The job took longer than its {seconds} s (activeDeadlineSeconds)."
    elif queue is not None and queue <= case.now:
        seconds = case.job.spec.queue_deadline_seconds
        reason, message = "QUEUE_TIMEOUT", f"No worker began within {seconds} s (queueDeadlineSeconds)."
    else:
        return None
    return end_unclaimed(case, Outcome.FAILED, reason, message)
