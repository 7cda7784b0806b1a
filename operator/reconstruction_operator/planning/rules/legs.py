"""Legs: parts of an attempt on workers of different queues. A leg that no worker begins in time goes back to the job's
own queue.
"""

from __future__ import annotations

from dataclasses import replace

from reconstruction_operator.planning.actions import ReturnLeg, TakeBack
from reconstruction_operator.planning.case import Case, Decision, JobState
from reconstruction_operator.planning.status.details import with_attempt


def decide(case: Case) -> Decision | None:
    """Return a leg whose time is over, and hold one for which no worker of its queue has the model.

    `dispatching` sends all others.
    """
    leg = case.leg
    if leg is None or not case.observed.is_between_legs(case.job):
        return None
    due = case.leg_deadline
    if due is not None and due <= case.now:
        following = replace(leg, number=leg.number + 1, queue=case.job.home)
        back = (TakeBack(replace(case.task, queue=leg.queue)), ReturnLeg(case.task, leg.number, following))
        return Decision(JobState.QUEUED, with_attempt(case), back)
    if case.observed.no_model and case.unsent:
        return Decision(JobState.QUEUED, with_attempt(case), wake=(due, case.active_deadline))
    return None
