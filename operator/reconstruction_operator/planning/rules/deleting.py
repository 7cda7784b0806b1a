"""Delayed deletion: while a foreign finalizer holds the object, the job's attempt is stopped, and no other starts."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.planning.actions import Action, TakeClaim
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.rules.attempts import end_unwanted


def actions(case: Case) -> tuple[Action, ...]:
    """Return what ends the job's attempt."""
    if case.seen.end is not None or not case.touched:
        return ()
    end = TakeClaim(case.task, Outcome.STOPPED, "DELETED", "The job's object is being deleted.")
    return end_unwanted(end, case.seen, case.timing, StopReason.DELETED)
