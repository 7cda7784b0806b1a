"""Cancelling: step two of a cancel ends the attempt. A worker is needed only if it has started the attempt."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning.actions import EndAttempt
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules.attempts import await_registration, end_unclaimed, liveness_check
from reconstruction_operator.planning.status.details import claimed


def decide(case: Case) -> Decision | None:
    """Carry out a confirmed cancel. The job is cancelled once it no longer runs."""
    if not case.job.spec.cancel_confirmed:
        return None
    if case.lost:
        text = "Cancelled; the worker that ran it is lost."
        end = EndAttempt(case.task, Outcome.CANCELLED, "CANCELLED", text, is_lost=True)
        return Decision(JobState.CANCELLING, claimed(case), (end,), stopping=True)
    if case.worker:
        return Decision(JobState.CANCELLING, claimed(case), wake=(liveness_check(case),), stopping=True)
    if case.claim_lost and case.in_grace:
        return await_registration(case, JobState.CANCELLING)
    text = "Cancelled while no worker ran it."
    return end_unclaimed(case, Outcome.CANCELLED, "CANCELLED", text, state=JobState.CANCELLING)
