"""Suspension: stop and resume.

A stop is final for its attempt: a resumed job continues with the next attempt, from the last kept stage.
"""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.rules import attempts, restarting
from reconstruction_operator.planning.status.details import at_rest


def decide(case: Case) -> Decision | None:
    """Suspend or resume the job."""
    if case.at_rest:
        if case.job.spec.suspend:
            return Decision(JobState.SUSPENDED, at_rest(case))
        return restarting.another(case, case.stored, due=None, cause="")
    if not case.job.spec.suspend:
        return None
    if case.lost:
        return attempts.give_up(case, overdue=False)
    if case.worker:
        return attempts.stop(case, StopReason.SUSPEND)
    if not case.touched:
        return Decision(JobState.SUSPENDED, at_rest(case))
    if case.claim_lost and case.in_grace:
        return attempts.await_registration(case, JobState.RECOVERING, suspending=True)
    text = "Suspended while no worker ran it."
    return attempts.end_unclaimed(case, Outcome.STOPPED, "SUSPENDED", text, suspending=True)
