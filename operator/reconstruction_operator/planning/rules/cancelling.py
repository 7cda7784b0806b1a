"""Step two of a cancel: it ends the attempt. A worker is needed only if one has started it."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.planning.actions import ForceEnd, TakeClaim
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules.attempts import await_registration, end_unclaimed, liveness_check
from reconstruction_operator.planning.status.details import claimed, with_attempt


def decide(case: Case) -> Decision | None:
    """The cancel is confirmed. The job is cancelled when nothing of it runs."""
    if not case.job.spec.cancel_confirmed:
        return None
    if case.lost:
        end = ForceEnd(case.task, Outcome.CANCELLED, "CANCELLED", "Cancelled; the worker that had it is lost.")
        return Decision(JobState.CANCELLING, claimed(case), (end,), stopping=True)
    if case.worker:
        return Decision(JobState.CANCELLING, claimed(case), wake=(liveness_check(case),), stopping=True)
    if case.claim_lost and case.in_grace:
        actions, wake = await_registration(case)
        return Decision(JobState.CANCELLING, with_attempt(case), actions, (wake,))
    taken = TakeClaim(case.task, Outcome.CANCELLED, "CANCELLED", "Cancelled while no worker had it.")
    return Decision(JobState.CANCELLING, with_attempt(case), end_unclaimed(case, taken))
