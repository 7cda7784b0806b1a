"""Attempts that no worker runs end if a deadline of the spec has passed, or the preflight found the input unusable."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.preflight import Usability
from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.rules.attempts import end_unclaimed


def past_deadline(case: Case) -> Decision | None:
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


def unusable_input(case: Case) -> Decision | None:
    """End an attempt whose input the preflight found unusable, if no worker has begun.

    If a worker claims the attempt at the same moment, only one of the two gets the claim.
    """
    checked = case.observed.checked
    begun = case.stored.start_time is not None or case.stored.begun or case.attempt > 1
    if checked is None or checked.usability is not Usability.UNUSABLE or begun or case.in_grace:
        return None
    return end_unclaimed(case, Outcome.FAILED, checked.reason, checked.message)
